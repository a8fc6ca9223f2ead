/** What an applied configuration makes of an object: its fields are set, fields that it no longer has go. Pure. */
import { elementsOf, isObject } from './field-change.ts';
import { type FieldSet, isEmpty, noFields } from './field-set.ts';
import type { Shape } from './field-shape.ts';

/** `live` with all that `config` says; neither is changed. */
export function merged(live: unknown, config: unknown, shape: Shape): unknown {
  if (config === undefined) return live;
  if (live === undefined) return config;
  if (shape.type === 'map' && isObject(live) && isObject(config)) {
    const members = new Map(Object.entries(live));
    for (const [name, member] of Object.entries(config))
      members.set(name, merged(members.get(name), member, shape.member(name)));
    return Object.fromEntries(members);
  }
  if (shape.type === 'list' || shape.type === 'set') return mergedList(live, config, shape) ?? config;
  return config;
}

/** In the order of `config`; what only `live` has stays before the item that it stood before. */
function mergedList(live: unknown, config: unknown, shape: Shape & { type: 'list' | 'set' }): unknown[] | undefined {
  const [present, asked] = [elementsOf(live, shape), elementsOf(config, shape)];
  if (present === undefined || asked === undefined) return undefined;
  const wanted = new Set(asked.map(([element]) => element));
  const result: unknown[] = [];
  let next = 0;
  const pass = (end: number) => {
    for (; next < end; next++) if (!wanted.has(present[next]![0])) result.push(present[next]![1]);
  };
  for (const [element, item] of asked) {
    const at = present.findIndex(([other]) => other === element);
    if (at >= 0) pass(at);
    result.push(at < 0 || shape.type === 'set' ? item : merged(present[at]![1], item, shape.item));
  }
  pass(present.length);
  return result;
}

/**
 * `value` without the fields `gone`, but for what is below them in `kept`. A container that becomes empty by it goes,
 * too. Undefined when nothing is left.
 */
export function without(value: unknown, gone: FieldSet, kept: FieldSet, shape: Shape): unknown {
  if (isEmpty(gone)) return value;
  if (shape.type === 'map' && isObject(value)) {
    const members = Object.entries(value).flatMap(([name, member]) => {
      const left = without(member, childOf(gone, `f:${name}`), childOf(kept, `f:${name}`), shape.member(name));
      return left === undefined ? [] : [[name, left] as const];
    });
    return members.length === 0 && isEmpty(kept) ? undefined : Object.fromEntries(members);
  }
  const elements = shape.type === 'list' || shape.type === 'set' ? elementsOf(value, shape) : undefined;
  if (elements === undefined || (elements.length === 0 && gone.self))
    return gone.self && !kept.self ? undefined : value;
  const items = elements.flatMap(([element, item]) => {
    const [goes, stays] = [childOf(gone, element), childOf(kept, element)];
    if (goes.self && isEmpty(stays)) return [];
    if (shape.type !== 'list') return [item];
    return [without(item, { ...goes, self: false }, { ...stays, self: true }, shape.item)];
  });
  return items.length === 0 && isEmpty(kept) ? undefined : items;
}

function childOf(set: FieldSet, element: string): FieldSet {
  return set.children.get(element) ?? noFields;
}
