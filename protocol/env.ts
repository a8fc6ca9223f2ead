/**
 * The ports through which code meets time, chance and the log. Everything outside the adapters gets these as
 * parameters, so that a simulator can stand in for the world and replay it from a seed.
 */

/** Time. `now` may jump; `monotonic` never does. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May be wrong and may jump either way. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never goes back. All timeouts are measured with it. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `count` bytes, fit for keys where the adapter is the real one. */
  bytes(count: number): Uint8Array;
}

/** Facts in fields with their units; the message is a fixed lower-case event. Never a secret in either. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose lines carry `fields` too. */
  child(fields: LogFields): Log;
}

export type LogFields = Record<string, unknown>;

/** What every service is handed. */
export interface Env {
  clock: Clock;
  random: Random;
  log: Log;
}

/** A lower-case hexadecimal identifier of `byteCount` random bytes. */
export function randomHex(random: Random, byteCount: number): string {
  return Array.from(random.bytes(byteCount), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A version 4 UUID (RFC 9562, section 5.4). */
export function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
