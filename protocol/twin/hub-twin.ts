/**
 * The hub's side of a twin: which Twin follows from what a node tells, and from a change that somebody made at the
 * hub. Pure and idempotent; the caller stores what comes out under the usual check of the revision.
 */
import { type Json, keys, type Twin, type TwinConflict, type TwinStatus } from '../kubernetes.ts';
import { limits } from '../limits.ts';
import { conflictsOf, diff, type Members, mergeThreeWay, sameJson, type Winner } from './merge.ts';
import { changedSection, checkedSection, type Section, wholeMs } from './section.ts';
import type { SentEdit, TwinState } from './twin-state.ts';

/** Of a lost value that a conflict keeps, in JSON. */
const LOST_BYTES_MAX = 1_024;

/**
 * `twin` with what its node told; undefined when nothing changes. `state` undefined: the node holds the twin no more,
 * which ends a deletion. `nodeEpoch`: from the node's hello. The caller has checked that the twin is this node's.
 */
export function twinStateArrived(
  twin: Twin,
  state: TwinState | undefined,
  nodeEpoch: string,
  nowMs: number,
): Twin | undefined {
  if (state === undefined) return toldGone(twin);
  if (state.uid !== twin.metadata.uid || twin.metadata.deletionTimestamp !== undefined) return undefined;
  const reported = withReported(twin.status ?? emptyStatus(nowMs), state.reported, nodeEpoch);
  const lifted = withSeen(reported, state.seen);
  const next = withEdit({ ...twin, status: lifted }, state.desired, nowMs);
  return sameJson(next as unknown as Json, twin as unknown as Json) ? undefined : next;
}

/**
 * `next` as it is to be stored, given the Twin that is there: the version and times of desired are counted here, the
 * rest of the status is as it was. Errors: `E_INPUT_INVALID` naming the path in desired.
 */
export function desiredChanged(previous: Twin | undefined, next: Twin, nowMs: number): Twin {
  const value = checkedSection(next.spec.desired, 'spec.desired');
  const status = previous?.status ?? emptyStatus(nowMs);
  const before = { ...status.desired, value: previous?.spec.desired ?? {} };
  const { version, metadata } =
    previous?.status === undefined && sameJson(value, {})
      ? { ...before, version: 1 }
      : changedSection(before, value, nowMs);
  return { ...next, spec: { ...next.spec, desired: value }, status: { ...status, desired: { version, metadata } } };
}

const emptyStatus = (nowMs: number): TwinStatus => ({
  desired: { version: 0, metadata: { '': wholeMs(nowMs) } },
  applied: 0,
});

function toldGone(twin: Twin): Twin | undefined {
  const { deletionTimestamp, finalizers = [] } = twin.metadata;
  if (deletionTimestamp === undefined || !finalizers.includes(keys.nodeTold)) return undefined;
  return { ...twin, metadata: { ...twin.metadata, finalizers: finalizers.filter((each) => each !== keys.nodeTold) } };
}

/**
 * The node counts versions of reported. One that is not above ours and says something else is of a node that does not
 * know what it told: its store or ours was put back, or a twin that it had dropped came back. It is told what to go on
 * from, and is taken when it has. Harmless for a word that is only late: the node is above that already, or goes on.
 */
function withReported(status: TwinStatus, told: Section, epoch: string): TwinStatus {
  const { reported, floor: _, ...rest } = status;
  if (reported === undefined || told.version > reported.version)
    return { ...rest, reported: { version: told.version, epoch, value: told.value, metadata: told.metadata } };
  const { epoch: _epoch, ...held } = reported;
  const same = sameJson(told as unknown as Json, held as unknown as Json);
  if (same && epoch === reported.epoch) return status;
  return same ? { ...rest, reported: { ...reported, epoch } } : { ...status, floor: held };
}

/** The node has seen a version that we never gave out: our store was put back. What we hold is a new version. */
function withSeen(status: TwinStatus, seen: number): TwinStatus {
  if (seen <= status.desired.version) return status;
  return { ...status, desired: { ...status.desired, version: seen + 1 } };
}

function withEdit(twin: Twin & { status: TwinStatus }, edit: SentEdit | undefined, nowMs: number): Twin {
  const { spec, status } = twin;
  if (edit === undefined || edit.number <= status.applied) return twin;
  const winner: Winner = spec.managed === false ? 'mine' : 'theirs';
  const timeMs = Math.min(edit.timeMs, wholeMs(nowMs));
  const merged = mergeThreeWay(edit, spec.desired, winner);
  if (!isWithinLimits(merged)) {
    const lost = diff(edit.base, edit.mine);
    return { ...twin, status: withConflicts({ ...status, applied: edit.number }, [lostWrite(lost, timeMs)]) };
  }
  const { version, metadata } = changedSection({ ...status.desired, value: spec.desired }, merged, timeMs);
  const conflicts = conflictsOf(edit, spec.desired, winner).map(({ path, lost }) =>
    conflict(path.join('.'), winner === 'theirs' ? 'hub' : 'node', lost, timeMs),
  );
  const next = { ...status, desired: { version, metadata }, applied: edit.number };
  return { ...twin, spec: { ...spec, desired: merged }, status: withConflicts(next, conflicts) };
}

/** Two edits that are each within the limits need not be so together. */
function isWithinLimits(merged: Members): boolean {
  try {
    checkedSection(merged, 'spec.desired');
    return true;
  } catch {
    return false;
  }
}

const lostWrite = (lost: Members, timeMs: number): TwinConflict => conflict('', 'hub', lost, timeMs);

function conflict(path: string, winner: 'hub' | 'node', lost: Json | undefined, timeMs: number): TwinConflict {
  const kept = lost !== undefined && Buffer.byteLength(JSON.stringify(lost)) <= LOST_BYTES_MAX;
  return { path, winner, ...(kept ? { lost } : {}), time: new Date(timeMs).toISOString() };
}

function withConflicts(status: TwinStatus, conflicts: readonly TwinConflict[]): TwinStatus {
  if (conflicts.length === 0) return status;
  return { ...status, conflicts: [...(status.conflicts ?? []), ...conflicts].slice(-limits.twinConflictsMax) };
}
