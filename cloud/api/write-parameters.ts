/** Query parameters of writes and deletes, checked at the door. Sources: the meta/v1 *Options types. */
import { wrongOption } from '../../protocol/resources/api/parameters.ts';
import { writeBounds } from './write-bounds.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** `dryRun`, given as a parameter or in delete options. */
export function isDryRun(values: readonly unknown[]): boolean {
  for (const value of values)
    if (value !== 'All') throw wrongOption(`dryRun must be "All", not ${JSON.stringify(value)}`);
  return values.length > 0;
}

/**
 * The name by which the writer owns fields. One that gives none is called by its program: `kubectl` of
 * `kubectl/v1.32.1 (linux/arm64)`. As upstream.
 */
export function fieldManagerOf(query: URLSearchParams, userAgent: string): string {
  const given = query.get('fieldManager');
  const { fieldManagerChars } = writeBounds;
  if (!given) return /^[\x20-\x2e\x30-\x7e]*/.exec(userAgent)![0].slice(0, fieldManagerChars) || 'unknown';
  if (given.length > fieldManagerChars)
    throw wrongOption(`fieldManager may not be longer than ${fieldManagerChars} characters`);
  if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(given))
    throw wrongOption('fieldManager may only have printable characters');
  return given;
}

/** `force`, which only an apply may say. */
export function isForced(query: URLSearchParams): boolean {
  const value = query.get('force');
  if (value === null || value === '' || value === 'false') return false;
  if (value === 'true') return true;
  throw wrongOption(`force must be true or false, not ${JSON.stringify(value)}`);
}

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw wrongOption(`fieldValidation must be Ignore, Warn or Strict, not ${JSON.stringify(value)}`);
}
