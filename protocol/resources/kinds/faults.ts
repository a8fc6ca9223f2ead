/** Field faults in the words of the Kubernetes API, so that kubectl's users read what they know. */
import { isDeepStrictEqual } from 'node:util';

/** A fault in a field, as in a Status's `details.causes`. */
export interface FieldFault {
  /** e.g. `spec.type` */
  field: string;
  reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate';
  message: string;
}

export function invalid(field: string, value: unknown, what: string): FieldFault {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: ${what}` };
}

export function required(field: string, what?: string): FieldFault {
  return { field, reason: 'FieldValueRequired', message: what ? `Required value: ${what}` : 'Required value' };
}

export function forbidden(field: string, what: string): FieldFault {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${what}` };
}

export function unsupported(field: string, value: unknown, supported: readonly string[]): FieldFault {
  const values = supported.map((word) => JSON.stringify(word)).join(', ');
  return {
    field,
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${values}`,
  };
}

export function duplicate(field: string, value: unknown, what?: string): FieldFault {
  const message = `Duplicate value: ${JSON.stringify(value)}${what ? `: ${what}` : ''}`;
  return { field, reason: 'FieldValueDuplicate', message };
}

/** A fault when `next` differs from `previous`; absent and null are the same. */
export function immutable(field: string, next: unknown, previous: unknown): FieldFault[] {
  return isDeepStrictEqual(next ?? null, previous ?? null) ? [] : [invalid(field, next, 'field is immutable')];
}

/** A fault when `value` is given and not one of `supported`. */
export function oneOf(field: string, value: unknown, supported: readonly string[]): FieldFault[] {
  return value === undefined || value === null || supported.includes(value as string)
    ? []
    : [unsupported(field, value, supported)];
}

/** A fault when `value` is given and not an integer of at least `min`. */
export function atLeast(field: string, value: unknown, min: number): FieldFault[] {
  if (value === undefined || value === null || (Number.isInteger(value) && (value as number) >= min)) return [];
  return [invalid(field, value, `must be an integer greater than or equal to ${min}`)];
}
