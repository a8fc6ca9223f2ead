/** What only the hub's own process knows of its health: facts without a judgement, which is the caller's. */
import { X509Certificate } from 'node:crypto';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../protocol/env.ts';
import { readIfPresent } from '../../protocol/node/durable-file.ts';
import { validityOf } from '../../protocol/node/pinned-tls.ts';
import type { Database } from '../../protocol/node/sqlite.ts';
import { programVersion } from '../../protocol/program-version.ts';
import type { Validity } from '../../protocol/validity.ts';
import type { Roster } from '../identity/roster.ts';
import type { BlobFiles } from '../images/blob-files.ts';
import { AUDIT_ROWS_MAX, type AuditJournal } from './audit-journal.ts';
import type { HubJournal } from './hub-state.ts';
import type { Refusal, Refusals } from './refusals.ts';
import { EVENT_ROWS_MAX } from './sqlite-journal.ts';

/** Rows that are kept up to a bound, the oldest go first. */
export interface Extent {
  /** At most so many; a few of them may be gone already. */
  rows: number;
  rowsMax: number;
  /** When the oldest of them was made; absent without any. */
  oldestMs?: number;
}

export interface HubHealth {
  /** The hub's wall clock. */
  nowMs: number;
  upMs: number;
  version: string;
  /** Of the Node that runs it. */
  engine: string;
  dataDir: string;
  /** Of the file system that the data directory is in. */
  disk?: { freeBytes: number; totalBytes: number; freeInodes: number; totalInodes: number };
  database: {
    /** `hub.db` with its log. */
    bytes: number;
    /** Empty for a sound one; absent when it was not asked to be looked through. */
    faults?: string[];
  };
  blobs: { count: number; bytes: number };
  certificates: { authority: Validity; server?: Validity };
  events: Extent;
  audit: Extent;
  /** When the last backup was taken, as far as the audit journal reaches back. */
  lastBackupMs?: number;
  /** Terminals that are connected or about to be. */
  sessions: number;
  /** Since health was last asked for; absent the first time, and when that is more than a minute ago. */
  eventLoop?: { longestBlockMs: number };
  /** Nodes of which none is let in until an operator decides; the first of them by name. */
  suspended: { count: number; names: string[] };
  /** Who was turned away during the last day and not let in since; the latest first. */
  refused: { count: number; nodes: Refusal[] };
}

/** Of each list in an answer. */
const LISTED_MAX = 100;

export interface HealthPeers {
  dataDir: string;
  database: Pick<Database, 'faults'>;
  audits: Pick<AuditJournal, 'extent'>;
  journal: Pick<HubJournal, 'events' | 'eventRange'>;
  blobs: Pick<BlobFiles, 'digests' | 'size'>;
  authorityPem: string;
  roster: Pick<Roster, 'suspendedNodes'>;
  refusals: Pick<Refusals, 'recent'>;
  sessions(): number;
  eventLoop: { longestBlockMs(): number | undefined };
}

export class HealthDesk {
  readonly #clock: Clock;
  readonly #peers: HealthPeers;
  readonly #startedMs: number;
  /** However many ask, the file is looked through once at a time: writers wait meanwhile. */
  #looking: Promise<string[]> | undefined;

  constructor(clock: Clock, peers: HealthPeers) {
    this.#clock = clock;
    this.#peers = peers;
    this.#startedMs = clock.monotonic();
  }

  /** `lookThrough`: also the whole database file, which takes seconds for each gigabyte. Errors: `E_STORE_FAILED`. */
  async facts(lookThrough: boolean): Promise<HubHealth> {
    const { dataDir, audits, authorityPem, roster, refusals } = this.#peers;
    const faults = lookThrough ? await this.#faults() : undefined;
    const disk = await diskOf(dataDir);
    const server = await serverValidity(dataDir);
    const { lastBackupMs, ...audit } = await audits.extent();
    const suspended = roster.suspendedNodes();
    const refused = refusals.recent(this.#clock.now());
    const longestBlockMs = this.#peers.eventLoop.longestBlockMs();
    const told = {
      upMs: Math.round(this.#clock.monotonic() - this.#startedMs),
      version: programVersion,
      engine: process.version,
      dataDir,
      ...(disk === undefined ? {} : { disk }),
      database: { bytes: await databaseBytes(dataDir), ...(faults === undefined ? {} : { faults }) },
      blobs: this.#blobs(),
      certificates: {
        authority: validityOf(new X509Certificate(authorityPem)),
        ...(server === undefined ? {} : { server }),
      },
      events: await this.#events(),
      audit: { ...audit, rowsMax: AUDIT_ROWS_MAX },
      ...(lastBackupMs === undefined ? {} : { lastBackupMs }),
      sessions: this.#peers.sessions(),
      ...(longestBlockMs === undefined ? {} : { eventLoop: { longestBlockMs } }),
      suspended: { count: suspended.length, names: suspended.slice(0, LISTED_MAX) },
      refused: { count: refused.length, nodes: refused.slice(0, LISTED_MAX) },
    };
    // Last, so that the caller can hold it against its own clock at the answer.
    return { nowMs: this.#clock.now(), ...told };
  }

  async #faults(): Promise<string[]> {
    this.#looking ??= this.#peers.database.faults('quick').finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  #blobs(): HubHealth['blobs'] {
    const sizes = this.#peers.blobs.digests().map((digest) => this.#peers.blobs.size(digest) ?? 0);
    return { count: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** By the places of the first and the last: counting a million rows would read them all. */
  async #events(): Promise<Extent> {
    const { first, last } = await this.#peers.journal.eventRange();
    const [oldest] = await this.#peers.journal.events({ after: first - 1, countMax: 1 });
    return {
      rows: last - first + 1,
      rowsMax: EVENT_ROWS_MAX,
      ...(oldest === undefined ? {} : { oldestMs: oldest.timeMs }),
    };
  }
}

async function diskOf(dataDir: string): Promise<HubHealth['disk']> {
  const space = await statfs(dataDir).catch(() => undefined);
  if (space === undefined) return undefined;
  const { bavail, blocks, bsize, ffree, files } = space;
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: ffree, totalInodes: files };
}

async function databaseBytes(dataDir: string): Promise<number> {
  const sizes = await Promise.all(
    ['hub.db', 'hub.db-wal'].map(async (name) => (await stat(join(dataDir, name)).catch(() => undefined))?.size ?? 0),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Of the certificate beside its key; undefined when the file cannot be read. */
async function serverValidity(dataDir: string): Promise<Validity | undefined> {
  try {
    const text = (await readIfPresent(join(dataDir, 'pki', 'server.pem'))) ?? '';
    const [pem] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
    return pem === undefined ? undefined : validityOf(new X509Certificate(pem));
  } catch {
    return undefined;
  }
}
