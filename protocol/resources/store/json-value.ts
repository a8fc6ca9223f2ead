/** JSON values that are shared by many readers: frozen once, compared cheaply. */

/**
 * A deeply frozen copy without `undefined` members, so that an object looks the same before and after a disk.
 * What is frozen already is taken to be frozen throughout and is shared, not copied: hand in nothing that was
 * frozen only on its surface.
 */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value))
    return Object.freeze(value.map((item) => (item === undefined ? null : frozenCopy(item)))) as T;
  const copy: Record<string, unknown> = {};
  // An own `__proto__` comes only out of hostile JSON, and assigning it would replace the prototype.
  for (const [key, member] of Object.entries(value))
    if (member !== undefined && key !== '__proto__') copy[key] = frozenCopy(member);
  return Object.freeze(copy) as T;
}

/** Equality of two JSON values; an `undefined` member equals an absent one. Shared parts cost nothing. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index]))
    );
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of Object.keys(left)) if (!sameJson(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}
