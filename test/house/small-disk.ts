/**
 * A small file system of its own, mounted where a test needs a disk that is full, has no inodes or turns read-only.
 * Needs a user who may mount. Unmounted by `close`, and when this process ends by itself.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What is filled in at a time. */
const CHUNK_BYTES = 64 * 1024;

export class SmallDisk {
  readonly path: string;
  readonly #image: string | undefined;
  readonly #onExit = () => this.close();
  #mounted = true;

  private constructor(path: string, image?: string) {
    this.path = path;
    this.#image = image;
    process.once('exit', this.#onExit);
  }

  /** In memory, without a disk below it. */
  static inMemory(path: string, { megabytes, inodes }: { megabytes: number; inodes?: number }): SmallDisk {
    mkdirSync(path, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', options([`size=${megabytes}m`, inodes && `nr_inodes=${inodes}`]), 'tmpfs', path);
    return new SmallDisk(path);
  }

  /** ext4 in a file, set up as on a terminal: its first error turns it read-only. */
  static ext4(path: string, { megabytes }: { megabytes: number }): SmallDisk {
    mkdirSync(path, { recursive: true });
    const image = `${path}.ext4`;
    const file = openSync(image, 'w');
    ftruncateSync(file, megabytes * 2 ** 20);
    closeSync(file);
    run('mkfs.ext4', '-q', '-F', image);
    run('mount', '-o', 'loop,errors=remount-ro', image, path);
    return new SmallDisk(path, image);
  }

  /** Takes all of the room. */
  fill(name = 'ballast'): void {
    const file = openSync(join(this.path, name), 'a');
    try {
      for (let bytes = CHUNK_BYTES; bytes >= 1; bytes /= 16)
        untilFull(() => void writeSync(file, Buffer.alloc(bytes, 1)));
    } finally {
      closeSync(file);
    }
  }

  /** Takes all of the inodes. */
  fillInodes(name = 'many'): void {
    mkdirSync(join(this.path, name), { recursive: true });
    let count = 0;
    untilFull(() => {
      writeFileSync(join(this.path, name, String(count)), '', { flag: 'wx' });
      count += 1;
    });
  }

  /** Gives back what `fill` or `fillInodes` took. */
  empty(): void {
    for (const name of ['ballast', 'many']) rmSync(join(this.path, name), { recursive: true, force: true });
  }

  /** As after an error of the disk: read-only for everybody at once, open files too. Only ext4 can. */
  fail(): void {
    const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', '--target', this.path], { encoding: 'utf8' }).trim();
    writeFileSync(`/sys/fs/ext4/${device.replace('/dev/', '')}/trigger_fs_error`, 'a test');
  }

  remount(mode: 'ro' | 'rw'): void {
    run('mount', '-o', `remount,${mode}`, this.path);
  }

  close(): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    process.off('exit', this.#onExit);
    run('umount', '-l', this.path);
    if (this.#image !== undefined) rmSync(this.#image, { force: true });
  }
}

/** Why `SmallDisk` cannot be used here; undefined where it can. One line for the report of what was skipped. */
export function mountingFault(): string | undefined {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'it needs a user who may mount (root)';
  }
}

function untilFull(write: () => void): void {
  try {
    for (;;) write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
  }
}

function options(all: readonly (string | number | undefined)[]): string {
  return all.filter((option) => option !== undefined).join(',');
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
