/** Query parameters of writes and deletes, checked at the door. Sources: the meta/v1 *Options types. */
import { wrongOption } from '../../protocol/resources/api/parameters.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** `dryRun`, given as a parameter or in delete options. */
export function isDryRun(values: readonly unknown[]): boolean {
  for (const value of values)
    if (value !== 'All') throw wrongOption(`dryRun must be "All", not ${JSON.stringify(value)}`);
  return values.length > 0;
}

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw wrongOption(`fieldValidation must be Ignore, Warn or Strict, not ${JSON.stringify(value)}`);
}
