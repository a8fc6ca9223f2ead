/** What became of an action: the data of the event that its node tells, exactly once, of the type `stile.action`. */
import { AppError } from '../errors.ts';
import type { ActionStatus, Json } from '../kubernetes.ts';
import { isMembers, type Members } from './merge.ts';

export const ACTION_EVENT = 'stile.action';

export interface ActionResult {
  /** Of the Action. */
  uid: string;
  status: ActionStatus;
}

/** Nothing becomes of an action after one of these. */
export const finalPhases: ReadonlySet<ActionStatus['phase']> = new Set(['Completed', 'Failed', 'Expired', 'Unknown']);

const phases: readonly ActionStatus['phase'][] = ['Pending', 'Running', ...finalPhases];

/** As it came over the wire, checked. Errors: `E_INPUT_INVALID`. */
export function readActionResult(data: Json): ActionResult {
  const { uid, status } = membersOf(data, 'the event');
  const { phase, output, error, startTime, completionTime } = membersOf(status, 'status');
  if (!phases.includes(phase as ActionStatus['phase'])) throw malformed(`status.phase is one of ${phases.join(', ')}`);
  return {
    uid: text(uid, 'uid'),
    status: {
      phase: phase as ActionStatus['phase'],
      ...(output === undefined || output === null ? {} : { output }),
      ...(error === undefined || error === null ? {} : { error: faultOf(error) }),
      ...(startTime === undefined ? {} : { startTime: text(startTime, 'status.startTime') }),
      ...(completionTime === undefined ? {} : { completionTime: text(completionTime, 'status.completionTime') }),
    },
  };
}

function faultOf(error: Json): { code: string; message: string } {
  const { code, message } = membersOf(error, 'status.error');
  // A driver may have nothing to say, and its action is over all the same.
  return { code: text(code, 'status.error.code'), message: typeof message === 'string' ? message : '' };
}

function membersOf(value: Json | undefined, what: string): Partial<Members> {
  if (!isMembers(value)) throw malformed(`${what} is an object`);
  return value;
}

function text(value: Json | undefined, what: string): string {
  if (typeof value !== 'string' || value === '') throw malformed(`${what} is a text`);
  return value;
}

function malformed(fault: string): AppError {
  return new AppError('E_INPUT_INVALID', `The result of an action cannot be understood: ${fault}.`);
}
