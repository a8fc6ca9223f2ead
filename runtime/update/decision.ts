/**
 * Which version a start runs, and what becomes of one on trial. The executable that the service starts never changes:
 * it is the launcher, decides here, and becomes the chosen version, or goes on as it is. Pure.
 *
 *   none --order--> trial --healthy--> active --order--> trial …
 *                     |                  ^
 *                     +--rolled back--> what ran before it
 *
 * Whatever a version does, the decision is made by code that worked before. So a trial is counted, durably, before it
 * is started, and ends after `TRIAL_STARTS_MAX` starts: neither a crash nor a power cut can make it start for ever.
 */
import { compareVersions, newerVersion } from './version-order.ts';

/** An executable in the directory of versions, by what it is. */
export interface Version {
  /** SHA-256, 64 hexadecimal digits. */
  digest: string;
  version: string;
  bytes: number;
}

export interface Trial extends Version {
  /** Running for so long, with its pods back, it is healthy. */
  settleMs: number;
  /** So much longer it may take to be healthy. */
  graceMs: number;
  /** The version before had a session with the hub: this one must have one too. */
  hubNeeded: boolean;
  /** Somebody asked for an older version. */
  downgrade: boolean;
}

export interface Outcome {
  digest: string;
  version: string;
  result: 'confirmed' | 'rolled-back' | 'superseded';
  /** One sentence. */
  reason: string;
  /** Wall clock. */
  timeMs: number;
  /** The operator has been told, durably. */
  told: boolean;
}

export interface UpdateState {
  format: 1;
  /** The highest version that worked here, unless somebody asked for an older one: nothing below it is taken. */
  floor: string;
  /** Version of the launcher when the last update was ordered: a newer launcher was installed on purpose. */
  launcher: string;
  /** What runs instead of the launcher. */
  active: Version | null;
  trial: Trial | null;
  last: Outcome | null;
}

/** Starts of a version since it was last healthy. */
export interface Starts {
  digest: string;
  count: number;
}

export const TRIAL_STARTS_MAX = 3;
/** Starts of an active version after which its file is looked through. */
const ACTIVE_STARTS_TRUSTED = 3;

export interface StartFacts {
  launcherVersion: string;
  starts: Starts | undefined;
  /** Digest of a version that was ended for not becoming healthy in time. */
  overdue: string | undefined;
  /** Whether its file is there, whole as far as anybody looked. */
  usable(version: Version): boolean;
  /** Starts can be counted: the disk takes it. */
  countable: boolean;
  nowMs: number;
}

export interface StartDecision {
  /** Undefined: the launcher itself goes on. */
  run: Version | undefined;
  /** To be compared with its digest first; if that fails, it is not usable and the decision is taken again. */
  verify: boolean;
  /** To be written first. */
  starts: Starts | undefined;
  /** On trial: to be ended when it is not healthy after so long. */
  deadlineMs: number | undefined;
  /** To be written first where it differs from what was given. */
  state: UpdateState;
}

export function decideStart(given: UpdateState, facts: StartFacts): StartDecision {
  const state = afterFailures(given, facts);
  const count = (version: Version) => (facts.starts?.digest === version.digest ? facts.starts.count : 0);
  const { trial, active } = state;
  if (trial !== null && facts.countable)
    return {
      run: trial,
      verify: true,
      starts: { digest: trial.digest, count: count(trial) + 1 },
      deadlineMs: deadlineMsOf(trial),
      state,
    };
  if (active === null) return { run: undefined, verify: false, starts: undefined, deadlineMs: undefined, state };
  const before = count(active);
  const starts = { digest: active.digest, count: Math.min(before, ACTIVE_STARTS_TRUSTED) + 1 };
  // One that never settles may have a damaged file; looking each time would cost seconds on slow flash.
  return { run: active, verify: before >= ACTIVE_STARTS_TRUSTED, starts, deadlineMs: undefined, state };
}

/** From the start of a trial until somebody else ends it: twice what it was given, for it should end itself. */
export function deadlineMsOf({ settleMs, graceMs }: Trial): number {
  return 2 * (settleMs + graceMs);
}

function afterFailures(given: UpdateState, facts: StartFacts): UpdateState {
  let state = given;
  const { launcherVersion: own, nowMs } = facts;
  const isNewer = (version: Version | null) => version === null || compareVersions(own, version.version) > 0;
  if (compareVersions(own, state.launcher) > 0) {
    const replaced = state.trial ?? state.active;
    if (replaced !== null && isNewer(state.trial) && isNewer(state.active)) {
      const reason = `${own} was installed as the program of the service, which is newer`;
      return {
        ...outcome(state, replaced, 'superseded', reason, nowMs),
        launcher: own,
        floor: newerVersion(state.floor, own),
        trial: null,
        active: null,
      };
    }
  }
  if (state.trial !== null) {
    const failure = trialFailure(state.trial, facts);
    if (failure !== undefined) state = rolledBack(state, failure, nowMs);
  }
  if (state.active !== null && !facts.usable(state.active)) {
    const reason = `its file is missing or damaged; ${own}, the program of the service, goes on in its place`;
    state = { ...outcome(state, state.active, 'rolled-back', reason, nowMs), active: null };
  }
  return state;
}

function trialFailure(trial: Trial, { starts, overdue, usable }: StartFacts): string | undefined {
  if (!usable(trial)) return 'its file is missing or damaged';
  if (overdue === trial.digest) return `it was not healthy within ${deadlineMsOf(trial) / 1_000} s and did not say why`;
  if (starts?.digest === trial.digest && starts.count >= TRIAL_STARTS_MAX)
    return `it was started ${starts.count} times and ended each time before it was healthy`;
  return undefined;
}

/** A version is to be tried at the next start. */
export function ordered(state: UpdateState, trial: Trial, launcher: string): UpdateState {
  return { ...state, launcher, trial };
}

/** The trial failed; what ran before it goes on. Nothing changes without a trial. */
export function rolledBack(state: UpdateState, reason: string, nowMs: number): UpdateState {
  return state.trial === null ? state : { ...outcome(state, state.trial, 'rolled-back', reason, nowMs), trial: null };
}

/** The trial is healthy and stays. Nothing changes without a trial. */
export function confirmed(state: UpdateState, nowMs: number): UpdateState {
  if (state.trial === null) return state;
  const { digest, version, bytes, downgrade, hubNeeded } = state.trial;
  const hub = hubNeeded ? 'reached the hub' : 'had no hub to reach, as the version before it';
  const reason = `it ran, had its pods back and ${hub}`;
  return {
    ...outcome(state, state.trial, 'confirmed', reason, nowMs),
    floor: downgrade ? version : newerVersion(state.floor, version),
    active: { digest, version, bytes },
    trial: null,
  };
}

function outcome(
  state: UpdateState,
  { digest, version }: Version,
  result: Outcome['result'],
  reason: string,
  nowMs: number,
): UpdateState {
  return { ...state, last: { digest, version, result, reason, timeMs: Math.max(0, Math.floor(nowMs)), told: false } };
}

export interface TrialFacts {
  /** Since the program started. */
  ranMs: number;
  podsBack: boolean;
  /** A session with the hub was live at some time since the start. */
  hubSeen: boolean;
}

/** Undefined: it is too early to say. */
export function judgeTrial(
  { settleMs, graceMs, hubNeeded }: Trial,
  { ranMs, podsBack, hubSeen }: TrialFacts,
): { healthy: true } | { healthy: false; reason: string } | undefined {
  const isWell = podsBack && (hubSeen || !hubNeeded);
  if (isWell && ranMs >= settleMs) return { healthy: true };
  if (ranMs < settleMs + graceMs) return undefined;
  const seconds = Math.round(ranMs / 1_000);
  const reason = podsBack
    ? `it had no session with the hub in ${seconds} s, and the version before it had one when it was replaced; if the hub was away for everybody, order it again`
    : `it did not bring the pods back in ${seconds} s`;
  return { healthy: false, reason };
}
