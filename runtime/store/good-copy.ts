/** The last good copy of the store, beside it: written whole, synced, then put in the place of the one before. */
import { chmod, link, rename, rm, stat, statfs } from 'node:fs/promises';
import { AppError } from '../../protocol/errors.ts';
import { syncDirectory, syncFile } from '../../protocol/node/durable-file.ts';
import { storeFiles } from './recovery.ts';
import type { SqliteJournal } from './sqlite-journal.ts';
import type { Upkeep } from './store-care.ts';

/** What a copy leaves free on the disk: it is a precaution, and must not be what fills it. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;

export function upkeepOf(journal: SqliteJournal, dataDir: string): Upkeep {
  const { live, good } = storeFiles(dataDir);
  return {
    get unclean() {
      return journal.unclean;
    },
    get changed() {
      return journal.changed;
    },
    get checkedMs() {
      const text = journal.kept('checkedMs');
      return text === undefined ? undefined : Number(text);
    },
    get copiedMs() {
      return journal.copiedMs;
    },
    faults: (depth) => journal.faults(depth),
    checked: (nowMs) => journal.keep('checkedMs', String(nowMs)),
    copy: async (nowMs) => {
      await expectRoom(live, dataDir);
      const next = `${good}.new`;
      await rm(next, { force: true });
      try {
        await journal.copyTo(next, nowMs);
        await chmod(next, 0o600);
        await syncFile(next);
      } catch (error) {
        await rm(next, { force: true });
        throw error;
      }
      await rename(next, good);
      await syncDirectory(dataDir);
    },
  };
}

/**
 * Makes the last good copy and keeps it under a second name until `forgetBeforeUpdate`, whatever copies are made
 * meanwhile: a version on trial may leave a store that the one before it cannot read. Errors: `E_STORE_FAILED`.
 */
export async function keepBeforeUpdate(upkeep: Upkeep, dataDir: string, nowMs: number): Promise<void> {
  const { good, beforeUpdate } = storeFiles(dataDir);
  await upkeep.copy(nowMs);
  await rm(beforeUpdate, { force: true });
  // The next good copy takes the place of the name, not of the bytes.
  await link(good, beforeUpdate);
  await syncDirectory(dataDir);
}

export async function forgetBeforeUpdate(dataDir: string): Promise<void> {
  await rm(storeFiles(dataDir).beforeUpdate, { force: true });
}

async function expectRoom(live: string, dataDir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dataDir);
  const sizes = await Promise.all([live, `${live}-wal`].map((path) => stat(path).then(sizeOf, () => 0)));
  const needed = sizes.reduce((sum, size) => sum + size, FREE_BYTES_MIN);
  if (bavail * bsize < needed)
    throw new AppError('E_STORE_FAILED', `no good copy is made: the disk has ${bavail * bsize} bytes of ${needed}`);
}

const sizeOf = ({ size }: { size: number }): number => size;
