/** Readers of /proc. Source: proc_pid_stat(5), proc_pid_environ(5), random(4). A process that is gone reads as undefined. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

export interface ProcessStat {
  pid: number;
  /** One letter; `Z` and `X` are dead. */
  state: string;
  /** Process group. */
  group: number;
  /** Field 22: clock ticks after boot. */
  startTicks: number;
}

/** Synchronous, so that a child which ends at once can be read before its parent reaps it. */
export function statNow(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

export async function stat(pid: number): Promise<ProcessStat | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The command, field 2, is in parentheses and may itself hold parentheses and spaces. */
export function parseStat(text: string): ProcessStat | undefined {
  const end = text.lastIndexOf(')');
  if (end < 0) return undefined;
  const fields = text.slice(end + 2).split(' ');
  const pid = Number(text.slice(0, text.indexOf(' ')));
  const [state, , group] = fields;
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(pid) || !Number.isFinite(startTicks)) return undefined;
  return { pid, state, group: Number(group), startTicks };
}

export function isDead(found: ProcessStat | undefined): boolean {
  return found === undefined || found.state === 'Z' || found.state === 'X';
}

export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

interface Search {
  /** With a zero byte on both sides. */
  wanted: Buffer[];
  found: number[];
}

/**
 * Looks for processes by their environment. All who ask while one look is under way share the next one: a terminal
 * that starts asks for each of its containers, and reads /proc twice instead of once for each.
 */
export class EnvironmentSearch {
  #next: { searches: Search[]; done: Promise<void> } | undefined;
  #last: Promise<void> = Promise.resolve();

  /** Pids of living processes, the caller's own excepted, whose environment has one of `entries` (`NAME=value`). */
  async pidsWith(...entries: string[]): Promise<number[]> {
    const search: Search = { wanted: entries.map((entry) => Buffer.from(`\0${entry}\0`)), found: [] };
    if (this.#next === undefined) {
      const searches: Search[] = [];
      const done = this.#last.then(() => {
        // Who asks from here on might mean a process that this look has passed.
        this.#next = undefined;
        return look(searches);
      });
      this.#next = { searches, done };
      this.#last = done.catch(() => {});
    }
    const { searches, done } = this.#next;
    searches.push(search);
    await done;
    return search.found;
  }
}

async function look(searches: readonly Search[]): Promise<void> {
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid) continue;
    const environment = await readEnvironment(pid);
    if (environment === undefined) continue;
    for (const { wanted, found } of searches) if (wanted.some((entry) => environment.includes(entry))) found.push(pid);
  }
}

/** With a zero byte on both sides of every entry. Another user's processes cannot be read: they are none of ours. */
export async function readEnvironment(pid: number): Promise<Buffer | undefined> {
  try {
    return Buffer.concat([Buffer.alloc(1), await readFile(`/proc/${pid}/environ`), Buffer.alloc(1)]);
  } catch {
    return undefined;
  }
}

/** Pids of living processes whose real user is `user`. Source: proc_pid_status(5). */
export async function pidsOfUser(user: number): Promise<number[]> {
  const line = new RegExp(`^Uid:\\t${user}\\t`, 'm');
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'latin1').catch(() => '');
    if (line.test(status) && !/^State:\t[ZX]/m.test(status)) found.push(Number(name));
  }
  return found;
}
