/**
 * One invocation of an action, and what becomes of it. Pure.
 *
 *   (asked) --durable--> Running --result--> Completed, Failed
 *      |                    \------crash, stop------> Unknown: it may have happened, and is not tried again
 *      +--too late--> Expired
 *      +--asked of a store that this one replaced--> Unknown
 */
import { AppError, codeOf, errorBody } from '../../protocol/errors.ts';
import type { Action, ActionStatus, Json } from '../../protocol/kubernetes.ts';
import { ACTION_EVENT, finalPhases } from '../../protocol/twin/action-result.ts';
import { eventFault } from '../store/event-fault.ts';
import type { NewEvent } from '../store/node-store.ts';

export interface ActionRecord {
  /** Of the hub's Action its uid; random for one that was asked for here. */
  id: string;
  from: 'hub' | 'local';
  twin: string;
  name: string;
  input?: Json;
  acceptedMs: number;
  /** It is not begun after it, and remembered until then. */
  expiresMs: number;
  /** The caller's own name for it: asked for again, it is this one. */
  key?: string;
  status: ActionStatus;
}

/** How a driver came through with it. */
export type Outcome = { output: Json | undefined } | { error: unknown };

/** Of an input, and of an output, as JSON. */
export const ACTION_VALUE_BYTES_MAX = 8 * 1024;
/** UTF-16 units of what a driver says of a failure. */
const ERROR_CHARACTERS_MAX = 1_024;
/** Nobody waits longer for an action to begin, and for so long a local one is remembered. */
export const ACTION_LIFE_MS_MAX = 24 * 3_600_000;

export function isFinal({ phase }: ActionStatus): boolean {
  return finalPhases.has(phase);
}

/**
 * An Action of the hub that this store knows nothing of. Its phase is `Pending` when it may begin.
 * `nowMs`: a time that has certainly come. `epoch`: of this store.
 */
export function arrivedAction({ metadata, spec }: Action, epoch: string, nowMs: number): ActionRecord {
  const asked = Date.parse(spec.expiresTime);
  const expiresMs = Math.min(Number.isNaN(asked) ? 0 : asked, nowMs + ACTION_LIFE_MS_MAX);
  const { twin, name, input } = spec;
  const record: ActionRecord = {
    id: metadata.uid ?? metadata.name,
    from: 'hub',
    twin,
    name,
    ...(input === undefined ? {} : { input }),
    acceptedMs: nowMs,
    expiresMs,
    status: { phase: 'Pending' },
  };
  if (spec.nodeEpoch !== epoch)
    return ended(record, 'Unknown', nowMs, {
      code: 'E_CONFLICT',
      message: 'the store of this terminal was replaced since it was asked for: whether it happened is not known',
    });
  if (nowMs <= expiresMs) return record;
  return ended(record, 'Expired', nowMs, { code: 'E_TIMEOUT', message: 'it came to the terminal after its time' });
}

export function begun(record: ActionRecord, nowMs: number): ActionRecord {
  return { ...record, status: { phase: 'Running', startTime: timeOf(nowMs) } };
}

/** What the driver made of it. That it was cancelled does not say that nothing happened. */
export function settled(record: ActionRecord, outcome: Outcome, nowMs: number): ActionRecord {
  if ('error' in outcome) {
    const { code, message } = errorBody(outcome.error);
    const cut = codeOf(outcome.error) === 'E_CANCELLED' || codeOf(outcome.error) === 'E_TIMEOUT';
    const shown = message.toWellFormed().slice(0, ERROR_CHARACTERS_MAX);
    return ended(record, cut ? 'Unknown' : 'Failed', nowMs, { code, message: shown });
  }
  const done = ended(record, 'Completed', nowMs);
  const { output } = outcome;
  if (output === undefined) return done;
  const told: ActionRecord = { ...done, status: { ...done.status, output } };
  // The action happened: an answer that is too long, or that no event could carry, is left out, not held against it.
  const isFit = eventFault(actionEvent(told)) === undefined && sizeBytes(output) <= ACTION_VALUE_BYTES_MAX;
  return isFit ? told : done;
}

/** What the hub is told of an action. */
export function actionEvent({ id, status }: ActionRecord): NewEvent {
  return { type: ACTION_EVENT, data: { uid: id, status: status as unknown as Json } };
}

/** A record as the next life of the program finds it. */
export function afterCrash(record: ActionRecord, nowMs: number): ActionRecord {
  if (isFinal(record.status)) return record;
  return ended(record, 'Unknown', nowMs, {
    code: 'E_CANCELLED',
    message: 'the terminal stopped while it ran: whether it happened is not known',
  });
}

/**
 * What can be forgotten so that there is room for one more among `countMax`: what is over and past its time, and where
 * that does not do the oldest local ones. `wanted`: ids that the hub still asks for; forgotten, they would run again.
 */
export function forgettable(
  records: Iterable<ActionRecord>,
  { wanted, nowMs, countMax }: { wanted: ReadonlySet<string>; nowMs: number; countMax: number },
): string[] {
  const over = [...records];
  const old = over.filter(({ id, status, expiresMs }) => isFinal(status) && expiresMs < nowMs && !wanted.has(id));
  const excess = over.length - old.length - (countMax - 1);
  const local = over.filter((record) => record.from === 'local' && isFinal(record.status) && !old.includes(record));
  return [...old, ...local.slice(0, Math.max(0, excess))].map(({ id }) => id);
}

/** Errors: `E_INPUT_INVALID`. */
export function checkInputSize(input: Json | undefined): void {
  if (input !== undefined && sizeBytes(input) > ACTION_VALUE_BYTES_MAX)
    throw new AppError('E_INPUT_INVALID', `the input of an action has at most ${ACTION_VALUE_BYTES_MAX} bytes of JSON`);
}

function ended(
  record: ActionRecord,
  phase: ActionStatus['phase'],
  nowMs: number,
  error?: { code: string; message: string },
): ActionRecord {
  const { startTime } = record.status;
  const times = { ...(startTime === undefined ? {} : { startTime }), completionTime: timeOf(nowMs) };
  return { ...record, status: { phase, ...times, ...(error === undefined ? {} : { error }) } };
}

const sizeBytes = (value: Json): number => Buffer.byteLength(JSON.stringify(value));

const timeOf = (ms: number): string => new Date(ms).toISOString();
