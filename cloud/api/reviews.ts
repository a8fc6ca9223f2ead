/** `kubectl auth can-i`, with `--list` too, and `auth whoami`: questions in the form of objects, answered and not kept. */

import type { ApiRequest, Authorize, Identity } from '../../protocol/resources/api/identity.ts';
import { json, type Review } from '../../protocol/resources/api/parts.ts';
import { badRequest } from '../../protocol/resources/api/status.ts';
import type { PolicyRule } from '../kinds/role.ts';
import { mastersGroup } from './authorize-masters.ts';
import { asTypedObject, decodeBody } from './body.ts';
import { type Grant, grantsOf, type RoleReader } from './grants.ts';
import { authenticatedGroup } from './role-rules.ts';

type Answering = (
  identity: Identity,
  spec: Record<string, unknown>,
  authorize: Authorize,
) => Promise<Record<string, unknown>>;

/** What may be asked about oneself; the roles are read from `store`. */
export function reviewsOf(store: RoleReader): readonly Review[] {
  return [...ownReviews, rulesReview(store)];
}

const ownReviews: readonly Review[] = [
  review('authorization.k8s.io', 'SelfSubjectAccessReview', async (identity, spec, authorize) => {
    const decision = await authorize(accessRequestOf(identity, spec));
    if (decision.allowed) return { allowed: true };
    return { allowed: false, ...(decision.reason === '' ? {} : { reason: decision.reason }) };
  }),
  review('authentication.k8s.io', 'SelfSubjectReview', async ({ user, groups }) => ({
    userInfo: { username: user, groups: [...new Set([...groups, authenticatedGroup])] },
  })),
];

/** All that the caller may do in one namespace, as far as roles say. */
function rulesReview(store: RoleReader): Review {
  return review('authorization.k8s.io', 'SelfSubjectRulesReview', async (identity, spec) => {
    const namespace = typeof spec.namespace === 'string' && spec.namespace !== '' ? spec.namespace : undefined;
    if (namespace === undefined) throw badRequest('no namespace on request: name one in spec.namespace');
    const grants = identity.groups.includes(mastersGroup) ? [unlimited] : await grantsOf(store, identity, namespace);
    return rulesStatusOf(grants);
  });
}

const everything = ['*'];
const unlimited: Grant = {
  rules: [
    { verbs: everything, apiGroups: everything, resources: everything },
    { verbs: everything, nonResourceURLs: everything },
  ],
  pools: undefined,
};

/** Rules that hold for some pools alone are among them; that they do is said beside. */
function rulesStatusOf(grants: readonly Grant[]): Record<string, unknown> {
  const rules = grants.flatMap((grant) => grant.rules);
  const pools = new Set(grants.flatMap((grant) => [...(grant.pools ?? [])]));
  const isOfPaths = ({ nonResourceURLs = [] }: PolicyRule) => nonResourceURLs.length > 0;
  return {
    resourceRules: rules.filter((rule) => !isOfPaths(rule)),
    nonResourceRules: rules.filter(isOfPaths).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: pools.size > 0,
    ...(pools.size === 0
      ? {}
      : { evaluationError: `some of it changes what belongs to ${[...pools].join(', ')} alone` }),
  };
}

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
