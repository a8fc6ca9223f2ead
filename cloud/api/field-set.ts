/**
 * Sets of an object's fields, as `managedFields` says who owns what. Pure; no set is ever changed.
 * Source: kubernetes.io, "Server-Side Apply"; the FieldsV1 form of meta/v1 ManagedFieldsEntry.
 */

/**
 * A tree of path elements as FieldsV1 writes them: `f:NAME` a member, `k:{"name":"a"}` an item by its keys,
 * `v:"a"` an item by its value.
 */
export interface FieldSet {
  /** The place itself belongs to the set, not only what is below it. */
  readonly self: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** Deeper than any body that the API takes; what a client wrote as FieldsV1 may go on. */
const DEPTH_MAX = 128;

export const noFields: FieldSet = { self: false, children: new Map() };
export const itself: FieldSet = { self: true, children: new Map() };

export function isEmpty(set: FieldSet): boolean {
  return !set.self && set.children.size === 0;
}

/** A set of the children that are not empty. */
export function fieldSet(self: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { self, children: new Map([...children].filter(([, child]) => !isEmpty(child))) };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) children.set(element, union(children.get(element) ?? noFields, child));
  return { self: a.self || b.self, children };
}

/** What `a` has and `b` has not, place by place: that `b` has a place says nothing of what is below it. */
export function minus(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  return fieldSet(
    a.self && !b.self,
    [...a.children].map(([element, child]) => [element, minus(child, b.children.get(element) ?? noFields)]),
  );
}

/** What both have. */
export function common(a: FieldSet, b: FieldSet): FieldSet {
  const children = [...a.children].flatMap(([element, child]): [string, FieldSet][] => {
    const other = b.children.get(element);
    return other === undefined ? [] : [[element, common(child, other)]];
  });
  return fieldSet(a.self && b.self, children);
}

export function sameFields(a: FieldSet, b: FieldSet): boolean {
  if (a.self !== b.self || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !sameFields(child, other)) return false;
  }
  return true;
}

/** FieldsV1: `{}` for a place without more below, `.` for one that is in the set besides what is below it. */
export function fieldsV1Of(set: FieldSet): Record<string, unknown> {
  const members = [...set.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([element, child]) => [element, fieldsV1Of(child)]);
  if (set.self && members.length > 0) members.unshift(['.', {}]);
  return Object.fromEntries(members);
}

/** The set that a FieldsV1 describes; undefined when it describes none. The top is no place. */
export function fieldSetOf(fieldsV1: unknown): FieldSet | undefined {
  return typeof fieldsV1 === 'object' && fieldsV1 !== null ? below(fieldsV1, true, 0) : undefined;
}

function below(fieldsV1: object, top: boolean, depth: number): FieldSet | undefined {
  if (Array.isArray(fieldsV1) || depth > DEPTH_MAX) return undefined;
  const members = Object.entries(fieldsV1);
  const children = new Map<string, FieldSet>();
  for (const [element, member] of members) {
    if (typeof member !== 'object' || member === null) return undefined;
    if (element === '.') continue;
    if (!/^[fkv]:/.test(element)) return undefined;
    const child = below(member, false, depth + 1);
    if (child === undefined) return undefined;
    children.set(element, child);
  }
  const self = !top && (members.length === 0 || Object.hasOwn(fieldsV1, '.'));
  return { self, children };
}

/** Every place of the set as upstream writes paths: `.spec.containers[name="main"].image`. */
export function pathsOf(set: FieldSet, path = ''): string[] {
  const deeper = [...set.children].flatMap(([element, child]) => pathsOf(child, path + elementText(element)));
  return set.self ? [path, ...deeper] : deeper;
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  try {
    const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
    return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
  } catch {
    return `[${rest}]`;
  }
}
