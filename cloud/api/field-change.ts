/** Which fields an object has, and which differ between two. Pure. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { badRequest } from '../../protocol/resources/api/status.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { type FieldSet, fieldSet, itself, noFields, union } from './field-set.ts';
import { keyDefaults, type Shape } from './field-shape.ts';

/** Of an object: what says which it is, and what only the server writes. Nobody owns these. */
const unowned: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'generateName',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'selfLink',
  'managedFields',
]);

/** Which part of an object a request writes; the other one is not its business. */
export type Part = 'all' | 'status' | 'main';

export interface Change {
  /** Added, or with another value. */
  set: FieldSet;
  removed: FieldSet;
}

/** The members of `object` that somebody can own. Of the part `status` nothing else is, of `main` all but it. */
export function ownable(object: KubeObject, part: Part): Record<string, unknown> {
  const { apiVersion: _apiVersion, kind: _kind, metadata, status, ...rest } = object;
  if (part === 'status') return status === undefined ? {} : { status };
  const owned = Object.fromEntries(Object.entries(metadata).filter(([name]) => !unowned.has(name)));
  return {
    ...(Object.keys(owned).length === 0 ? {} : { metadata: owned }),
    ...rest,
    ...(part === 'all' && status !== undefined && { status }),
  };
}

/** Every field of `value`: scalars and whole values, items of lists and what is in them, containers that are empty. */
export function fieldsOf(value: unknown, shape: Shape, top = true): FieldSet {
  if (value === undefined) return noFields;
  if (shape.type === 'map' && isObject(value)) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    if (members.length === 0) return top ? noFields : itself;
    return fieldSet(
      false,
      members.map(([name, member]) => [`f:${name}`, fieldsOf(member, shape.member(name), false)]),
    );
  }
  const elements = shape.type === 'list' || shape.type === 'set' ? elementsOf(value, shape) : undefined;
  if (elements === undefined || elements.length === 0) return itself;
  const item = shape.type === 'list' ? shape.item : undefined;
  let found = noFields;
  for (const [element, each] of elements) {
    const deeper = item === undefined ? itself : union(itself, fieldsOf(each, item, true));
    found = union(found, fieldSet(false, [[element, deeper]]));
  }
  return found;
}

/** What is other in `after` than in `before`. */
export function changeBetween(before: unknown, after: unknown, shape: Shape, top = true): Change {
  if (before === undefined && after === undefined) return { set: noFields, removed: noFields };
  if (before === undefined) return { set: fieldsOf(after, shape, top), removed: noFields };
  if (after === undefined) return { set: noFields, removed: fieldsOf(before, shape, top) };
  if (before === after) return { set: noFields, removed: noFields };
  const parts = partsOf(before, after, shape);
  if (parts === undefined) return { set: sameJson(before, after) ? noFields : itself, removed: noFields };
  const changes = parts.map(([element, one, other, deeper]) => {
    const change = changeBetween(one, other, deeper, shape.type === 'list');
    // An item of a list is a field itself, beside what is in it.
    if (shape.type === 'map') return [element, change] as const;
    const came = one === undefined ? union(itself, change.set) : change.set;
    const went = other === undefined ? union(itself, change.removed) : change.removed;
    return [element, { set: came, removed: went }] as const;
  });
  return {
    set: fieldSet(
      false,
      changes.map(([element, { set }]) => [element, set]),
    ),
    removed: fieldSet(
      false,
      changes.map(([element, { removed }]) => [element, removed]),
    ),
  };
}

/** Both values taken apart alike: element, its value before and after, its shape. Undefined where they are whole. */
function partsOf(before: unknown, after: unknown, shape: Shape): [string, unknown, unknown, Shape][] | undefined {
  if (shape.type === 'map') {
    if (!isObject(before) || !isObject(after)) return undefined;
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].map((name) => [
      `f:${name}`,
      before[name],
      after[name],
      shape.member(name),
    ]);
  }
  if (shape.type === 'atomic') return undefined;
  const [left, right] = [elementsOf(before, shape), elementsOf(after, shape)];
  if (left === undefined || right === undefined) return undefined;
  const [earlier, later] = [new Map(left), new Map(right)];
  const item: Shape = shape.type === 'list' ? shape.item : { type: 'atomic' };
  return [...new Set([...earlier.keys(), ...later.keys()])].map((element) => [
    element,
    earlier.get(element),
    later.get(element),
    item,
  ]);
}

/**
 * The items of a list with the elements that name them, in order. Undefined when `value` is no such list. An item that
 * lacks its keys names itself by its value.
 */
export function elementsOf(value: unknown, shape: Shape & { type: 'list' | 'set' }): [string, unknown][] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map((item) => [
    (shape.type === 'list' ? keyElementOf(item, shape.keys) : undefined) ?? `v:${JSON.stringify(item)}`,
    item,
  ]);
}

/** The element of an item that has its keys, else undefined. */
export function keyElementOf(item: unknown, keys: readonly string[]): string | undefined {
  if (!isObject(item)) return undefined;
  const named = keys.map((key) => [key, item[key] ?? keyDefaults[key]]);
  if (named.some(([, value]) => value === undefined)) return undefined;
  return `k:${JSON.stringify(Object.fromEntries(named))}`;
}

/** Refuses lists in which an item lacks its keys or comes twice: they would not say which item is meant. */
export function requireDistinctItems(value: unknown, shape: Shape, path = ''): void {
  if (shape.type === 'map' && isObject(value)) {
    for (const [name, member] of Object.entries(value))
      requireDistinctItems(member, shape.member(name), `${path}.${name}`);
    return;
  }
  if ((shape.type !== 'list' && shape.type !== 'set') || !Array.isArray(value)) return;
  const seen = new Set<string>();
  for (const [index, [element, item]] of elementsOf(value, shape)!.entries()) {
    if (shape.type === 'list' && !element.startsWith('k:'))
      throw badRequest(`${path}: element ${index}: every item of this list needs ${shape.keys.join(' and ')}`);
    if (seen.has(element)) throw badRequest(`${path}: duplicate entries for key ${element.slice(2)}`);
    seen.add(element);
    if (shape.type === 'list') requireDistinctItems(item, shape.item, `${path}[${index}]`);
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
