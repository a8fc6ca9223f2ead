/** Collects what `findings.ts` judges. Looks at the machine and its data directory, changes neither. */
import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { asAppError, codeOf } from '../../protocol/errors.ts';
import { inspectDatabase } from '../../protocol/node/database-check.ts';
import { PinnedConnector, validityOf } from '../../protocol/node/pinned-tls.ts';
import { askRuntime } from '../control/control-client.ts';
import { type Identity, loadIdentity } from '../identity/identity.ts';
import { parseWear, type WearRecord } from '../store/flash-wear.ts';
import { containersFault } from '../workloads/oci/ability.ts';
import { containerFacts } from '../workloads/oci/container-facts.ts';
import { parseRange, podNetworkDefault } from '../workloads/oci/pod-network.ts';
import { podDirectoriesDefaults } from '../workloads/pod-files.ts';
import type { Facts } from './findings.ts';

export interface FactsOptions {
  /** Absolute. */
  dataDir: string;
  /** `HOST:PORT` to try instead of those that the terminal knows. */
  destination?: string;
  environment: NodeJS.ProcessEnv;
  nowMs: number;
}

/** The network is touched for the hub alone, and only where an identity can tell whether it is the hub. */
export async function collectFacts({ dataDir, destination, environment, nowMs }: FactsOptions): Promise<Facts> {
  const { database, timeFloorMs, wear } = await databaseFacts(dataDir);
  const known = await identityOf(dataDir);
  const containers = await containerFacts(podDirectoriesDefaults.hostPath, dataDir);
  const fault = containersFault(containers, parseRange(podNetworkDefault));
  const space = await diskFacts(dataDir);
  const glibc = glibcVersion();
  return {
    nowMs,
    ...(timeFloorMs === undefined ? {} : { timeFloorMs }),
    directory: await directoryFacts(dataDir),
    ...(space === undefined ? {} : { disk: space }),
    database,
    ...(wear === undefined ? {} : { wear }),
    identity: known.fact,
    hub: await hubFacts(known.identity, destination, timeFloorMs),
    proxies: Object.keys(environment).filter((name) => /^(?:https?|all)_proxy$/i.test(name) && environment[name]),
    cgroups: await cgroupFacts(),
    ...(fault === undefined ? {} : { containersFault: fault }),
    uid: process.getuid?.() ?? -1,
    ...(glibc === undefined ? {} : { glibc }),
    engine: process.versions.node,
  };
}

async function directoryFacts(dataDir: string): Promise<Facts['directory']> {
  const status = await stat(dataDir).catch(() => undefined);
  if (status === undefined) return { kind: 'missing' };
  const writable = await access(dataDir, constants.W_OK | constants.X_OK).then(
    () => status.isDirectory(),
    () => false,
  );
  return { kind: 'there', writable, mode: status.mode & 0o7777 };
}

/** Of the file system that the directory is in, or will be. */
async function diskFacts(dataDir: string): Promise<Facts['disk']> {
  for (let path = dataDir; ; path = join(path, '..')) {
    const space = await statfs(path).catch(() => undefined);
    if (space !== undefined) {
      const { bavail, blocks, bsize, ffree, files } = space;
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: ffree, totalInodes: files };
    }
    if (path === '/') return undefined;
  }
}

interface DatabaseFacts {
  database: Facts['database'];
  timeFloorMs?: number;
  wear?: WearRecord;
}

/** A runtime that runs is asked; else the file is looked through. */
async function databaseFacts(dataDir: string): Promise<DatabaseFacts> {
  try {
    const answer = await askRuntime<Required<Omit<DatabaseFacts, 'database'>> & { faults: string[] }>(dataDir, {
      kind: 'database',
    });
    return { ...stateOf(answer.faults, true), timeFloorMs: answer.timeFloorMs, wear: answer.wear };
  } catch (error) {
    const quiet = ['E_LINK_UNREACHABLE', 'E_INPUT_INVALID', 'E_FORBIDDEN'].includes(codeOf(error));
    if (!quiet) return { database: { kind: 'unanswered', reason: `the runtime says: ${(error as Error).message}` } };
  }
  const state = await inspectDatabase(
    join(dataDir, 'state.db'),
    "SELECT key, value FROM meta WHERE key IN ('timeFloorMs', 'wear')",
  );
  switch (state.kind) {
    case 'missing':
      return { database: { kind: 'missing' } };
    case 'locked':
      return { database: { kind: 'unanswered', reason: 'a process has it open and does not answer' } };
    case 'unreadable':
      return { database: { kind: 'damaged', faults: [state.reason] } };
    case 'read': {
      const meta = new Map(state.rows.map(({ key, value }) => [key, String(value)]));
      const wear = parseWear(meta.get('wear'));
      const timeFloorMs = Number(meta.get('timeFloorMs') ?? 0);
      return { ...stateOf(state.faults, false), timeFloorMs, ...(wear === undefined ? {} : { wear }) };
    }
  }
}

function stateOf(faults: string[], asked: boolean): DatabaseFacts {
  return { database: faults.length > 0 ? { kind: 'damaged', faults } : { kind: 'sound', asked } };
}

async function identityOf(dataDir: string): Promise<{ identity?: Identity; fact: Facts['identity'] }> {
  try {
    const identity = await loadIdentity(dataDir);
    if (identity === undefined) return { fact: { kind: 'none' } };
    const { name, pool, certificatePem } = identity;
    const validity = validityOf(new X509Certificate(certificatePem));
    return { identity, fact: { kind: 'there', name, pool, ...validity } };
  } catch (error) {
    return { fact: { kind: 'damaged', reason: asAppError(error, 'E_STORE_FAILED', 'it cannot be read').message } };
  }
}

/** The first address that answers as the hub, else what the last one did. */
async function hubFacts(
  identity: Identity | undefined,
  given: string | undefined,
  timeFloorMs = 0,
): Promise<Facts['hub']> {
  if (identity === undefined)
    return given === undefined ? { kind: 'unknown' } : { kind: 'unverifiable', destination: given };
  const connector = new PinnedConnector(() => ({ ...identity, timeFloorMs: () => timeFloorMs }));
  let fact: Facts['hub'] = { kind: 'unknown' };
  for (const destination of given === undefined ? identity.destinations : [given]) {
    try {
      (await connector.connect(destination)).socket.destroy();
      return { kind: 'reached', destination };
    } catch (error) {
      fact = { kind: 'failed', destination, reason: (error as Error).message || String(error) };
    }
  }
  return fact;
}

async function cgroupFacts(): Promise<Facts['cgroups']> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8').catch(() => ''))
    .split('\n')
    .map((line) => line.split(' '));
  const v2 = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  const v1 = mounts.filter(([, , type]) => type === 'cgroup');
  const text = v2 === undefined ? '' : await readFile(join(v2, 'cgroup.controllers'), 'utf8').catch(() => '');
  const controllers = text.split(/\s+/).filter((name) => name !== '');
  const legacy = v1.flatMap(([, , , options = '']) => options.split(','));
  const kind = v2 === undefined ? (v1.length > 0 ? 'v1' : 'none') : v1.length > 0 ? 'hybrid' : 'v2';
  return { kind, controllers, legacy };
}

function glibcVersion(): string | undefined {
  // Without this the report looks up the names of open connections.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}
