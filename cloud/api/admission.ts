/**
 * From a request's body to an object that may be stored, in upstream's order: decode, unknown fields, structure,
 * defaults, the kind's own rules. Pure but for reading the namespace.
 */
import type { KubeObject, ObjectMeta } from '../../protocol/kubernetes.ts';
import { badRequest, invalid, notFound, refuse } from '../../protocol/resources/api/status.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import type { Kind } from '../kinds/kind.ts';
import { asTypedObject, decodeBody } from './body.ts';
import { type FieldValidation, fieldValidationOf } from './write-parameters.ts';
import type { WriteCall, WriteParts, WrittenKinds } from './write-parts.ts';

/** Metadata that only the server writes. */
const serverMetadata = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'selfLink',
] as const;

/** Kinds that may be created with their status: a node registers itself in one write. As upstream. */
const statusOnCreate: ReadonlySet<string> = new Set(['io.k8s.api.core.v1.Node']);

/** The body as an object of the path's kind, in the path's namespace. */
export async function decodeObject(call: WriteCall): Promise<KubeObject> {
  const body = decodeBody(await call.body(), call.contentType);
  const { kind } = call;
  // As upstream: what a built-in kind's object leaves out of its type is taken from the path.
  const untyped = kind.builtin && isRecord(body) && !body.kind && !body.apiVersion;
  return addressed(call, asTypedObject(untyped ? { ...body, apiVersion: apiVersionOf(kind), kind: kind.kind } : body));
}

/** Refuses an object that is not of the kind, or not at the place, that the path names. */
export function addressed({ kind, path }: Pick<WriteCall, 'kind' | 'path'>, body: Record<string, unknown>): KubeObject {
  const apiVersion = apiVersionOf(kind);
  if (body.apiVersion !== apiVersion || body.kind !== kind.kind)
    throw badRequest(
      `the object provided is ${body.kind} in ${body.apiVersion}, but the path is of ${kind.kind} in ${apiVersion}`,
    );
  const { metadata: given, ...rest } = withoutNulls(body) as Record<string, unknown>;
  if (given !== undefined && (typeof given !== 'object' || Array.isArray(given)))
    throw badRequest('metadata must be an object');
  const metadata = { ...given } as ObjectMeta;
  for (const member of ['name', 'namespace', 'generateName', 'resourceVersion', 'uid'] as const)
    if (metadata[member] !== undefined && typeof metadata[member] !== 'string')
      throw badRequest(`metadata.${member} must be a string`);
  if (metadata.managedFields !== undefined && !Array.isArray(metadata.managedFields))
    throw badRequest('metadata.managedFields must be a list');
  if (path.namespace !== undefined) {
    metadata.namespace ||= path.namespace;
    if (metadata.namespace !== path.namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (path.name !== undefined) {
    metadata.name ||= path.name;
    if (metadata.name !== path.name)
      throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${path.name})`);
  }
  return { apiVersion, kind: kind.kind, metadata: withoutUndefined(metadata), ...withoutTypeMeta(rest) };
}

/** A new object as it may be stored: nothing in it that only the server writes. */
export function forCreate(kind: Kind, object: KubeObject): KubeObject {
  if (object.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  const metadata = { ...object.metadata };
  // Who owns the fields of a new object is not for its writer to say.
  for (const member of [...serverMetadata, 'resourceVersion', 'managedFields'] as const)
    delete (metadata as Record<string, unknown>)[member];
  const created: KubeObject = { ...object, metadata };
  if (kind.status && !statusOnCreate.has(kind.schema)) delete created.status;
  return created;
}

/** `asked` as it follows `previous`: what the writer may not touch is the previous one's. */
export function forUpdate(kind: Kind, previous: KubeObject, asked: KubeObject, subresource?: 'status'): KubeObject {
  const metadata: Record<string, unknown> = {
    ...(subresource === 'status' ? previous.metadata : asked.metadata),
    resourceVersion: previous.metadata.resourceVersion,
  };
  for (const member of serverMetadata) {
    if (previous.metadata[member as keyof ObjectMeta] === undefined) delete metadata[member];
    else metadata[member] = previous.metadata[member as keyof ObjectMeta];
  }
  const next: KubeObject = {
    ...(subresource === 'status' ? previous : asked),
    metadata: metadata as unknown as ObjectMeta,
  };
  if (!kind.status) return next;
  const { status } = subresource === 'status' ? asked : previous;
  if (status === undefined) delete next.status;
  else next.status = status;
  return next;
}

/**
 * Unknown fields by the request's `fieldValidation`: refused, told in the warnings that are returned, or kept in
 * silence. `known` are paths that the stored object has already and that nobody is blamed for.
 */
export function checkFields(
  kinds: WrittenKinds,
  call: Pick<WriteCall, 'kind' | 'query'>,
  object: KubeObject,
  known?: KubeObject,
): string[] {
  const { kind } = call;
  const mode: FieldValidation = fieldValidationOf(call.query);
  if (mode === 'Ignore') return [];
  const before = new Set(known === undefined ? [] : kinds.unknownFields(known, kind));
  const unknown = kinds
    .unknownFields(object, kind)
    .filter((path) => !before.has(path))
    .map((path) => `unknown field "${path}"`);
  if (mode === 'Warn' || unknown.length === 0) return unknown;
  throw badRequest(
    `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${unknown.join(', ')}`,
  );
}

/** The object with its defaults, or a refusal that names every fault. */
export function admit(
  kinds: WrittenKinds,
  kind: Kind,
  object: KubeObject,
  previous: KubeObject | undefined,
): KubeObject {
  const subject = { kind, name: object.metadata.name ?? object.metadata.generateName ?? '' };
  const structural = kinds.structuralFaults(object, kind);
  if (structural.length > 0) throw invalid(subject, structural);
  const complete = kind.defaults(object);
  const faults = kind.validate(complete, previous);
  if (faults.length > 0) throw invalid(subject, faults);
  return complete;
}

/** A new object needs a namespace that exists and is not going away. */
export async function requireNamespace(parts: WriteParts, call: WriteCall, name: string | undefined): Promise<void> {
  const namespace = call.path.namespace;
  if (!call.kind.namespaced || namespace === undefined) return;
  const namespaceKind = parts.kinds.kindByPlural('', 'v1', 'namespaces');
  if (namespaceKind === undefined) return;
  const found = await parts.store.get(namespaceKind, undefined, namespace);
  if (found === undefined) throw notFound({ kind: namespaceKind, name: namespace });
  if (found.metadata.deletionTimestamp !== undefined)
    throw refuse(
      'Forbidden',
      `${call.kind.plural} ${JSON.stringify(name ?? '')} is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
      { ...(name === undefined ? {} : { name }), kind: call.kind.plural, causes: [namespaceTerminating(namespace)] },
    );
}

function namespaceTerminating(namespace: string) {
  return {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
}

/** In Kubernetes' types null means absent; what `kubectl create -o yaml` writes is full of it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNulls(member)]),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

function withoutTypeMeta({ apiVersion: _apiVersion, kind: _kind, ...rest }: Record<string, unknown>) {
  return rest;
}
