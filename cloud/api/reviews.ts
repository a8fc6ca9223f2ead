/** `kubectl auth can-i` and `auth whoami`: questions in the form of objects that are answered and not kept. */
import { asTypedObject, decodeBody } from './body.ts';
import type { ApiRequest, Authorize, Identity } from './identity.ts';
import { type Answer, json } from './parts.ts';
import { badRequest } from './status.ts';

export interface Review {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  answer(identity: Identity, spec: Record<string, unknown>, authorize: Authorize): Promise<Record<string, unknown>>;
}

export const reviews: readonly Review[] = [
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    singular: 'selfsubjectaccessreview',
    answer: async (identity, spec, authorize) => {
      const decision = await authorize(accessRequestOf(identity, spec));
      return decision.allowed ? { allowed: true } : { allowed: false, reason: decision.reason };
    },
  },
  {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    singular: 'selfsubjectreview',
    answer: async ({ user, groups }) => ({ userInfo: { username: user, groups } }),
  },
];

export function reviewAt(group: string, version: string, plural: string): Review | undefined {
  return reviews.find((review) => review.group === group && review.version === version && review.plural === plural);
}

/** The review with its `status` filled in. */
export async function answerReview(
  review: Review,
  identity: Identity,
  authorize: Authorize,
  body: Buffer,
  contentType: string | undefined,
): Promise<Answer> {
  const asked = asTypedObject(decodeBody(body, contentType));
  const apiVersion = `${review.group}/${review.version}`;
  if (asked.apiVersion !== apiVersion || asked.kind !== review.kind)
    throw badRequest(`the body must be a ${review.kind} of ${apiVersion}`);
  const spec = asRecord(asked.spec);
  const status = await review.answer(identity, spec, authorize);
  return json(201, { ...asked, metadata: asked.metadata ?? {}, status });
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
