/**
 * What happened, as one running hash over canonical lines: two runs of one seed are the same run exactly when their
 * hashes are equal. The last lines are kept to be shown with a failure.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Log, LogFields } from '../../protocol/env.ts';

/** `wire` is the network's own chatter, below what programs log. */
export const traceLevels = ['wire', 'debug', 'info', 'warn', 'error'] as const;
export type TraceLevel = (typeof traceLevels)[number];

export interface TraceOptions {
  /** Lines kept for a failure report. */
  keptLines?: number;
  /** Receives each line of at least `level`; without it nothing is printed. */
  print?: { level: TraceLevel; write(line: string): void };
}

/** Hashing in pieces of this many characters keeps the cost of a line at its formatting. */
const PENDING_CHARACTERS_MAX = 64 * 1024;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #kept: string[] = [];
  readonly #keptMax: number;
  readonly #print: TraceOptions['print'];
  readonly #printRank: number;
  #pending = '';
  #lines = 0;

  constructor(options: TraceOptions = {}) {
    this.#keptMax = options.keptLines ?? 200;
    this.#print = options.print;
    this.#printRank = options.print === undefined ? traceLevels.length : traceLevels.indexOf(options.print.level);
  }

  /** `atMs` is world time, `host` who says it. */
  line(atMs: number, host: string, level: TraceLevel, text: string): void {
    const line = `${atMs.toFixed(3)} ${host} ${level} ${text}`;
    this.#pending += `${line}\n`;
    if (this.#pending.length > PENDING_CHARACTERS_MAX) this.#flush();
    this.#kept[this.#lines % this.#keptMax] = line;
    this.#lines += 1;
    if (this.#print !== undefined && traceLevels.indexOf(level) >= this.#printRank) this.#print.write(line);
  }

  get lines(): number {
    return this.#lines;
  }

  /** SHA-256, hexadecimal, of every line so far; more may follow. */
  hash(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  /** The last lines, oldest first. */
  tail(): string[] {
    if (this.#lines <= this.#keptMax) return [...this.#kept];
    const start = this.#lines % this.#keptMax;
    return [...this.#kept.slice(start), ...this.#kept.slice(0, start)];
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#pending = '';
  }
}

/** A log whose lines go into the trace while `speaks()` holds: the dead say nothing. */
export function traceLog(
  write: (level: TraceLevel, text: string) => void,
  speaks: () => boolean,
  bindings: LogFields = {},
): Log {
  const say = (level: TraceLevel) => (event: string, fields?: LogFields) => {
    if (speaks()) write(level, `${event} ${canonical({ ...bindings, ...fields })}`);
  };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: (fields) => traceLog(write, speaks, { ...bindings, ...fields }),
  };
}

/** One spelling per value: sorted members, errors without stacks (they carry paths), bytes by size and checksum. */
export function canonical(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return typeof value;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value instanceof Error) return canonicalError(value);
  if (value instanceof Uint8Array) return `bytes(${value.length},${crc32(value)})`;
  if (value instanceof Map) return `map(${[...value].map(([key, item]) => `${canonical(key)}=${canonical(item)}`)})`;
  if (value instanceof Set) return `set(${[...value].map(canonical)})`;
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`)}}`;
}

function canonicalError(error: Error): string {
  const code = 'code' in error ? `${String(error.code)} ` : '';
  const cause = error.cause === undefined ? '' : ` < ${canonical(error.cause)}`;
  return `error(${code}${error.message}${cause})`;
}
