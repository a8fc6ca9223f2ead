/** The data directory at the start: there, writable, and its store open, or as good as the disk allows. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Env } from '../protocol/env.ts';
import { AppError } from '../protocol/errors.ts';
import { privateDirectory } from '../protocol/node/durable-file.ts';
import { diskFaultOf } from '../protocol/node/sqlite.ts';
import { loadIdentity } from './identity/identity.ts';
import { openStore } from './store/recovery.ts';
import { ReserveFile } from './store/reserve-file.ts';
import type { SqliteJournal } from './store/sqlite-journal.ts';

/** Between two looks at a disk that is read-only. */
const READ_ONLY_LOOK_MS = 5_000;

/**
 * As `usableDirectory`; with a disk that is read-only, as one is after an error and before its repair, a terminal that
 * has joined waits for it: its pods go on meanwhile. Undefined when a signal ended the waiting. Errors: `E_STORE_FAILED`.
 */
export async function writableDirectory(env: Env, path: string): Promise<string | undefined> {
  const stopping = new AbortController();
  const onSignal = () => stopping.abort();
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  try {
    for (let told = false; !stopping.signal.aborted; told = true) {
      try {
        return await usableDirectory(path);
      } catch (error) {
        if (!isReadOnly(error) || (await loadIdentity(resolve(path))) === undefined) throw error;
        if (!told) env.log.error('data directory cannot be written, waiting', { err: error });
        await env.clock.sleep(READ_ONLY_LOOK_MS, stopping.signal).catch(() => {});
      }
    }
    return undefined;
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
}

function isReadOnly(error: unknown): boolean {
  return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EROFS';
}

/** A start takes a new file for the database's log; where there is no room for it, the reserve is given up. */
export async function openStoreWithRoom(env: Env, dataDir: string): Promise<SqliteJournal> {
  const name = (await loadIdentity(dataDir))?.name;
  try {
    return await openStore(env, dataDir, name);
  } catch (error) {
    if (diskFaultOf(error) === undefined) throw error;
    await new ReserveFile(dataDir).release();
    return openStore(env, dataDir, name);
  }
}

/** Errors: `E_STORE_FAILED` for one that cannot be made or written. */
async function usableDirectory(path: string): Promise<string> {
  const dataDir = resolve(path);
  await privateDirectory(dataDir);
  try {
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const remedy = 'mount its file system writable, give it to this user, or choose another --data-dir';
    throw new AppError('E_STORE_FAILED', `the data directory ${dataDir} cannot be written: ${remedy}`, {
      cause: error,
    });
  }
  return dataDir;
}
