/**
 * The wall clock of one whole process, its TLS included, shifted from outside while it runs: by Debian's libfaketime,
 * which asks a file. The monotonic clock stays the kernel's, as when somebody sets the time. Pods do not inherit it.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class ShiftedClock {
  readonly #path: string;
  readonly #library: string;
  #shiftMs = 0;

  /** `path`: a file of its own. */
  constructor(path: string) {
    const library = fakeTimeLibrary();
    if (library === undefined) throw new Error('libfaketime is not there');
    this.#path = path;
    this.#library = library;
    this.shift(0);
  }

  /** What a process needs in its environment to go by this clock. */
  get environment(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** Wall-clock ms by this clock. */
  now(): number {
    return Date.now() + this.#shiftMs;
  }

  /** By so much before or after the real time. */
  shift(ms: number): void {
    this.#shiftMs = Math.trunc(ms / 1000) * 1000;
    const seconds = this.#shiftMs / 1000;
    writeFileSync(this.#path, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  /** To `wallMs`, from where it goes on. */
  set(wallMs: number): void {
    this.shift(wallMs - Date.now());
  }
}

/** Where libfaketime is; undefined when it is not installed. */
export function fakeTimeLibrary(): string | undefined {
  for (const folder of ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'])
    try {
      const name = readdirSync(join(folder, 'faketime')).find((each) => each.startsWith('libfaketimeMT.so'));
      if (name !== undefined) return join(folder, 'faketime', name);
    } catch {
      // Not in this folder.
    }
  return undefined;
}
