/** Conditions of a status. The moment of a transition moves only when the status of the condition does. */
import type { Condition } from '../../protocol/kubernetes.ts';
import { timestampOf } from '../store/object-rules.ts';

export type Verdict = Pick<Condition, 'type' | 'status'> & { reason: string; message: string };

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** The list with `verdicts` put in by type; the very same list when they say nothing new. */
export function withConditions(
  conditions: readonly Condition[] | undefined,
  verdicts: readonly Verdict[],
  nowMs: number,
): readonly Condition[] {
  let list = conditions ?? [];
  for (const verdict of verdicts) list = withCondition(list, verdict, nowMs);
  return list;
}

function withCondition(list: readonly Condition[], verdict: Verdict, nowMs: number): readonly Condition[] {
  const current = findCondition(list, verdict.type);
  if (
    current?.status === verdict.status &&
    current.reason === verdict.reason &&
    (current.message ?? '') === verdict.message
  ) {
    return list;
  }
  const moved = current?.status !== verdict.status || current.lastTransitionTime === undefined;
  const lastTransitionTime = moved ? timestampOf(nowMs) : current.lastTransitionTime!;
  const next: Condition = { ...current, ...verdict, lastTransitionTime };
  return current === undefined ? [...list, next] : list.map((each) => (each === current ? next : each));
}
