/**
 * One section of a twin, `desired` or `reported`: its value, its version and when its members changed. The limits are
 * those of the Azure IoT twin (learn.microsoft.com/azure/iot-hub/iot-hub-devguide-device-twins).
 */
import { AppError } from '../errors.ts';
import type { Json, TwinMetadata } from '../kubernetes.ts';
import { limits } from '../limits.ts';
import { isMembers, type Members, sameJson } from './merge.ts';

export interface Section {
  /** Assigned by the owner: the hub for desired, the node for reported. Never goes back. */
  version: number;
  value: Members;
  metadata: TwinMetadata;
}

export function emptySection(version: number, nowMs: number): Section {
  return { version, value: {}, metadata: { '': wholeMs(nowMs) } };
}

/** The section with another value and the next version; the same one when the value is equal. */
export function changedSection(section: Section, value: Members, nowMs: number): Section {
  if (sameJson(section.value, value)) return section;
  const metadata = metadataAfter(section.metadata, section.value, value, wholeMs(nowMs));
  return { version: section.version + 1, value, metadata };
}

/**
 * `value` as a section holds it: keys sorted, negative zero as 0. `name` begins the paths of errors.
 * Errors: `E_INPUT_INVALID` in one sentence that names the path.
 */
export function checkedSection(value: Json, name: string, bytesMax: number = limits.twinSectionBytesMax): Members {
  if (!isMembers(value)) throw invalid(name, 'must be an object');
  const checked = checkedMembers(value, name, 0);
  const sizeBytes = Buffer.byteLength(JSON.stringify(checked));
  if (sizeBytes > bytesMax)
    throw invalid(name, `would have ${sizeBytes} bytes of JSON, at most ${bytesMax} are allowed`);
  return checked;
}

/** When the members of `after` changed, given when those of `before` did. */
export function metadataAfter(
  metadata: TwinMetadata | undefined,
  before: Json | undefined,
  after: Json,
  nowMs: number,
): TwinMetadata {
  if (metadata !== undefined && sameJson(before, after)) return metadata;
  if (!isMembers(after)) return nowMs;
  const members = isMembers(before) ? before : {};
  const times = typeof metadata === 'object' ? metadata : {};
  const entries = Object.entries(after).map(([key, value]): [string, TwinMetadata] => {
    const known = Object.hasOwn(members, key);
    return [key, metadataAfter(known ? times[key] : undefined, known ? members[key] : undefined, value, nowMs)];
  });
  return Object.fromEntries([['', nowMs], ...entries]);
}

/** A time that everybody can write down, whatever the clock says. */
export function wholeMs(nowMs: number): number {
  return Math.min(Math.max(0, Math.floor(nowMs)), MS_MAX);
}

/** The last ms that ECMAScript's dates know. */
const MS_MAX = 8.64e15;

function checkedMembers(members: Members, path: string, depth: number): Members {
  const entries = Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(
    entries.map(([key, value]) => {
      checkKey(key, path);
      return [key, checkedValue(value, `${path}.${key}`, depth)];
    }),
  );
}

function checkKey(key: string, path: string): void {
  if (key === '') throw invalid(path, 'has a member with an empty name');
  if (Buffer.byteLength(key) > limits.twinKeyBytesMax)
    throw invalid(path, `has a member whose name is longer than ${limits.twinKeyBytesMax} bytes`);
  const name = `${path}.${key}`;
  if (key.startsWith('$')) throw invalid(name, 'cannot be set: names that begin with $ are assigned by the owner');
  if (key === '__proto__') throw invalid(name, 'cannot be set: choose another name');
  if (!key.isWellFormed()) throw invalid(name.toWellFormed(), 'has half a surrogate pair in its name');
}

function checkedValue(value: Json, path: string, depth: number): Json {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw invalid(path, 'must be a finite number');
      return value + 0;
    case 'string':
      if (!value.isWellFormed()) throw invalid(path, 'has half a surrogate pair');
      if (Buffer.byteLength(value) > limits.twinStringBytesMax)
        throw invalid(path, `is longer than ${limits.twinStringBytesMax} bytes`);
      return value;
    default:
      break;
  }
  if (value === null) throw invalid(path, 'cannot be null: leave it out, or remove it with a merge patch');
  if (depth >= limits.twinDepthMax) throw invalid(path, `lies deeper than ${limits.twinDepthMax} levels`);
  if (!Array.isArray(value)) return checkedMembers(value, path, depth + 1);
  return value.map((item, index) => checkedValue(item, `${path}[${index}]`, depth + 1));
}

function invalid(path: string, fault: string): AppError {
  const shown = path.length > PATH_CHARACTERS_MAX ? `${path.slice(0, PATH_CHARACTERS_MAX)}…` : path;
  return new AppError('E_INPUT_INVALID', `${shown} ${fault}.`, { details: { path: shown } });
}

/** Of a path in a message; keys may be long. */
const PATH_CHARACTERS_MAX = 256;
