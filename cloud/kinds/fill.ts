/** Defaulting without mutation: the API hands defaulted objects on, and shared ones stay as they are. */

/** `object` with the members of `defaults` that it lacks (absent or null); the same object when it lacks none. */
export function fill<T extends object>(object: T, defaults: Partial<T> & Record<string, unknown>): T {
  const own = object as Record<string, unknown>;
  const missing = Object.entries(defaults).filter(([key, value]) => isAbsent(own[key]) && value !== undefined);
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing) };
}

/** `object` with `member` replaced by `change` of it, when it is there. */
export function within<T extends object, K extends keyof T>(
  object: T,
  member: K,
  change: (value: NonNullable<T[K]>) => NonNullable<T[K]>,
): T {
  const value = object[member];
  if (isAbsent(value)) return object;
  const changed = change(value as NonNullable<T[K]>);
  return changed === value ? object : { ...object, [member]: changed };
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}
