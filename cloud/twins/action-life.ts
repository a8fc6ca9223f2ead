/** An Action from being asked for to being forgotten: pure. */
import type { Action, ActionStatus } from '../../protocol/kubernetes.ts';
import { type ActionResult, finalPhases } from '../../protocol/twin/action-result.ts';
import type { Outcome } from '../controllers/step.ts';
import { ACTION_LIFE_MS_MAX, actionKind } from '../kinds/twin.ts';
import { timestampOf } from '../store/object-rules.ts';

/** The word of a node that began just in time is waited for so long before the hub calls an action expired. */
export const ACTION_ANSWER_MS = 10_000;
/** People and programs find the result of an action for so long. */
export const ACTION_KEPT_MS = 3_600_000;

/** The action with what its node told; undefined: nothing new, or not of this action. */
export function actionTold(action: Action, { uid, status }: ActionResult, nowMs: number): Action | undefined {
  const before = action.status?.phase ?? 'Pending';
  // The hub calls an action expired that it heard nothing of; the node may have done it all the same.
  if (uid !== action.metadata.uid || (finalPhases.has(before) && before !== 'Expired')) return undefined;
  if (before === status.phase || (before === 'Expired' && !finalPhases.has(status.phase))) return undefined;
  return { ...action, status: withinLife(action, status, nowMs) };
}

/** Expires what was not begun in time, forgets what is over. */
export function reconcileAction(action: Action, nowMs: number): Outcome {
  if (action.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const { status } = action;
  const expiresMs = Date.parse(action.spec.expiresTime);
  if (finalPhases.has(status?.phase ?? 'Pending')) {
    const endMs = status?.completionTime === undefined ? expiresMs : Date.parse(status.completionTime);
    return when(endMs + ACTION_KEPT_MS, nowMs, { steps: [{ do: 'delete', kind: actionKind, object: action }] });
  }
  const running = status?.phase === 'Running';
  // What runs may take long; a node that is gone for good would leave it running for ever.
  const endMs = expiresMs + (running ? ACTION_LIFE_MS_MAX : ACTION_ANSWER_MS);
  const end: ActionStatus = {
    ...status,
    phase: running ? 'Unknown' : 'Expired',
    error: {
      code: 'E_TIMEOUT',
      message: running ? 'The node never told how it ended.' : 'The node did not tell that it began in time.',
    },
    completionTime: timestampOf(nowMs),
  };
  const object: Action = { ...action, status: end };
  return when(endMs, nowMs, { steps: [{ do: 'updateStatus', kind: actionKind, object }] });
}

function when(dueMs: number, nowMs: number, outcome: Outcome): Outcome {
  return nowMs >= dueMs ? outcome : { steps: [], lookAgainMs: dueMs - nowMs };
}

/** The clock of a terminal may be anything; what it says counts within the time that the action can have taken. */
function withinLife(action: Action, status: ActionStatus, nowMs: number): ActionStatus {
  const bornMs = Date.parse(action.metadata.creationTimestamp ?? '');
  const clamped = (time: string | undefined) => {
    const ms = Date.parse(time ?? '');
    return ms >= bornMs && ms <= nowMs ? time! : timestampOf(nowMs);
  };
  const { startTime, completionTime, ...rest } = status;
  return {
    ...rest,
    ...(startTime === undefined ? {} : { startTime: clamped(startTime) }),
    ...(finalPhases.has(status.phase) ? { completionTime: clamped(completionTime) } : {}),
  };
}
