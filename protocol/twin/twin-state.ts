/** What a node tells of a twin that it holds: the value of its coalesced state `twin/ID`. */
import { AppError } from '../errors.ts';
import type { Json, TwinMetadata } from '../kubernetes.ts';
import { limits } from '../limits.ts';
import { isMembers, type Members } from './merge.ts';
import { checkedSection, type Section } from './section.ts';

export interface TwinState {
  /** Of the Twin that the node holds. */
  uid: string;
  /** A version of desired that the hub's next one must be above, unless it is the hub's. */
  seen: number;
  reported: Section;
  /** A local write of desired that the hub has not dealt with. */
  desired?: SentEdit;
}

/** Frozen: the same number never means two edits. Without what is equal in base and mine. */
export interface SentEdit {
  number: number;
  base: Members;
  mine: Members;
  timeMs: number;
}

/** What the node shows while an edit is under way may be the hub's section and one of its own. */
const BASE_BYTES_MAX = 2 * limits.twinSectionBytesMax;

export const twinStateKey = (id: string): string => `twin/${id}`;

/** The twin's id of a state's key; undefined for the key of another state. */
export function twinOfStateKey(key: string): string | undefined {
  return key.startsWith('twin/') ? key.slice('twin/'.length) : undefined;
}

/** A state as it came over the wire, checked. Errors: `E_INPUT_INVALID`. */
export function readTwinState(value: Json): TwinState {
  const { uid, seen, reported, desired } = members(value, 'the state of the twin');
  if (typeof uid !== 'string' || uid === '') throw malformed('uid must be text');
  const { version, value: reportedValue = null, metadata } = members(reported, 'reported');
  const checked = checkedSection(reportedValue, 'reported');
  const state: TwinState = {
    uid,
    seen: count(seen, 'seen'),
    reported: {
      version: count(version, 'reported.version'),
      value: checked,
      metadata: checkedMetadata(metadata, checked),
    },
  };
  if (desired === undefined || desired === null) return state;
  const { number, base = null, mine = null, timeMs } = members(desired, 'desired');
  state.desired = {
    number: count(number, 'desired.number'),
    base: checkedSection(base, 'desired.base', BASE_BYTES_MAX),
    mine: checkedSection(mine, 'desired.mine'),
    timeMs: count(timeMs, 'desired.timeMs'),
  };
  return state;
}

function members(value: Json | undefined, what: string): Partial<Members> {
  if (!isMembers(value)) throw malformed(`${what} must be an object`);
  return value;
}

function count(value: Json | undefined, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`${what} must be a whole number from 0`);
  return value as number;
}

/** A time for each member of `value`, and no others: so it is bounded as the value is. */
function checkedMetadata(metadata: Json | undefined, value: Json): TwinMetadata {
  if (!isMembers(value)) return count(metadata, 'reported.metadata of a leaf');
  const times = members(metadata, 'reported.metadata of an object');
  const entries = Object.entries(value).map(([key, each]): [string, TwinMetadata] => {
    return [key, checkedMetadata(Object.hasOwn(times, key) ? times[key] : undefined, each)];
  });
  return Object.fromEntries([['', count(times[''], "reported.metadata of an object, under ''")], ...entries]);
}

function malformed(fault: string): AppError {
  return new AppError('E_INPUT_INVALID', `The state of a twin cannot be understood: ${fault}.`);
}
