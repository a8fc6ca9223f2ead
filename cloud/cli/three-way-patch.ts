/**
 * The patch of a client-side apply: what the manifest says and the live object does not, and nulls for what the last
 * apply said and the manifest says no more. What others added to the live object stays. Pure.
 *
 * Built-in kinds get a strategic merge patch, all others a JSON merge patch (RFC 7396), as from kubectl: with the
 * latter a list is replaced as a whole, which would throw away what the server or a controller put into it (a
 * defaulted port, an injected container), and custom kinds know nothing else. With the same kind of patch and the
 * same annotation, `kubectl apply` and `stile apply` can take turns on one object.
 * Source: kubernetes.io, "Declarative management of objects using configuration files", "How apply calculates
 * differences and merges changes".
 */
import { isDeepStrictEqual } from 'node:util';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { isUnion, type ListStrategy, listStrategyOf } from '../kinds/list-strategy.ts';

export const lastAppliedKey = 'kubectl.kubernetes.io/last-applied-configuration';

export type PatchForm = 'strategic' | 'merge';

export const patchMediaTypes: Record<PatchForm, string> = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
};

type JsonObject = { [key: string]: Json };

/** Groups whose kinds understand strategic merge patch. Source: client-go, kubernetes/scheme. */
const builtinGroups = new Set([
  '',
  'admissionregistration.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

export function patchFormOf(group: string): PatchForm {
  return builtinGroups.has(group) ? 'strategic' : 'merge';
}

/** `manifest` with the annotation that the next apply compares with. */
export function withLastApplied(manifest: KubeObject): KubeObject {
  const annotations = { ...manifest.metadata.annotations, [lastAppliedKey]: lastAppliedText(manifest) };
  return { ...manifest, metadata: { ...manifest.metadata, annotations } };
}

/**
 * The annotation, letter by letter as kubectl writes it, so that an apply of the same file by the other program
 * changes nothing: sorted keys, `annotations` always there, `<>&` escaped and a line end, as Go's encoder does.
 */
export function lastAppliedText(manifest: KubeObject): string {
  const { [lastAppliedKey]: _, ...annotations } = manifest.metadata.annotations ?? {};
  const document = { ...manifest, metadata: { ...manifest.metadata, annotations } };
  const escaped = JSON.stringify(sorted(document as unknown as Json)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
}

/** What the last client-side apply said; undefined when the object was made otherwise or the text is damaged. */
export function lastAppliedOf(live: KubeObject): KubeObject | undefined {
  const text = live.metadata.annotations?.[lastAppliedKey];
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value as Json) ? (value as KubeObject) : undefined;
  } catch {
    return undefined;
  }
}

/** The patch that brings `live` to `wanted`; undefined when there is nothing to do. */
export function threeWayPatch(
  form: PatchForm,
  last: KubeObject | undefined,
  wanted: KubeObject,
  live: KubeObject,
): JsonObject | undefined {
  const patch = objectPatch(form, toJson(last ?? {}), toJson(wanted), toJson(live), '');
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function objectPatch(
  form: PatchForm,
  last: JsonObject,
  wanted: JsonObject,
  live: JsonObject,
  path: string,
): JsonObject {
  const patch: JsonObject = {};
  for (const [key, value] of Object.entries(wanted)) {
    const current = live[key];
    const where = path === '' ? key : `${path}.${key}`;
    if (value === null) {
      if (current !== undefined && current !== null) patch[key] = null;
    } else if (current === undefined) patch[key] = withoutNulls(value);
    else if (isObject(value) && isObject(current)) {
      const part = objectPatch(form, asObject(last[key]), value, current, where);
      if (Object.keys(part).length > 0) patch[key] = part;
    } else if (Array.isArray(value) && Array.isArray(current))
      Object.assign(patch, listPatch(form, key, { last: asList(last[key]), wanted: value, live: current }, where));
    else if (!isDeepStrictEqual(value, current)) patch[key] = withoutNulls(value);
  }
  for (const key of Object.keys(last)) if (!(key in wanted) && live[key] !== undefined) patch[key] = null;
  if (form === 'strategic' && isUnion(path) && Object.keys(patch).length > 0)
    patch.$retainKeys = Object.keys(wanted).sort();
  return patch;
}

interface Lists {
  last: Json[];
  wanted: Json[];
  live: Json[];
}

/** The members that the patch gets for the list `name`, directives included. */
function listPatch(form: PatchForm, name: string, lists: Lists, path: string): JsonObject {
  const strategy: ListStrategy = form === 'merge' ? 'atomic' : listStrategyOf(path);
  if (strategy === 'set') return setPatch(name, lists);
  if (strategy !== 'atomic' && [lists.wanted, lists.live].every((list) => hasUniqueKeys(list, strategy.key)))
    return keyedListPatch(form, name, strategy.key, lists, path);
  if (isDeepStrictEqual(lists.wanted, lists.live)) return {};
  // Two elements of one key (53/TCP and 53/UDP) cannot be told apart by it: the whole list is replaced.
  return { [name]: strategy === 'atomic' ? lists.wanted : [{ $patch: 'replace' }, ...lists.wanted] };
}

function setPatch(name: string, { last, wanted, live }: Lists): JsonObject {
  const added = wanted.filter((item) => !live.includes(item));
  const removed = last.filter((item) => !wanted.includes(item) && live.includes(item));
  return {
    ...(added.length > 0 ? { [name]: added } : {}),
    ...(removed.length > 0 ? { [`$deleteFromPrimitiveList/${name}`]: removed } : {}),
  };
}

function keyedListPatch(form: PatchForm, name: string, key: string, lists: Lists, path: string): JsonObject {
  const find = (list: Json[], id: Json) => list.find((item) => isObject(item) && item[key] === id);
  const idOf = (item: Json): Json => asObject(item)[key] ?? null;
  const patches: Json[] = [];
  for (const item of lists.wanted) {
    const current = find(lists.live, idOf(item));
    if (current === undefined) {
      patches.push(withoutNulls(item));
      continue;
    }
    const part = objectPatch(
      form,
      asObject(find(lists.last, idOf(item))),
      asObject(item),
      asObject(current),
      `${path}[]`,
    );
    if (Object.keys(part).length > 0) patches.push({ ...part, [key]: idOf(item) });
  }
  const wantedIds = lists.wanted.map(idOf);
  for (const item of lists.last) {
    const id = asObject(item)[key];
    if (id !== undefined && !wantedIds.includes(id) && find(lists.live, id) !== undefined)
      patches.push({ $patch: 'delete', [key]: id });
  }
  const liveIds = lists.live.map(idOf).filter((id) => wantedIds.includes(id));
  const inOrder = isDeepStrictEqual(
    liveIds,
    wantedIds.filter((id) => liveIds.includes(id)),
  );
  if (patches.length === 0 && inOrder) return {};
  return {
    [`$setElementOrder/${name}`]: wantedIds.map((id) => ({ [key]: id })),
    ...(patches.length > 0 ? { [name]: patches } : {}),
  };
}

function hasUniqueKeys(list: Json[], key: string): boolean {
  const ids = list.map((item) => asObject(item)[key]);
  return ids.every((id) => id !== undefined && id !== null) && new Set(ids).size === ids.length;
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNulls(member)]),
  );
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key]!)]),
  );
}

function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
