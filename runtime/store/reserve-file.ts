/** The reserve: a file of zeros that really occupies the disk, and a few without a byte that occupy inodes. */
import { open, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reserve } from './reserved-journal.ts';

/** Enough for the log of the database (some 4 MB before it is folded in) and as much growth of the file. */
export const RESERVE_BYTES = 8 * 1024 * 1024;
/** So much must be free beside the reserve before it is made: else it would be spent again at once. */
const FREE_BYTES_MIN = 2 * 1024 * 1024;
/** For the log of the database, the control socket and files that are replaced as a whole. */
const FREE_INODES_MIN = 8;
/** The log of the database, the control socket, the local API's, and one for a file that is being replaced. */
const INODES = 4;
const CHUNK_BYTES = 256 * 1024;

export class ReserveFile implements Reserve {
  readonly #directory: string;
  readonly #bytes: number;

  constructor(directory: string, bytes = RESERVE_BYTES) {
    this.#directory = directory;
    this.#bytes = bytes;
  }

  get path(): string {
    return join(this.#directory, 'reserve');
  }

  async release(): Promise<void> {
    for (const path of [this.path, ...this.#inodes]) await rm(path, { force: true });
  }

  async hold(): Promise<boolean> {
    try {
      const held = (await stat(this.path).catch(() => undefined))?.size === this.#bytes;
      const { bavail, bsize, files, ffree } = await statfs(this.#directory);
      const room = bavail * bsize >= FREE_BYTES_MIN && (files === 0 || ffree >= FREE_INODES_MIN);
      if (held) return room;
      if (!room || bavail * bsize < this.#bytes + FREE_BYTES_MIN) return false;
      await this.#make();
      return true;
    } catch {
      // No room, no inode or no writing at all: the reserve is not there, which is all that is asked.
      await rm(`${this.path}.new`, { force: true }).catch(() => {});
      return false;
    }
  }

  async #make(): Promise<void> {
    const file = await open(`${this.path}.new`, 'w', 0o600);
    try {
      for (let at = 0; at < this.#bytes; at += CHUNK_BYTES)
        await file.write(Buffer.alloc(Math.min(CHUNK_BYTES, this.#bytes - at)));
      await file.sync();
    } finally {
      await file.close();
    }
    for (const path of this.#inodes) await writeFile(path, '', { mode: 0o600 });
    await rename(`${this.path}.new`, this.path);
  }

  get #inodes(): string[] {
    return Array.from({ length: INODES - 1 }, (_, index) => `${this.path}.${index + 1}`);
  }
}
