/**
 * Strategic merge patch for the kinds of Kubernetes itself: a merge patch whose lists are merged by a key where
 * upstream's types say so. Pure.
 * Sources: kubernetes/community, contributors/devel/sig-api-machinery/strategic-merge-patch.md; the patchStrategy and
 * patchMergeKey tags of k8s.io/api and k8s.io/apimachinery v1.32.
 */
import type { Json } from '../../protocol/kubernetes.ts';
import { badRequest } from '../../protocol/resources/api/status.ts';
import { listStrategyOf } from '../kinds/list-strategy.ts';

export const strategicMergePatchMediaType = 'application/strategic-merge-patch+json';

type JsonObject = { [key: string]: Json };

const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';
const ELEMENT_ORDER = '$setElementOrder/';

/**
 * `original` with `patch` applied; neither is changed. Refuses with BadRequest where a directive is malformed or an
 * element lacks the key by which its list merges.
 */
export function strategicMergePatch(original: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) throw badRequest('a strategic merge patch must be one object');
  return mergeObject(isObject(original) ? original : {}, patch, '');
}

/** `path` names the members walked through, for messages and for the one list whose key depends on its parent. */
function mergeObject(original: JsonObject, patch: JsonObject, path: string): JsonObject {
  if (patch.$patch === 'replace') return stripped(patch);
  if (patch.$patch === 'delete') return {};
  if (patch.$patch !== undefined && patch.$patch !== 'merge')
    throw badRequest(`unknown $patch directive ${JSON.stringify(patch.$patch)} at ${path || 'the top'}`);
  const merged = new Map<string, Json>(Object.entries(retained(original, patch.$retainKeys, path)));
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    const where = path === '' ? key : `${path}.${key}`;
    const previous = merged.get(key);
    if (value === null) merged.delete(key);
    else if (Array.isArray(value)) merged.set(key, mergeList(Array.isArray(previous) ? previous : [], value, where));
    else if (isObject(value)) merged.set(key, mergeObject(isObject(previous) ? previous : {}, value, where));
    else merged.set(key, value);
  }
  applyListDirectives(merged, patch, original, path);
  return Object.fromEntries(merged);
}

function retained(original: JsonObject, keys: Json | undefined, path: string): JsonObject {
  if (keys === undefined) return original;
  if (!Array.isArray(keys)) throw badRequest(`$retainKeys at ${path || 'the top'} must be a list of names`);
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.includes(key)));
}

/** `$deleteFromPrimitiveList/LIST` and `$setElementOrder/LIST`, beside the list that they speak of. */
function applyListDirectives(merged: Map<string, Json>, patch: JsonObject, original: JsonObject, path: string): void {
  for (const [directive, value] of Object.entries(patch)) {
    const prefix = [DELETE_PRIMITIVES, ELEMENT_ORDER].find((start) => directive.startsWith(start));
    if (prefix === undefined) continue;
    const name = directive.slice(prefix.length);
    const where = path === '' ? name : `${path}.${name}`;
    if (!Array.isArray(value)) throw badRequest(`${directive} must be a list`);
    const list = merged.get(name);
    if (!Array.isArray(list)) continue;
    if (prefix === DELETE_PRIMITIVES)
      merged.set(
        name,
        list.filter((item) => !value.includes(item)),
      );
    else merged.set(name, ordered(list, value, original[name], where));
  }
}

function mergeList(original: Json[], patch: Json[], path: string): Json[] {
  const strategy = listStrategyOf(path);
  const replace = patch.some((item) => isObject(item) && item.$patch === 'replace');
  if (strategy === 'atomic' || replace)
    return patch.filter((item) => !(isObject(item) && item.$patch === 'replace')).map(strippedValue);
  if (strategy === 'set') return [...original, ...patch.filter((item) => !original.includes(item))];
  const merged = [...original];
  for (const item of patch) {
    const id = keyOf(item, strategy.key, path);
    const index = merged.findIndex((other) => isObject(other) && other[strategy.key] === id);
    if ((item as JsonObject).$patch === 'delete') {
      if (index >= 0) merged.splice(index, 1);
    } else if (index >= 0) merged[index] = mergeObject(merged[index] as JsonObject, item as JsonObject, `${path}[]`);
    else merged.push(mergeObject({}, item as JsonObject, `${path}[]`));
  }
  return merged;
}

function keyOf(item: Json, key: string, path: string): Json {
  if (isObject(item) && item[key] !== undefined && item[key] !== null) return item[key];
  throw badRequest(`an element of ${path} in the patch lacks ${key}, by which that list is merged`);
}

/**
 * The elements that the client names in its order; the ones that only the server has keep their place relative to
 * them as far as `before` tells.
 */
function ordered(list: Json[], order: Json[], before: Json | undefined, path: string): Json[] {
  const strategy = listStrategyOf(path);
  if (strategy === 'atomic') return list;
  const idOf = (item: Json) => (strategy === 'set' ? item : isObject(item) ? item[strategy.key] : undefined);
  const wanted = order.map(idOf);
  const known = (Array.isArray(before) ? before : []).map(idOf);
  const mine = list
    .filter((item) => wanted.includes(idOf(item)))
    .sort((left, right) => wanted.indexOf(idOf(left)) - wanted.indexOf(idOf(right)));
  const others = list.filter((item) => !wanted.includes(idOf(item)));
  const result: Json[] = [];
  while (mine.length > 0 && others.length > 0) {
    const mineAt = known.indexOf(idOf(mine[0]!));
    const otherAt = known.indexOf(idOf(others[0]!));
    result.push(mineAt >= 0 && mineAt < otherAt ? mine.shift()! : others.shift()!);
  }
  return [...result, ...mine, ...others];
}

/** The patch's own value without directives and nulls, as when it meets nothing to merge with. */
function stripped(patch: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(patch)
      .filter(([key, value]) => !key.startsWith('$') && value !== null)
      .map(([key, value]) => [key, strippedValue(value)]),
  );
}

function strippedValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(strippedValue);
  return isObject(value) ? stripped(value) : value;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
