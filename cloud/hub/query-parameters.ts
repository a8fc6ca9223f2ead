/** Parameters of the hub's own queries, checked at the door. */
import { AppError } from '../../protocol/errors.ts';

/** A count, at most `max`; `otherwise` when it is absent. Errors: `E_INPUT_INVALID`. */
export function whole(parameters: URLSearchParams, name: string, otherwise: number, max: number): number {
  const text = parameters.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text))
    throw new AppError('E_INPUT_INVALID', `${name} is a whole number, not ${JSON.stringify(text)}`);
  return Math.min(max, Number(text));
}

/** Milliseconds since 1970 of an RFC 3339 time. Errors: `E_INPUT_INVALID`. */
export function instant(text: string): number {
  const ms = Date.parse(text);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || Number.isNaN(ms))
    throw new AppError('E_INPUT_INVALID', `since is a time such as 2026-11-23T14:00:00Z, not ${JSON.stringify(text)}`);
  return ms;
}
