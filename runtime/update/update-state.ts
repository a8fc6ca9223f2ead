/** The state of updates as text. Pure. Versions of years apart read it: members are added, never changed or removed. */
import type { Outcome, Starts, Trial, UpdateState, Version } from './decision.ts';
import { isVersion } from './version-order.ts';

/** Of a terminal that was never updated. */
export function firstState(version: string): UpdateState {
  return { format: 1, floor: version, launcher: version, active: null, trial: null, last: null };
}

/** Undefined for what is none, or of a format of later. */
export function parseState(text: string): UpdateState | undefined {
  const value = parsed(text);
  if (value?.format !== 1 || !isVersion(String(value.floor)) || !isVersion(String(value.launcher))) return undefined;
  const [active, trial, last] = [value.active ?? null, value.trial ?? null, value.last ?? null];
  if (active !== null && !isVersionRow(active)) return undefined;
  if (trial !== null && !isTrial(trial)) return undefined;
  if (last !== null && !isOutcome(last)) return undefined;
  return { format: 1, floor: String(value.floor), launcher: String(value.launcher), active, trial, last };
}

/** Undefined for what is none. */
export function parseStarts(text: string): Starts | undefined {
  const value = parsed(text);
  if (!isDigest(value?.digest) || !isCount(value.count)) return undefined;
  return { digest: value.digest, count: value.count };
}

type Members = Record<string, unknown>;

function parsed(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return membersOf(value);
  } catch {
    return undefined;
  }
}

function membersOf(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined;
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isVersionRow(value: unknown): value is Version {
  const { digest, version, bytes } = membersOf(value) ?? {};
  return isDigest(digest) && typeof version === 'string' && isVersion(version) && isCount(bytes);
}

function isTrial(value: unknown): value is Trial {
  if (!isVersionRow(value)) return false;
  const { settleMs, graceMs, hubNeeded, downgrade } = value as Partial<Trial>;
  return isCount(settleMs) && isCount(graceMs) && typeof hubNeeded === 'boolean' && typeof downgrade === 'boolean';
}

function isOutcome(value: unknown): value is Outcome {
  const { digest, version, result, reason, timeMs, told } = membersOf(value) ?? {};
  const isResult = result === 'confirmed' || result === 'rolled-back' || result === 'superseded';
  return (
    isDigest(digest) &&
    typeof version === 'string' &&
    isResult &&
    typeof reason === 'string' &&
    isCount(timeMs) &&
    typeof told === 'boolean'
  );
}
