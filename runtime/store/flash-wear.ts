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
/** Between two looks at the counters. */
const LOOK_MS = 900_000;
/**
 * The record is kept when the program has run twice as long as at the time before, from the first look on, at least so
 * often, and at an orderly stop. A terminal that has power for an hour a day counts that hour too; what a cut loses is
 * half of what it ran, or some hours of counting. Each keeping costs a commit, which at every look would be a tenth
 * of the idle budget.
 */
const KEEP_MS_MAX = 6 * HOUR_MS;

/** Since the start of the program. */
export interface Counters {
  bytes: number;
  commits: number;
}

/** What is kept over restarts. */
export interface WearRecord {
  /** The last whole hours of running, oldest first, at most 24. */
  hours: Counters[];
  /** The hour that has begun, over restarts; of records before it was kept it is missing. */
  part?: Counters & { ms: number };
  /** All of the above, and all before. */
  total: Counters;
  /** Whole hours of running in all. */
  hoursTotal: number;
}

const nothing = { bytes: 0, commits: 0 } as const;

export class FlashWear {
  #record: WearRecord;
  #before: Counters = nothing;

  constructor(record: WearRecord = { hours: [], total: nothing, hoursTotal: 0 }) {
    this.#record = record;
  }

  get record(): WearRecord {
    return this.#record;
  }

  /** Sum of the last 24 hours of running and of the one that has begun. */
  get day(): Counters {
    return this.#record.hours.reduce(sum, this.#record.part ?? nothing);
  }

  /** Takes the counters as they are `passedMs` of running after the last time. True when an hour of running is full. */
  count(counters: Counters, passedMs: number): boolean {
    const { hours, part = { ...nothing, ms: 0 }, total, hoursTotal } = this.#record;
    const news = {
      bytes: Math.max(0, counters.bytes - this.#before.bytes),
      commits: Math.max(0, counters.commits - this.#before.commits),
    };
    this.#before = counters;
    const begun = { ...sum(part, news), ms: part.ms + passedMs };
    const full = begun.ms >= HOUR_MS;
    const { ms: _ms, ...hour } = begun;
    this.#record = {
      hours: full ? [...hours, hour].slice(-HOURS) : hours,
      ...(full ? {} : { part: begun }),
      total: sum(total, news),
      hoursTotal: hoursTotal + (full ? 1 : 0),
    };
    return full;
  }

  /** One sentence for people. */
  get summary(): string {
    const { bytes, commits } = this.day;
    const { hours, total, hoursTotal } = this.#record;
    return `${megabytes(bytes)} and ${commits} commits in the last ${hours.length} hours of running, ${megabytes(total.bytes)} and ${total.commits} commits in ${hoursTotal} hours in all`;
  }

  /** More than a card should take in a day. */
  get heavy(): boolean {
    return this.day.bytes > BYTES_PER_DAY_MAX;
  }

  /** `changedIso`: since when the status is what it is. */
  condition(changedIso: string): Condition {
    return {
      type: 'FlashWear',
      status: this.heavy ? 'True' : 'False',
      reason: this.heavy ? 'ManyWrites' : 'WithinBounds',
      message: this.summary,
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

/** Counts as long as the program runs; logs and tells each hour. */
export class WearWatch {
  readonly #env: Env;
  readonly #ports: WearPorts;
  readonly #wear: FlashWear;
  #countedMs: number;
  #status: string | undefined;
  #changedIso = '';

  constructor(env: Env, ports: WearPorts) {
    this.#env = { ...env, log: env.log.child({ svc: 'store' }) };
    this.#ports = ports;
    this.#wear = new FlashWear(parseWear(ports.kept));
    this.#countedMs = env.clock.monotonic();
  }

  /** The record as it is now. */
  async now(): Promise<WearRecord> {
    await this.#count();
    return this.#wear.record;
  }

  /** Until `signal` aborts; the record is kept then. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    const beganMs = clock.monotonic();
    await untilAborted(signal, async () => {
      for (let keepAtMs = LOOK_MS; ; ) {
        await clock.sleep(LOOK_MS, signal);
        await this.#count();
        const ranMs = clock.monotonic() - beganMs;
        if (ranMs < keepAtMs) continue;
        keepAtMs = Math.min(2 * ranMs, ranMs + KEEP_MS_MAX);
        await this.#keep();
      }
    });
    await this.#count();
    await this.#keep();
  }

  async #count(): Promise<void> {
    const counters = await this.#ports.counters();
    const nowMs = this.#env.clock.monotonic();
    const full = this.#wear.count(counters, nowMs - this.#countedMs);
    this.#countedMs = nowMs;
    if (full) this.#tell();
  }

  #tell(): void {
    const { bytes, commits } = this.#wear.day;
    const hour = this.#wear.record.hours.at(-1)!;
    this.#env.log.info('flash wear', {
      hourBytes: hour.bytes,
      hourCommits: hour.commits,
      dayBytes: bytes,
      dayCommits: commits,
    });
    const { status } = this.#wear.condition('');
    if (status !== this.#status) this.#changedIso = new Date(this.#env.clock.now()).toISOString();
    this.#status = status;
    this.#ports.tell(this.#wear.condition(this.#changedIso));
  }

  /** A disk that does not take it has other worries. */
  async #keep(): Promise<void> {
    await this.#ports
      .keep(JSON.stringify(this.#wear.record))
      .catch((err: unknown) => this.#env.log.warn('flash wear not kept', { err }));
  }
}

/** A record as it was kept; undefined when it is not one. */
export function parseWear(text: string | undefined): WearRecord | undefined {
  try {
    const record = JSON.parse(text ?? '') as WearRecord;
    const counters = [...record.hours, record.total, record.part ?? nothing];
    const numbers = [
      record.hoursTotal,
      record.part?.ms ?? 0,
      ...counters.flatMap(({ bytes, commits }) => [bytes, commits]),
    ];
    return numbers.every((number) => Number.isFinite(number) && number >= 0) ? record : undefined;
  } catch {
    return undefined;
  }
}

function sum(one: Counters, other: Counters): Counters {
  return { bytes: one.bytes + other.bytes, commits: one.commits + other.commits };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
