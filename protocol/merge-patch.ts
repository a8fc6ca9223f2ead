/** JSON merge patch, RFC 7396. */
import type { Json } from './kubernetes.ts';

/** The media type of RFC 7396, section 4. */
export const mergePatchMediaType = 'application/merge-patch+json';

/**
 * `target` with `patch` applied (RFC 7396, section 2): members merge, null removes, everything else replaces, arrays
 * included. Neither argument is changed; untouched parts of `target` are shared with the result.
 */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, Json>(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch))
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  // `fromEntries` defines own members, so that a member called `__proto__` stays data.
  return Object.fromEntries(merged);
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
