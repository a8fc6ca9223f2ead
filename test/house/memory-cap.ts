/** A memory cgroup for a whole program and its children, version 1 or 2. Needs root. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

interface Files {
  root: string;
  limit: string;
  peak: string;
  /** Where `oom_kill N` stands. */
  events: string;
}

export class MemoryCap {
  readonly #path: string;
  readonly #files: Files;

  private constructor(path: string, files: Files) {
    this.#path = path;
    this.#files = files;
  }

  /** Errors: those of the file system where this user may not. */
  static make(name: string, megabytes: number): MemoryCap {
    const files = filesHere();
    if (files === undefined) throw new Error('there is no memory controller');
    const path = join(files.root, `stile-${name}-${process.pid}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, files.limit), String(megabytes * 2 ** 20));
    return new MemoryCap(path, files);
  }

  /** `command`, begun in this group. */
  around(command: readonly string[]): string[] {
    const enter = `echo $$ > ${join(this.#path, 'cgroup.procs')} && exec "$@"`;
    return ['/bin/sh', '-c', enter, 'sh', ...command];
  }

  /** The most that was ever charged, page cache included; what cannot be had otherwise is taken back from that first. */
  get peakBytes(): number {
    return Number(readFileSync(join(this.#path, this.#files.peak), 'latin1'));
  }

  /** Anonymous memory that is charged now. */
  get anonymousBytes(): number {
    return Number(/^(?:rss|anon) (\d+)/m.exec(readFileSync(join(this.#path, 'memory.stat'), 'latin1'))?.[1]);
  }

  /** Processes that were killed because the group had no more. */
  get kills(): number {
    return Number(/^oom_kill (\d+)/m.exec(readFileSync(join(this.#path, this.#files.events), 'latin1'))?.[1] ?? 0);
  }

  /** Once it is empty. */
  close(): void {
    if (existsSync(this.#path)) rmdirSync(this.#path);
  }
}

/** Why no program can be capped here; undefined where it can. */
export function cappingFault(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root';
  return filesHere() === undefined ? 'the kernel has no memory controller' : undefined;
}

function filesHere(): Files | undefined {
  if (existsSync(join(V1, 'memory.limit_in_bytes')))
    return {
      root: V1,
      limit: 'memory.limit_in_bytes',
      peak: 'memory.max_usage_in_bytes',
      events: 'memory.oom_control',
    };
  const controllers = existsSync(join(V2, 'cgroup.subtree_control'))
    ? readFileSync(join(V2, 'cgroup.subtree_control'), 'latin1')
    : '';
  if (!controllers.split(/\s+/).includes('memory')) return undefined;
  return { root: V2, limit: 'memory.max', peak: 'memory.peak', events: 'memory.events' };
}
