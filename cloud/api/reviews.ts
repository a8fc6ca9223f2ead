/** `kubectl auth can-i` and `auth whoami`: questions in the form of objects that are answered and not kept. */

import type { ApiRequest, Authorize, Identity } from '../../protocol/resources/api/identity.ts';
import { json, type Review } from '../../protocol/resources/api/parts.ts';
import { badRequest } from '../../protocol/resources/api/status.ts';
import { asTypedObject, decodeBody } from './body.ts';
import { authenticatedGroup } from './role-rules.ts';

type Answering = (
  identity: Identity,
  spec: Record<string, unknown>,
  authorize: Authorize,
) => Promise<Record<string, unknown>>;

export const reviews: readonly Review[] = [
  review('authorization.k8s.io', 'SelfSubjectAccessReview', async (identity, spec, authorize) => {
    const decision = await authorize(accessRequestOf(identity, spec));
    if (decision.allowed) return { allowed: true };
    return { allowed: false, ...(decision.reason === '' ? {} : { reason: decision.reason }) };
  }),
  review('authentication.k8s.io', 'SelfSubjectReview', async ({ user, groups }) => ({
    userInfo: { username: user, groups: [...new Set([...groups, authenticatedGroup])] },
  })),
];

/** A question of version v1; it is answered with itself, its `status` filled in. */
function review(group: string, kind: string, answering: Answering): Review {
  const singular = kind.toLowerCase();
  return {
    group,
    version: 'v1',
    kind,
    plural: `${singular}s`,
    singular,
    async answer(identity, authorize, body, contentType) {
      const asked = asTypedObject(decodeBody(await body(), contentType));
      const apiVersion = `${group}/v1`;
      if (asked.apiVersion !== apiVersion || asked.kind !== kind)
        throw badRequest(`the body must be a ${kind} of ${apiVersion}`);
      const status = await answering(identity, asRecord(asked.spec), authorize);
      return json(201, { ...asked, metadata: asked.metadata ?? {}, status });
    },
  };
}

function accessRequestOf(identity: Identity, spec: Record<string, unknown>): ApiRequest {
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  if (spec.nonResourceAttributes !== undefined) {
    const attributes = asRecord(spec.nonResourceAttributes);
    return { identity, verb: text(attributes.verb) ?? 'get', path: text(attributes.path) ?? '/' };
  }
  const attributes = asRecord(spec.resourceAttributes);
  const subresource = text(attributes.subresource);
  const namespace = text(attributes.namespace);
  const name = text(attributes.name);
  return {
    identity,
    verb: text(attributes.verb) ?? 'get',
    path: '',
    resource: {
      group: text(attributes.group) ?? '',
      version: text(attributes.version) ?? '*',
      plural: text(attributes.resource) ?? '',
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
    },
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
