/** The identity and image parts of a hub, as the hub itself joins them: real TLS, real files, real SQLite. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { audited } from '../../../cloud/hub/audited-endpoints.ts';
import { sessionUpgrade } from '../../../cloud/hub/session-upgrade.ts';
import { administratorCertificate, openAuthority, serverCertificate } from '../../../cloud/identity/authority-files.ts';
import type { Registration } from '../../../cloud/identity/enrolment.ts';
import { openIdentityDesk } from '../../../cloud/identity/identity-desk.ts';
import { openListener } from '../../../cloud/identity/listener.ts';
import { Peers } from '../../../cloud/identity/peer.ts';
import { Roster } from '../../../cloud/identity/roster.ts';
import { identityTables, SqliteIdentityStore } from '../../../cloud/identity/sqlite-identity-store.ts';
import { BlobFiles } from '../../../cloud/images/blob-files.ts';
import { imageEndpoints } from '../../../cloud/images/endpoints.ts';
import { hubHttp } from '../../../cloud/images/hub-http.ts';
import { imageTables, SqliteImageTags } from '../../../cloud/images/image-tags.ts';
import { ImageStore } from '../../../cloud/images/store.ts';
import type { Channel } from '../../../protocol/channel.ts';
import type { Clock, Env } from '../../../protocol/env.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { SESSION_PATH, WebSocketAcceptor } from '../../../protocol/node/websocket.ts';
import type { AuditRecord } from '../../../protocol/resources/api/parts.ts';

export interface TestHubOptions {
  dataDir: string;
  clock?: Clock;
  /** Given to enrolled nodes instead of the listener's own address. */
  destinations?: string[];
  names?: string[];
  host?: string;
}

export type TestHub = Awaited<ReturnType<typeof startTestHub>>;

export async function startTestHub(options: TestHubOptions) {
  const { dataDir, host = '127.0.0.1' } = options;
  const env = testEnv(options.clock);
  const authority = await openAuthority(env, dataDir);
  const tables = [...identityTables, ...imageTables];
  const database = await Database.open(join(dataDir, 'hub.db'), {
    newest: tables,
    version: 1,
    minReader: 1,
    migrations: [],
  });
  const store = new SqliteIdentityStore(database);
  const roster = await Roster.load(store);
  const pools = new Set(['hangzhou']);
  const poolExists = async (pool: string) => pools.has(pool);
  const registrations: Registration[] = [];
  const peers = new Peers(env.clock, authority.certificatePem, roster);
  const listener = await openListener(env, {
    dataDir,
    host,
    port: 0,
    authorityPem: authority.certificatePem,
    peers,
    certificate: () => serverCertificate(env, authority, dataDir, options.names ?? []),
  });
  const address = `${host}:${listener.port}`;
  const decisions: string[] = [];
  const audit = ({ resource, verb, user, code }: AuditRecord) => {
    if (resource === 'nodes') decisions.push(`${verb} by ${user}: ${code}`);
  };
  const desk = openIdentityDesk(env, {
    authority,
    store,
    roster,
    peers,
    listener: {
      handle: (prefix, handler) => listener.handle(prefix, audited(env.clock, handler, audit)),
      dropRevoked: (node) => listener.dropRevoked(node),
    },
    poolExists,
    nodeExists: async (node) => registrations.some(({ name }) => name === node),
    registerNode: async (registration) => void registrations.push(registration),
    onReplaced: (node) => listener.dropRevoked(node),
    onRevoked: (node) => listener.dropRevoked(node),
    onSuspended: async (node, evidence) => {
      decisions.push(`suspended ${node}: ${evidence}`);
      listener.dropRevoked(node);
    },
    onResumed: async (node) => void decisions.push(`resumed ${node}`),
    relabel: async (node, pool) => void decisions.push(`${node} to ${pool}`),
    destinations: () => options.destinations ?? [address],
  });
  const { enrolments, tokens, identities } = desk;
  const images = await ImageStore.open(env, await BlobFiles.open(dataDir), new SqliteImageTags(database));
  listener.handle('/stile/v1/', imageEndpoints(env, images));
  const acceptor = new WebSocketAcceptor();
  /** Sessions that were let in, by node, oldest first. */
  const sessions: { node: string; channel: Channel; resumed: boolean }[] = [];
  /** Sessions that were not let in. */
  const refusals: { node: string; code: string }[] = [];
  listener.upgrade(SESSION_PATH, (request, ...rest) => {
    const resumed = (request.socket as TLSSocket).isSessionReused();
    sessionUpgrade({
      acceptor,
      peers,
      accept: (channel, node) => void sessions.push({ node, channel, resumed }),
      onCopied: (node) => identities.suspect(node, 'an old certificate'),
      onRefused: (node, code) => void refusals.push({ node, code }),
    })(request, ...rest);
  });
  const administrator = await administratorCertificate(env, authority, dataDir);
  const http = hubHttp({ server: `https://${address}`, caPem: authority.certificatePem, ...administrator });
  return {
    env,
    url: `https://${address}`,
    address,
    authority,
    listener,
    enrolments,
    identities,
    tokens,
    /** What was decided about nodes, in words. */
    decisions,
    store,
    roster,
    images,
    administrator,
    http,
    sessions,
    refusals,
    pools,
    registrations,
    stop: async () => {
      await http.close();
      acceptor.close();
      await desk.stop();
      await listener.close();
      await database.close();
    },
  };
}

export function testEnv(clock: Clock = systemClock): Env {
  return { clock, random: systemRandom, log: createLog('silent') };
}

/** The system's clock with a wall time that can be moved. */
export function movableClock(): Clock & { offsetMs: number } {
  const clock = {
    offsetMs: 0,
    now: () => systemClock.now() + clock.offsetMs,
    monotonic: systemClock.monotonic,
    sleep: systemClock.sleep,
  };
  return clock;
}

/** Runs `work` with a directory that is gone afterwards, whatever happens. */
export async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'stile-test-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export const terminalInfo = {
  architecture: 'arm64',
  operatingSystem: 'linux',
  capacity: { cpu: '4', memory: '524288Ki' },
  nodeInfo: { kernelVersion: '6.1.0' },
};
