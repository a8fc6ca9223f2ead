/**
 * What this program writes to its flash: bytes and commits in the last 24 hours of running and in all. Pure; the
 * counters come from the kernel (`write_bytes` of /proc/self/io, which covers logs and images too) and from SQLite.
 */
import type { Env } from '../../protocol/env.ts';
import type { Condition } from '../../protocol/kubernetes.ts';
import { untilAborted } from '../../protocol/scope.ts';

/** What an idle terminal may write: 5 MB a day are 1.8 GB a year, nothing to the smallest card. */
export const IDLE_BYTES_PER_DAY_MAX = 5_000_000;
/** Above it the Node says so: a card of 8 GB and 3,000 cycles, at tenfold write amplification, lasts 13 years at it. */
export const BYTES_PER_DAY_MAX = 500_000_000;
const HOURS = 24;
const HOUR_MS = 3_600_000;
/** The record is kept so often: what a cut loses is some hours of counting. */
const KEEP_HOURS = 6;

/** Since the start of the program. */
export interface Counters {
  bytes: number;
  commits: number;
}

/** What is kept over restarts. */
export interface WearRecord {
  /** The last hours of running, oldest first, at most 24. */
  hours: Counters[];
  total: Counters;
  /** Hours of running in all. */
  hoursTotal: number;
}

export class FlashWear {
  #record: WearRecord;
  #before: Counters = { bytes: 0, commits: 0 };

  constructor(record: WearRecord = { hours: [], total: { bytes: 0, commits: 0 }, hoursTotal: 0 }) {
    this.#record = record;
  }

  get record(): WearRecord {
    return this.#record;
  }

  /** Sum of the last 24 hours of running. */
  get day(): Counters {
    return this.#record.hours.reduce(sum, { bytes: 0, commits: 0 });
  }

  /** Takes the counters at the end of an hour of running; resolves to that hour's share. */
  hourPassed(counters: Counters): Counters {
    const { hours, total, hoursTotal } = this.#record;
    const hour = {
      bytes: Math.max(0, counters.bytes - this.#before.bytes),
      commits: Math.max(0, counters.commits - this.#before.commits),
    };
    this.#before = counters;
    this.#record = {
      hours: [...hours, hour].slice(-HOURS),
      total: sum(total, hour),
      hoursTotal: hoursTotal + 1,
    };
    return hour;
  }

  /** `changedIso`: since when the status is what it is. */
  condition(changedIso: string): Condition {
    const { bytes, commits } = this.day;
    const { hours, total, hoursTotal } = this.#record;
    const heavy = bytes > BYTES_PER_DAY_MAX;
    return {
      type: 'FlashWear',
      status: heavy ? 'True' : 'False',
      reason: heavy ? 'ManyWrites' : 'WithinBounds',
      message: `${megabytes(bytes)} and ${commits} commits in the last ${hours.length} hours of running, ${megabytes(total.bytes)} and ${total.commits} commits in ${hoursTotal} hours in all`,
      lastTransitionTime: changedIso,
    };
  }
}

export interface WearPorts {
  /** As kept by an earlier life. */
  kept: string | undefined;
  counters(): Promise<Counters>;
  keep(record: string): Promise<void>;
  tell(condition: Condition): void;
}

/** Counts, logs and tells each hour until `signal` aborts. */
export async function watchWear(env: Env, ports: WearPorts, signal: AbortSignal): Promise<void> {
  const log = env.log.child({ svc: 'store' });
  const wear = new FlashWear(parseWear(ports.kept));
  let status: string | undefined;
  let changedIso = '';
  await untilAborted(signal, async () => {
    for (let hours = 1; ; hours += 1) {
      await env.clock.sleep(HOUR_MS, signal);
      const hour = wear.hourPassed(await ports.counters());
      const { bytes, commits } = wear.day;
      log.info('flash wear', {
        hourBytes: hour.bytes,
        hourCommits: hour.commits,
        dayBytes: bytes,
        dayCommits: commits,
      });
      const condition = wear.condition(changedIso);
      if (condition.status !== status) changedIso = new Date(env.clock.now()).toISOString();
      status = condition.status;
      ports.tell({ ...condition, lastTransitionTime: changedIso });
      if (hours % KEEP_HOURS !== 0) continue;
      await ports.keep(JSON.stringify(wear.record)).catch((err: unknown) => log.warn('flash wear not kept', { err }));
    }
  });
}

/** A record as it was kept; undefined when it is not one. */
export function parseWear(text: string | undefined): WearRecord | undefined {
  try {
    const record = JSON.parse(text ?? '') as WearRecord;
    const counters = [...record.hours, record.total];
    const numbers = [record.hoursTotal, ...counters.flatMap(({ bytes, commits }) => [bytes, commits])];
    return numbers.every((number) => Number.isFinite(number) && number >= 0) ? record : undefined;
  } catch {
    return undefined;
  }
}

function sum(one: Counters, other: Counters): Counters {
  return { bytes: one.bytes + other.bytes, commits: one.commits + other.commits };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
