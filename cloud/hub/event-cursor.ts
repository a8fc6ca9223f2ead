/**
 * Where a consumer of events stands: a place in the hub's own order, and the life of the hub's store in which that
 * place was told. A restored store gives places out again, so a cursor of the life before means something only up to
 * where the backup was taken. Pure.
 */
import { AppError } from '../../protocol/errors.ts';

export interface RestoredFrom {
  /** Of the store that the backup was taken of. */
  incarnation: string;
  /** Its last event in the backup. */
  cursor: number;
}

const SHOWN_DIGITS = 12;
export const EVENTS_FROM_THE_START = 0;

export function formatCursor(incarnation: string, place: number): string {
  return `${place}-${incarnation.slice(0, SHOWN_DIGITS)}`;
}

/**
 * The place that `text` means in this store. Errors: `E_INPUT_INVALID`; `E_REVISION_EXPIRED` for one that a lost life
 * of the store told, with `details.resume`: where to go on, and what then comes again has the same node, epoch and seq.
 */
export function parseCursor(text: string, incarnation: string, restoredFrom: RestoredFrom | undefined): number {
  const [, digits, life] = /^(\d{1,15})(?:-([0-9a-f]{1,12}))?$/.exec(text) ?? [];
  if (digits === undefined)
    throw new AppError('E_INPUT_INVALID', `after is a cursor that the hub told, not ${JSON.stringify(text)}`);
  const place = Number(digits);
  if (place === EVENTS_FROM_THE_START || life === incarnation.slice(0, SHOWN_DIGITS)) return place;
  if (life === undefined) throw new AppError('E_INPUT_INVALID', `after is a cursor as the hub told it, not ${text}`);
  const shared = life === restoredFrom?.incarnation.slice(0, SHOWN_DIGITS) ? restoredFrom.cursor : 0;
  if (place <= shared) return place;
  const message =
    'the hub was restored from a backup that is older than this cursor: go on at details.resume, and skip what you have by node, epoch and seq';
  throw new AppError('E_REVISION_EXPIRED', message, { details: { resume: formatCursor(incarnation, shared) } });
}
