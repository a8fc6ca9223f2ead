/**
 * The key that TLS session tickets are sealed with, kept across restarts so that a hub that comes back meets cheap
 * resumptions instead of thousands of full handshakes, and changed each day so that a stolen key opens little.
 */
import { join } from 'node:path';
import type { Env } from '../../protocol/env.ts';
import { readIfPresent, writeDurably } from '../../protocol/node/durable-file.ts';

export interface TicketKeys {
  /** 48 bytes, as `tls.Server` wants them. */
  keys: Buffer;
  /** Wall clock. */
  sinceMs: number;
}

/** A key is used for so long; a ticket counts no longer than that. */
export const TICKET_LIFE_MS = 24 * 3_600_000;
const KEY_BYTES = 48;

/** The keys in `dataDir`, or new ones when there are none or they are too old or cannot be read. */
export async function loadTicketKeys(env: Env, dataDir: string): Promise<TicketKeys> {
  const kept = parse(await readIfPresent(fileOf(dataDir)));
  return kept !== undefined && isFresh(kept, env.clock.now()) ? kept : freshTicketKeys(env, dataDir);
}

/** New keys, on the disk before they are used; where it does not take them, they last as long as this process. */
export async function freshTicketKeys(env: Env, dataDir: string): Promise<TicketKeys> {
  const tickets = { keys: Buffer.from(env.random.bytes(KEY_BYTES)), sinceMs: env.clock.now() };
  try {
    await writeDurably(fileOf(dataDir), `${tickets.sinceMs} ${tickets.keys.toString('base64')}\n`);
  } catch (error) {
    env.log.warn('TLS ticket keys not kept', { err: error });
  }
  return tickets;
}

export function isFresh(tickets: TicketKeys, nowMs: number): boolean {
  return nowMs >= tickets.sinceMs && nowMs - tickets.sinceMs < TICKET_LIFE_MS;
}

function parse(text: string | undefined): TicketKeys | undefined {
  const [since, encoded] = (text ?? '').trim().split(' ');
  const keys = Buffer.from(encoded ?? '', 'base64');
  const sinceMs = Number(since);
  return keys.length === KEY_BYTES && Number.isSafeInteger(sinceMs) ? { keys, sinceMs } : undefined;
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'ticket-keys');
}
