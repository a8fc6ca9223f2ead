/** `stile hub serve`: gives the hub its real stores, its one TLS listener and an orderly end. */
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { type Env, randomHex } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { privateDirectory } from '../../protocol/node/durable-file.ts';
import { createLog, type LogLevel } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { SESSION_PATH, WebSocketAcceptor } from '../../protocol/node/websocket.ts';
import { programVersion } from '../../protocol/program-version.ts';
import type { AuditRecord } from '../../protocol/resources/api/parts.ts';
import { createApi } from '../api/api.ts';
import { authorizeRoles } from '../api/authorize-roles.ts';
import { definitionAdmission } from '../api/definition-admission.ts';
import { nodePoolAdmission } from '../api/node-pool-admission.ts';
import { poolGuard } from '../api/pool-limits.ts';
import { escalationGuard } from '../api/role-escalation.ts';
import { allGuards } from '../api/write-parts.ts';
import type { Authority } from '../identity/authority.ts';
import { administratorCertificate, openAuthority, serverCertificate } from '../identity/authority-files.ts';
import { openIdentityDesk } from '../identity/identity-desk.ts';
import { writeKubeconfig } from '../identity/kubeconfig.ts';
import { type Listener, openListener, type RequestHandler } from '../identity/listener.ts';
import { Peers } from '../identity/peer.ts';
import { Roster } from '../identity/roster.ts';
import { SqliteIdentityStore } from '../identity/sqlite-identity-store.ts';
import { userEndpoints } from '../identity/user-endpoints.ts';
import { UserRoster } from '../identity/user-roster.ts';
import { SqliteUserStore, type UserStore } from '../identity/user-store.ts';
import { Users } from '../identity/users.ts';
import { BlobFiles } from '../images/blob-files.ts';
import { imageEndpoints } from '../images/endpoints.ts';
import { SqliteImageTags } from '../images/image-tags.ts';
import { ImageStore } from '../images/store.ts';
import { nodePoolKind } from '../kinds/registry.ts';
import { SqliteStore } from '../store/sqlite.ts';
import { actionAdmission } from '../twins/action-admission.ts';
import { historyEndpoint } from '../twins/history-endpoint.ts';
import { RoutedStore } from '../twins/routed-store.ts';
import { historyStatements, signed } from '../twins/twin-history.ts';
import { type Address, formatAddress, isWildcard, parseAddress } from './address.ts';
import { auditEndpoint } from './audit-endpoint.ts';
import { AuditJournal } from './audit-journal.ts';
import { audited } from './audited-endpoints.ts';
import { damagedHub, expectWholeHub } from './backup.ts';
import { backupEndpoint } from './backup-endpoint.ts';
import { ensureRoles } from './built-in-roles.ts';
import { CustomKinds } from './custom-kinds.ts';
import { eventEndpoint } from './event-endpoint.ts';
import { EventLoopWatch } from './event-loop.ts';
import { healthEndpoint } from './health-endpoint.ts';
import { Hub } from './hub.ts';
import { HealthDesk } from './hub-health.ts';
import { hubSchema } from './hub-schema.ts';
import { nodeDecisions } from './node-decisions.ts';
import { Refusals } from './refusals.ts';
import { sessionEndpoint } from './session-endpoint.ts';
import { sessionUpgrade } from './session-upgrade.ts';
import { SqliteHubJournal } from './sqlite-journal.ts';
import { userBindings } from './user-bindings.ts';

export interface ServeOptions {
  dataDir: string;
  /** `HOST:PORT`; port 0 picks a free one and remembers it. */
  listen: string;
  /** `HOST:PORT` under which terminals and operators reach the hub, best first. */
  advertise: readonly string[];
  logLevel?: LogLevel;
}

/** Runs until SIGTERM or SIGINT. Errors: `E_USAGE`, `E_PORT_IN_USE`, `E_STORE_LOCKED`, `E_STORE_TOO_NEW`, … */
export async function serveHub(options: ServeOptions): Promise<void> {
  const log = createLog(options.logLevel ?? 'info', { program: 'stile-hub' });
  const env: Env = { clock: systemClock, random: systemRandom, log };
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) process.exit(1);
    log.info('stopping', { signal });
    stopping.abort(new AppError('E_CANCELLED', signal));
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  try {
    const running = await openHub(env, options, (error) => stopping.abort(error));
    process.stderr.write(running.greeting);
    if (!stopping.signal.aborted)
      await new Promise<void>((done) => stopping.signal.addEventListener('abort', () => done(), { once: true }));
    await running.close();
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
  const { reason } = stopping.signal;
  if (!(reason instanceof AppError && reason.code === 'E_CANCELLED')) throw reason;
}

export interface RunningHub {
  /** What a person wants to know after the start. */
  greeting: string;
  /** Where terminals are told to look for it. */
  destinations: readonly string[];
  close(): Promise<void>;
}

/** Opens everything in order; what was opened is closed again when a later part fails. */
export async function openHub(
  env: Env,
  options: ServeOptions,
  onFailure: (error: unknown) => void,
): Promise<RunningHub> {
  const dataDir = resolve(options.dataDir);
  const listen = parseAddress(options.listen, '--listen');
  const advertised = options.advertise.map((text) => parseAddress(text, '--advertise'));
  await privateDirectory(dataDir);
  await expectWholeHub(dataDir);
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const database = await Database.open(join(dataDir, 'hub.db'), hubSchema);
    closers.push(() => database.close());
    const audits = new AuditJournal(env, database);
    // After everything that answers, so that no answer is without its record.
    closers.push(() => audits.close());
    const store = new RoutedStore(
      await SqliteStore.open(env, database, 'resource'),
      await SqliteStore.open(env, database, 'twin', { beside: historyStatements }),
    );
    closers.push(() => store.close());
    await ensureRoles(store);
    const customKinds = await CustomKinds.open(env, store);
    closers.push(() => customKinds.stop());
    const images = await ImageStore.open(env, await BlobFiles.open(dataDir), new SqliteImageTags(database));
    const authority = await openAuthority(env, dataDir);
    const destinations: string[] = [];
    const suspicions: Suspicions = { hear: () => {} };
    const hub = await Hub.start(
      env,
      { advertise: destinations, onCopied: (node, evidence) => suspicions.hear(node, evidence) },
      {
        store,
        customKinds,
        journal: new SqliteHubJournal(database, randomHex(env.random, 16)),
        images: {
          imageDigest: (reference) => images.resolve(reference),
          onImagesChanged: (handler) => images.onChanged(handler),
        },
      },
      onFailure,
    );
    closers.push(() => hub.stop());
    const identities = new SqliteIdentityStore(database);
    const roster = await Roster.load(identities);
    const userStore = new SqliteUserStore(database);
    const users = await UserRoster.load(userStore);
    const peers = new Peers(env.clock, authority.certificatePem, roster, users);
    const listener = await openListener(env, {
      dataDir,
      ...listen,
      authorityPem: authority.certificatePem,
      peers,
      certificate: () => serverCertificate(env, authority, dataDir, hostsOf(advertised, listen)),
    });
    closers.push(() => listener.close());
    destinations.push(...destinationsOf(advertised, { host: listen.host, port: listener.port }));
    const identity = { authority, identities, roster, peers, suspicions, users: { store: userStore, roster: users } };
    const stores = { database, store, customKinds, images };
    closers.push(attach(env, { dataDir, audits, listener, hub, destinations, ...stores, ...identity }));
    return { greeting: await greet(env, dataDir, authority, destinations[0]!), destinations, close };
  } catch (error) {
    await close();
    throw codeOf(error) === 'E_STORE_DAMAGED' ? damagedHub(dataDir, error as Error) : error;
  }
}

interface Parts {
  dataDir: string;
  database: Database;
  audits: AuditJournal;
  listener: Listener;
  hub: Hub;
  store: RoutedStore;
  customKinds: CustomKinds;
  images: ImageStore;
  authority: Authority;
  identities: SqliteIdentityStore;
  roster: Roster;
  peers: Peers;
  users: { store: UserStore; roster: UserRoster };
  suspicions: Suspicions;
  destinations: readonly string[];
}

/** Sessions begin before the desk that decides about what they saw. */
interface Suspicions {
  hear(node: string, evidence: string): void;
}

/** Puts the handlers behind the listener; returns how to take them away. */
function attach(env: Env, parts: Parts): () => Promise<void> {
  const {
    dataDir,
    database,
    audits,
    listener,
    hub,
    store,
    images,
    authority,
    identities,
    customKinds,
    roster,
    peers,
    destinations,
  } = parts;
  const audit = (record: AuditRecord) => {
    env.log.info('audit', { ...record });
    audits.record(record);
  };
  const handle = (prefix: string, handler: RequestHandler) =>
    listener.handle(prefix, audited(env.clock, handler, audit));
  const desk = openIdentityDesk(env, {
    authority,
    store: identities,
    roster,
    peers,
    listener: { handle, dropRevoked: (node) => listener.dropRevoked(node) },
    destinations: () => destinations,
    ...nodeDecisions(env, store, hub.sessions, listener),
  });
  const users = new Users(env, {
    authority,
    ...parts.users,
    poolExists: async (pool) => (await store.get(nodePoolKind, undefined, pool)) !== undefined,
    ...userBindings(store),
    onRevoked: (user) => listener.dropUser(user),
  });
  handle('/stile/v1/', userEndpoints(env, users));
  parts.suspicions.hear = (node, evidence) => desk.identities.suspect(node, evidence);
  const admitAction = actionAdmission(env.clock, store, (node) => hub.state.epochs.get(node));
  const authorize = authorizeRoles(store);
  const pools = nodePoolAdmission(store);
  const definitions = definitionAdmission(store, customKinds.table);
  const api = createApi(env, {
    store: customKinds.versions,
    kinds: customKinds.table,
    authorize,
    guard: allGuards(escalationGuard(store, authorize), poolGuard(store), pools.guard, definitions.guard),
    advise: definitions.advise,
    guardDeletion: pools.guardDeletion,
    audit,
    version: versionInfo,
    complete: async (object, write) => admitAction(signed(await pools.complete(object, write), write), write),
  });
  handle('/stile/v1/', imageEndpoints(env, images));
  listener.handle('/stile/v1/', eventEndpoint(env.clock, hub));
  listener.handle('/stile/v1/', auditEndpoint(audits));
  listener.handle('/stile/v1/', historyEndpoint(store, database));
  listener.handle('/stile/v1/', sessionEndpoint(hub.sessions));
  const refusals = new Refusals();
  listener.handle('/stile/v1/', healthEndpoint(healthDesk(env, parts, refusals)));
  handle('/stile/v1/', backupEndpoint(dataDir, database));
  listener.handle('/', async (request, response, identity) => {
    await api.handle(request, response, identity);
    return true;
  });
  const acceptor = new WebSocketAcceptor();
  const door = sessionUpgrade({
    acceptor,
    peers,
    accept: (channel, node) => {
      refusals.admitted(node);
      hub.accept(channel, node);
    },
    onRefused: (node, code) => refusals.refused(node, code, env.clock.now()),
    onCopied: (node) => desk.identities.suspect(node, 'A certificate that its terminal has long replaced was shown'),
  });
  listener.upgrade(SESSION_PATH, door);
  return async () => {
    // Sessions say goodbye while their sockets still stand.
    await hub.sessions.stop();
    await desk.stop();
    await api.stop();
    acceptor.close();
  };
}

function healthDesk(env: Env, parts: Parts, refusals: Refusals): HealthDesk {
  const { dataDir, database, audits, hub, images, authority, roster } = parts;
  return new HealthDesk(env.clock, {
    dataDir,
    database,
    audits,
    journal: hub.journal,
    blobs: images.blobs,
    authorityPem: authority.certificatePem,
    roster,
    refusals,
    sessions: () => hub.sessions.size,
    eventLoop: new EventLoopWatch(),
  });
}

/** kubectl compares minor versions: the API follows Kubernetes 1.32. */
const versionInfo = {
  major: '1',
  minor: '32',
  gitVersion: `v1.32.0-stile.${programVersion}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch}`,
};

/** Every name under which somebody may come; the certificate's own list adds the loopback ones. */
function hostsOf(advertised: readonly Address[], listen: Address): string[] {
  const own = isWildcard(listen.host) ? firstAddress() : listen.host;
  return [...advertised.map(({ host }) => host), own];
}

/** What is advertised, or what is listened on; a wildcard becomes this machine's first address. */
function destinationsOf(advertised: readonly Address[], listening: Address): string[] {
  if (advertised.length > 0)
    return advertised.map(({ host, port }) => formatAddress({ host, port: port === 0 ? listening.port : port }));
  const host = isWildcard(listening.host) ? firstAddress() : listening.host;
  return [formatAddress({ host, port: listening.port })];
}

function firstAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? []) if (family === 'IPv4' && !internal) return address;
  return '127.0.0.1';
}

async function greet(env: Env, dataDir: string, authority: Authority, destination: string): Promise<string> {
  const path = join(dataDir, 'admin.kubeconfig');
  await writeKubeconfig(path, {
    server: `https://${destination}`,
    caPem: authority.certificatePem,
    administrator: await administratorCertificate(env, authority, dataDir),
  });
  return [
    `The hub listens on https://${destination}`,
    `Operate it:       export KUBECONFIG=${path}`,
    'Create a pool:    stile pool create hangzhou',
    'Join a terminal:  stile token create --pool hangzhou',
    `                  stile-runtime --hub https://${destination} --token TOKEN --name NAME --data-dir DIR`,
    '',
  ].join('\n');
}
