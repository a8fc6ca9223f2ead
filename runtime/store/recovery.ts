/**
 * Opens the terminal's store whatever became of its file. A damaged one is moved aside, the last good copy takes its
 * place under a new epoch, or else a new store: the terminal goes on, and says so. Only the identity is not in here;
 * it is kept apart, twice.
 *
 *   state.db            the store
 *   state.db.good       the last good copy
 *   state.db.before-update  the copy of before a version on trial, which may leave a store that the one before cannot read
 *   state.db.suspect    what is wrong with the store and the epoch that follows; there until that is put right
 *   state.db.restoring  the next store, while it is being made
 *   state.db.damaged    the last one that was given up, for whoever wants to look
 *
 * A cut at any point leaves the marker, and the next start does all of it again.
 */
import { copyFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Env, randomHex } from '../../protocol/env.ts';
import { type AppError, codeOf } from '../../protocol/errors.ts';
import type { Condition, Json } from '../../protocol/kubernetes.ts';
import { readIfPresent, syncDirectory, syncFile, writeDurably } from '../../protocol/node/durable-file.ts';
import { type Recovery, SqliteJournal } from './sqlite-journal.ts';

/** The type of an event that becomes a core/v1 Event at the hub. */
const KUBERNETES_EVENT = 'kubernetes.event';
/** So long the Node has the condition; the event at the hub is for longer. */
const RECOVERY_TOLD_MS = 30 * 24 * 3_600_000;
/** SQLite's own files beside a database. */
const COMPANIONS = ['-wal', '-shm', '-journal'];

export interface StoreFiles {
  live: string;
  good: string;
  beforeUpdate: string;
  suspect: string;
  restoring: string;
  damaged: string;
}

export function storeFiles(dataDir: string): StoreFiles {
  const live = join(dataDir, 'state.db');
  return {
    live,
    good: `${live}.good`,
    beforeUpdate: `${live}.before-update`,
    suspect: `${live}.suspect`,
    restoring: `${live}.restoring`,
    damaged: `${live}.damaged`,
  };
}

/** What the Node says of a recovery, as long as that is news. */
export function recoveryCondition(recovery: Recovery | undefined, nowMs: number): Condition | undefined {
  if (recovery === undefined || nowMs > recovery.timeMs + RECOVERY_TOLD_MS) return undefined;
  const { reason, timeMs, message } = recovery;
  return {
    type: 'StoreRestored',
    status: 'True',
    reason,
    message,
    lastTransitionTime: new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z'),
  };
}

/** Content of the marker. */
interface Suspicion {
  /** Of the store that takes the place of the suspect one. */
  epoch: string;
  reason: string;
  timeMs: number;
}

/**
 * The store in `dataDir`, restored or new if need be. `node`: the name of this terminal, if it has joined; without it
 * a missing file is no loss. Errors: `E_STORE_LOCKED`, `E_STORE_TOO_NEW`, `E_STORE_FAILED`.
 */
export async function openStore(env: Env, dataDir: string, node: string | undefined): Promise<SqliteJournal> {
  const files = storeFiles(dataDir);
  const known = await readSuspicion(files);
  const expected = node !== undefined || (await sizeOf(files.good)) > 0;
  const present = (await sizeOf(files.live)) > 0;
  // Before it is opened: that makes an empty one, which after a cut nobody would know from the one that was lost.
  const suspicion =
    known === undefined && expected && !present
      ? await suspect(env, files, `${files.live} is missing or empty`)
      : known;
  // Opened first in any case: that is how another process on this directory is noticed before anything is moved.
  const isReplaceable = suspicion !== undefined || (await sizeOf(files.beforeUpdate)) > 0;
  const opened = await openOrDamage(files.live, randomHex(env.random, 16), isReplaceable);
  if (opened instanceof SqliteJournal) {
    if (suspicion?.epoch === opened.epoch) await forget(files, dataDir);
    if (suspicion === undefined || suspicion.epoch === opened.epoch) return opened;
    await opened.close();
  }
  // One that a newer version can read is not given up for nothing: that version may come back.
  if (codeOf(opened) === 'E_STORE_TOO_NEW' && !(await hasCopy(files))) throw opened;
  const next = suspicion ?? (await suspect(env, files, (opened as AppError).message));
  const recovery = await replace(files, { dataDir, next, present, node });
  env.log.error('store given up', { reason: recovery.reason, message: recovery.message });
  await forget(files, dataDir);
  return SqliteJournal.open(files.live, next.epoch);
}

/** Marks the store as damaged, for the next start to give it up. Resolves when that is durable. */
export async function suspectStore(env: Env, dataDir: string, reason: string): Promise<void> {
  const files = storeFiles(dataDir);
  if ((await readSuspicion(files)) === undefined) await suspect(env, files, reason);
}

/** The epoch is of no store that there is: the one that has it is the one that was put in the place. */
async function suspect(env: Env, files: StoreFiles, reason: string): Promise<Suspicion> {
  const timeMs = Math.max(0, Math.floor(env.clock.now()));
  const suspicion: Suspicion = { epoch: randomHex(env.random, 16), reason, timeMs };
  await writeDurably(files.suspect, JSON.stringify(suspicion));
  return suspicion;
}

interface Replacement {
  dataDir: string;
  next: Suspicion;
  /** Whether there is anything to move aside. */
  present: boolean;
  node: string | undefined;
}

/** Makes the next store beside the old one and puts it in its place in one step. */
async function replace(files: StoreFiles, { dataDir, next, present, node }: Replacement): Promise<Recovery> {
  await removeDatabase(files.restoring);
  const copy = await restoredCopy(files);
  const journal = copy ?? (await SqliteJournal.open(files.restoring, next.epoch));
  const recovery = recoveryOf(next, present, copy);
  try {
    await journal.beginEpoch(next.epoch, recovery, node === undefined ? undefined : eventAbout(node, recovery));
  } finally {
    await journal.close();
  }
  await syncFile(files.restoring);
  if (present) await moveAside(files);
  else await removeDatabase(files.live);
  await rename(files.restoring, files.live);
  await syncDirectory(dataDir);
  return recovery;
}

/** Whether there is a copy that this version can read. */
async function hasCopy(files: StoreFiles): Promise<boolean> {
  await removeDatabase(files.restoring);
  const copy = await restoredCopy(files);
  await copy?.close();
  await removeDatabase(files.restoring);
  return copy !== undefined;
}

/** The first copy that is good, opened under the name of the next store; undefined when there is none. */
async function restoredCopy(files: StoreFiles): Promise<SqliteJournal | undefined> {
  // That of before an update is there until the update is over, and of the schema of this version.
  for (const path of [files.beforeUpdate, files.good]) {
    if ((await sizeOf(path)) === 0) continue;
    await copyFile(path, files.restoring);
    const journal = await openOrDamage(files.restoring, '', true);
    if (journal instanceof SqliteJournal) {
      // A check that cannot even read is the same answer as one that finds something.
      const faults = await journal.faults('full').catch((error: Error) => [error.message]);
      if (faults.length === 0) return journal;
      await journal.close();
    }
    await removeDatabase(files.restoring);
  }
  return undefined;
}

/** One damaged file is kept, the latest. Its write-ahead log must not be taken for the next store's. */
async function moveAside(files: StoreFiles): Promise<void> {
  await removeDatabase(files.damaged);
  for (const suffix of ['', ...COMPANIONS])
    await rename(files.live + suffix, files.damaged + suffix).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
}

function recoveryOf({ reason, timeMs }: Suspicion, present: boolean, copy: SqliteJournal | undefined): Recovery {
  const kept = present ? ' The file is kept as state.db.damaged.' : '';
  if (copy === undefined)
    return {
      reason: 'StoreLost',
      timeMs,
      message: `${sentence(reason)} There was no good copy: the view, the records of pods and the events that had not been delivered are lost.${kept}`,
    };
  const when = copy.copiedMs === undefined ? 'an unknown time' : new Date(copy.copiedMs).toISOString();
  return {
    reason: 'StoreRestored',
    timeMs,
    message: `${sentence(reason)} The copy of ${when} was restored: events of later than that which had not been delivered are lost.${kept}`,
  };
}

const sentence = (text: string): string => `${text.replace(/\s+/g, ' ').replace(/[. ]+$/, '')}.`;

function eventAbout(node: string, { reason, message }: Recovery): { type: string; data: Json } {
  const about = { apiVersion: 'v1', kind: 'Node', namespace: '', name: node, uid: node };
  return { type: KUBERNETES_EVENT, data: { ...about, type: 'Warning', reason, message } };
}

/** The store in `path`, or in which way it is damaged; one that is too new counts as that where it can be replaced. */
async function openOrDamage(path: string, newEpoch: string, isReplaceable: boolean): Promise<SqliteJournal | AppError> {
  try {
    return await SqliteJournal.open(path, newEpoch);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'E_STORE_DAMAGED' && !(code === 'E_STORE_TOO_NEW' && isReplaceable)) throw error;
    return error as AppError;
  }
}

/** An unreadable marker says nothing: whatever is wrong with the store will be met again. */
async function readSuspicion(files: StoreFiles): Promise<Suspicion | undefined> {
  const text = await readIfPresent(files.suspect);
  if (text === undefined) return undefined;
  try {
    const { epoch, reason, timeMs } = JSON.parse(text) as Partial<Suspicion>;
    if (typeof epoch === 'string' && typeof timeMs === 'number') return { epoch, reason: String(reason), timeMs };
  } catch {
    // The same as a marker without its members.
  }
  await rm(files.suspect);
  return undefined;
}

async function forget(files: StoreFiles, dataDir: string): Promise<void> {
  await rm(files.suspect, { force: true });
  await syncDirectory(dataDir);
}

async function removeDatabase(path: string): Promise<void> {
  for (const suffix of ['', ...COMPANIONS]) await rm(path + suffix, { force: true });
}

/** Bytes of a file; 0 when there is none. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
