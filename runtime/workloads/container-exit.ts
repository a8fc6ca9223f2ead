/**
 * What the end of a container means: its terminated state, and whether and when it runs again.
 * Source: kubernetes.io "Pod Lifecycle", Container restarts: the first restart is at once, then 10 s, doubling to
 * 300 s, forgotten after 10 minutes of running.
 */
import type { ContainerState } from '../../protocol/kubernetes.ts';
import type { ContainerRecord, ProcessExit } from './ports.ts';

export interface BackoffLimits {
  backoffMinMs: number;
  backoffMaxMs: number;
  /** A run of at least so long clears the back-off. */
  backoffResetMs: number;
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/**
 * Exit code of a child whose real one nobody saw, because its parent was an earlier runtime or the machine went down.
 * Its reason is `Unknown`, and it counts as failed.
 */
export const unknownExitCode = 255;

export interface ExitFacts {
  exit: ProcessExit;
  /** Wall clock. */
  nowMs: number;
  /** How long it ran, by the monotonic clock of this runtime's life. */
  ranMs: number;
  /** What it leaves to be told: its termination message, or the end of its log. */
  message: string;
  /** The kernel ended it for its memory. */
  oomKilled?: boolean;
}

/**
 * `policy`: restart by the pod's restart policy. `end`: it was asked to end and stays down. `pause`: the runtime is
 * going down and wants it back, unless its policy is Never. `asked`: a person on the spot wants it anew, whatever its
 * policy, and that is no failure. `lost`: it was found gone after a restart of the runtime
 * or the machine, which is no reason to make it wait.
 */
export type ExitCause = 'policy' | 'end' | 'pause' | 'asked' | 'lost';

/** The record of a container after its process ended. */
export function afterExit(
  record: ContainerRecord,
  facts: ExitFacts,
  cause: ExitCause,
  policy: RestartPolicy,
  limits: BackoffLimits,
): ContainerRecord {
  const terminated = terminatedState(record.state, facts);
  const { process: _gone, ...rest } = record;
  const ended: ContainerRecord = { ...rest, phase: 'exited', state: { terminated }, notBeforeMs: 0 };
  if (cause === 'end') return ended;
  const again: ContainerRecord = { ...ended, phase: 'waiting', lastState: { terminated } };
  if (cause === 'asked') return { ...again, backoffMs: 0 };
  if (!runsAgain(terminated.exitCode, policy) && !(cause === 'pause' && policy !== 'Never')) return ended;
  if (cause === 'pause' || cause === 'lost') return again;
  return delayed(again, facts.ranMs >= limits.backoffResetMs, facts.nowMs, limits);
}

/** The record of a container that has no process when a restart is asked for: it is due at once, its history stays. */
export function dueAgain(record: ContainerRecord): ContainerRecord {
  const due = { ...record, notBeforeMs: 0, backoffMs: 0 };
  if (record.phase !== 'exited') return due;
  return { ...due, phase: 'waiting', ...(record.state.terminated ? { lastState: record.state } : {}) };
}

/** The record of a container that could not be started; it is tried again with the same back-off as a crash. */
export function afterFailedStart(
  record: ContainerRecord,
  state: ContainerState,
  nowMs: number,
  limits: BackoffLimits,
): ContainerRecord {
  const { process: _gone, ...rest } = record;
  const pauseMs = Math.max(record.backoffMs, limits.backoffMinMs);
  return { ...rest, phase: 'waiting', state, notBeforeMs: nowMs + pauseMs, backoffMs: doubled(pauseMs, limits) };
}

function runsAgain(exitCode: number, policy: RestartPolicy): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function delayed(record: ContainerRecord, reset: boolean, nowMs: number, limits: BackoffLimits): ContainerRecord {
  const pauseMs = reset ? 0 : record.backoffMs;
  const next = { ...record, backoffMs: doubled(pauseMs, limits) };
  if (pauseMs === 0) return next;
  const message = `back-off ${Math.round(pauseMs / 1_000)}s restarting failed container ${record.name}`;
  return { ...next, notBeforeMs: nowMs + pauseMs, state: { waiting: { reason: 'CrashLoopBackOff', message } } };
}

function doubled(pauseMs: number, limits: BackoffLimits): number {
  return pauseMs === 0 ? limits.backoffMinMs : Math.min(pauseMs * 2, limits.backoffMaxMs);
}

function terminatedState(state: ContainerState, facts: ExitFacts): NonNullable<ContainerState['terminated']> {
  const { exit, nowMs, message, oomKilled } = facts;
  const unknown = exit.exitCode === undefined && exit.signal === undefined;
  const exitCode = unknown ? unknownExitCode : (exit.exitCode ?? 128 + exit.signal!);
  const startedAt = state.running?.startedAt;
  return {
    exitCode,
    ...(exit.signal === undefined ? {} : { signal: exit.signal }),
    reason: exitCode === 0 ? 'Completed' : oomKilled ? 'OOMKilled' : unknown ? 'Unknown' : 'Error',
    ...(message === '' ? {} : { message }),
    ...(startedAt === undefined ? {} : { startedAt }),
    finishedAt: rfc3339(nowMs),
  };
}

/** Kubernetes' timestamps carry whole seconds. */
export function rfc3339(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}
