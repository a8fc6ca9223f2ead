/** `stile-runtime`: the one process on a terminal. Gives the terminal its real ports and ends it in order. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isSea } from 'node:sea';
import type { Env } from '../protocol/env.ts';
import { AppError, asAppError, codeOf } from '../protocol/errors.ts';
import type { Condition, Json } from '../protocol/kubernetes.ts';
import { systemClock } from '../protocol/node/clock.ts';
import { createLog } from '../protocol/node/log.ts';
import type { PinnedTrust } from '../protocol/node/pinned-tls.ts';
import { systemRandom } from '../protocol/node/random.ts';
import { tellServiceManager } from '../protocol/node/service-manager.ts';
import { diskFaultOf } from '../protocol/node/sqlite.ts';
import { webSocketDialer } from '../protocol/node/websocket.ts';
import { programVersion } from '../protocol/program-version.ts';
import { Scope, untilAborted } from '../protocol/scope.ts';
import { type Arguments, parseArguments, usage } from './arguments.ts';
import { check } from './check/check.ts';
import { ControlServer, type Controls } from './control/control-server.ts';
import { controlSocketPath } from './control/control-socket.ts';
import { ctl } from './control/ctl.ts';
import { openStoreWithRoom, writableDirectory } from './data-directory.ts';
import { engineHeap } from './engine-heap.ts';
import { enrolOverHttps, renewOverHttps } from './identity/enrol-over-https.ts';
import { floorFile } from './identity/floor-file.ts';
import { enrol, type Identity, loadIdentity } from './identity/identity.ts';
import { OwnIdentity } from './identity/own-identity.ts';
import { keepIdleHeapSmall } from './idle-heap.ts';
import { blobsOverHttps } from './images/blob-source.ts';
import { ImageStore } from './images/image-store.ts';
import { LocalApi } from './local-api/local-api.ts';
import { localService } from './local-api/local-service.ts';
import { podKind, viewKinds } from './local-api/view-kinds.ts';
import { type LocalObject, ViewStore } from './local-api/view-store.ts';
import {
  abilitiesOf,
  architecture,
  defaultName,
  type Machine,
  openToPodUsers,
  PODS_MAX,
  readMachine,
} from './machine.ts';
import { runJs } from './main-js.ts';
import { memoryRoomBytes, memoryRoomCondition } from './memory-room.ts';
import { install, uninstall } from './service/service.ts';
import { tellDiskNews } from './store/disk-news.ts';
import { WearWatch } from './store/flash-wear.ts';
import { FloorJournal } from './store/floor-journal.ts';
import { upkeepOf } from './store/good-copy.ts';
import { NodeStore } from './store/node-store.ts';
import { recoveryCondition, suspectStore } from './store/recovery.ts';
import { ReserveFile } from './store/reserve-file.ts';
import { ReservedJournal } from './store/reserved-journal.ts';
import type { SqliteJournal } from './store/sqlite-journal.ts';
import { careDefaults, careForStore } from './store/store-care.ts';
import { writeCounters } from './store/write-counters.ts';
import { parseSubCommand, type SubCommand, subCommandUsage } from './sub-commands.ts';
import { Terminal } from './terminal.ts';
import { guardTrial } from './update/guard.ts';
import { type Launched, launch, takeLaunched } from './update/launch.ts';
import { openUpdates } from './update/open-updates.ts';
import { update } from './update/update-command.ts';
import { cgroupTreeDefaults, openCgroups } from './workloads/cgroups.ts';
import { MachineGauges } from './workloads/gauges.ts';
import { openContainers } from './workloads/oci/containers.ts';
import type { AddressRange } from './workloads/oci/pod-network.ts';
import { PodDirectories, podDirectoriesDefaults } from './workloads/pod-files.ts';
import { podStatus } from './workloads/pod-status.ts';
import type { UserRange } from './workloads/pod-user.ts';
import { LocalProber } from './workloads/prober.ts';
import { ChildProcesses, childProcessesDefaults } from './workloads/processes.ts';
import { killStrays } from './workloads/strays.ts';
import { supervisorDefaults } from './workloads/supervisor.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === 'run-js') return runJs(rest[0] ?? '', rest.slice(1));
  if (command === 'guard-trial') return guardTrial(systemClock, ownCommand(), rest);
  const asked = parseSubCommand(args);
  if (asked !== undefined && asked !== 'help') return runSubCommand(asked);
  const parsed = asked ?? parseArguments(args);
  if (parsed === 'help') process.stdout.write(`${usage}${subCommandUsage}`);
  else if (parsed === 'version') process.stdout.write(`${programVersion}\n`);
  else await runTerminal(parsed, args);
}

/** How this program is started, without arguments. */
function ownCommand(): string[] {
  return isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, process.argv[1]!];
}

async function runSubCommand({ command, options }: SubCommand): Promise<void> {
  if (command === 'ctl') return ctl(options);
  if (command === 'update') return update(options);
  if (command === 'install') return install(options);
  if (command === 'uninstall') return uninstall(options);
  const destination = hostOf(options.hub);
  process.exitCode = await check({
    output: options.output,
    dataDir: resolve(options.dataDir),
    environment: process.env,
    nowMs: systemClock.now(),
    ...(destination === undefined ? {} : { destination }),
  });
}

async function runTerminal(options: Arguments, args: readonly string[]): Promise<void> {
  const launched = takeLaunched(process.env);
  const env: Env = {
    clock: systemClock,
    random: systemRandom,
    log: createLog(options.logLevel, { program: 'stile-runtime' }),
  };
  const launching = { dataDir: resolve(options.dataDir), version: programVersion, command: ownCommand(), args };
  if (launched === undefined) await launch(env, { ...launching, environment: process.env });
  keepYoungGenerationSmall();
  const dataDir = await writableDirectory(env, options.dataDir);
  if (dataDir === undefined) return;
  const journal = await openStoreWithRoom(env, dataDir);
  try {
    const { identity, machine } = await identify(env, options, dataDir);
    const own = new OwnIdentity(env, { dataDir, identity, given: hostOf(options.hub), renew: renewOverHttps });
    const mended = await own.mend();
    const floored = new FloorJournal(env.log, journal, floorFile(dataDir));
    const reserved = new ReservedJournal(env, {
      journal: floored,
      reserve: new ReserveFile(dataDir),
      faultOf: diskFaultOf,
    });
    const store = await NodeStore.open(env.clock, reserved);
    const trust = () => ({ ...own.current, timeFloorMs: () => store.state.timeFloorMs });
    const images = await ImageStore.open(env, {
      dataDir,
      architecture: architecture(),
      source: blobsOverHttps(trust),
      destinations: () => own.destinations(),
    });
    try {
      const { podUsers, podNetwork, api } = options;
      const parts = {
        dataDir,
        podUsers,
        podNetwork,
        api,
        own,
        mended,
        trust,
        machine,
        images,
        store,
        journal,
        reserved,
        launched,
        keyFiles: options.updateKeys,
      };
      await serve(env, parts);
    } finally {
      await images.close();
    }
  } catch (error) {
    // The next start gives the file up; doing so here would take it from under whoever still writes.
    if (codeOf(error) === 'E_STORE_DAMAGED') await suspectStore(env, dataDir, (error as AppError).message);
    throw error;
  } finally {
    await journal.close();
  }
}

/** The identity of an earlier start, or a new one by the join token. */
async function identify(
  env: Env,
  options: Arguments,
  dataDir: string,
): Promise<{ identity: Identity; machine: Machine }> {
  const known = await loadIdentity(dataDir);
  const name = known?.name ?? options.name ?? defaultName();
  const machine = await readMachine(name, dataDir, programVersion);
  if (known !== undefined) {
    if (options.name !== undefined && options.name !== known.name)
      throw new AppError(
        'E_USAGE',
        `${dataDir} belongs to node ${known.name}: use another --data-dir for ${options.name}`,
      );
    return { identity: known, machine };
  }
  const token = options.token ?? (options.tokenFile === undefined ? undefined : await readToken(options.tokenFile));
  if (options.hub === undefined || token === undefined)
    throw new AppError(
      'E_USAGE',
      `this terminal has not joined yet: give --hub URL and --token T (from: stile token create --pool P)`,
    );
  const identity = await enrol(env, { hubUrl: options.hub, token, name, dataDir, info: machine.info }, enrolOverHttps);
  return { identity, machine };
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw asAppError(error, 'E_INPUT_INVALID', 'cannot read the token file');
  }
}

/** `--hub` names a URL; what is dialled is its host and port. Errors: `E_USAGE`. */
function hostOf(hub: string | undefined): string | undefined {
  if (hub === undefined) return undefined;
  const url = URL.parse(hub);
  if (url?.protocol !== 'https:' || url.host === '')
    throw new AppError('E_USAGE', `--hub takes https://HOST:PORT, not ${JSON.stringify(hub)}`);
  return url.port === '' ? `${url.host}:443` : url.host;
}

interface Parts {
  dataDir: string;
  podUsers: UserRange | undefined;
  podNetwork: AddressRange | undefined;
  /** Where the local API listens besides its socket. */
  api: Arguments['api'];
  own: OwnIdentity;
  /** Files of the identity that were not whole at the start. */
  mended: string[];
  /** As whom to come to the hub, asked for at each connection. */
  trust(): PinnedTrust;
  machine: Machine;
  images: ImageStore;
  journal: SqliteJournal;
  reserved: ReservedJournal;
  store: NodeStore;
  /** As what the launcher started this program. */
  launched: Launched | undefined;
  /** Of keys that updates are checked with. */
  keyFiles: readonly string[];
}

/** Runs until SIGTERM or SIGINT, then ends pods and link in order. A second signal ends at once. */
async function serve(env: Env, parts: Parts): Promise<void> {
  const { dataDir, own, mended, store, journal, reserved } = parts;
  const stopping = new AbortController();
  const { terminal, localApi, shown, files, children } = await assemble(env, parts, (error) => stopping.abort(error));
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) process.exit(1);
    env.log.info('stopping', { signal });
    stopping.abort(new AppError('E_CANCELLED', signal));
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const wear = new WearWatch(env, {
    kept: journal.kept('wear'),
    counters: () => writeCounters(journal),
    keep: (record) => journal.keep('wear', record),
    tell: (condition) => terminal.nodeCondition(condition),
  });
  const leave = () => stopping.abort(new AppError('E_CANCELLED', 'another version takes over', { details: leaving }));
  const updates = await openUpdates(env, { ...parts, version: programVersion, terminal, leave });
  const controls = { ...controlsOf({ terminal, files, journal, store, wear }), updates };
  let attendance: Attendance | undefined;
  let care: Scope | undefined;
  try {
    await terminal.start();
    localApi?.serve(localService(env, { terminal, shown, store }, localApi.principals));
    care = watchStore(env, { journal, reserved, store, dataDir, terminal, wear }, (error) => stopping.abort(error));
    watchIdentity(care, own, mended, terminal);
    care.spawn((signal) => untilAborted(signal, () => updates.run(signal)));
    care.spawn((signal) => untilAborted(signal, () => keepIdleHeapSmall(env.clock, engineHeap(), signal)));
    await tellMemoryRoom(env, terminal);
    attendance = await attend(env, care, dataDir, controls);
    env.log.info('started', { node: own.current.name, version: programVersion, dataDir });
    await new Promise<void>((done) => stopping.signal.addEventListener('abort', () => done(), { once: true }));
  } finally {
    await attendance?.control?.close();
    await care?.stop();
    // One that was only just opened.
    await attendance?.control?.close();
    // Pods do not end because their records cannot be read, or another version comes: the next start adopts them.
    const { reason } = stopping.signal;
    await terminal.stop({ keepPods: codeOf(reason) === 'E_STORE_DAMAGED' || (reason as AppError).details === leaving });
    // After the pods, which may have last words for it.
    await localApi?.close();
    // To the last: an end in order takes as long as the pods' grace, and is no hang.
    await attendance?.manager?.stop();
    children.close();
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
  const reason: unknown = stopping.signal.reason;
  if (!(reason instanceof AppError && reason.code === 'E_CANCELLED')) throw reason;
}

/** Before it matters: a runtime that the kernel kills has no last words. */
async function tellMemoryRoom(env: Env, terminal: Terminal): Promise<void> {
  const condition = memoryRoomCondition(await memoryRoomBytes());
  if (condition.status !== 'True') env.log.warn('memory is short', { message: condition.message });
  terminal.nodeCondition(condition);
}

/** The terminal with the ports of this machine. `onFailure` hears what it cannot go on with. */
async function assemble(env: Env, parts: Parts, onFailure: (error: unknown) => void) {
  const { dataDir, podUsers, podNetwork, own, trust, machine, images, store } = parts;
  const engineArguments = isSea() ? ['run-js'] : [process.argv[1]!, 'run-js'];
  const engine = { file: process.execPath, args: engineArguments, packed: isSea() };
  const cgroups = await openCgroups(cgroupTreeDefaults);
  const shared = podUsers === undefined ? 'switched off by --pod-users none' : await openToPodUsers(dataDir);
  const children = new ChildProcesses({ ...childProcessesDefaults, engine });
  const { hostPath } = podDirectoriesDefaults;
  const containers = await openContainers(env.clock, { dataDirectory: dataDir, range: podNetwork, hostPath }, children);
  const { processes, networks } = containers;
  const localApi = await openLocalApi(env, parts, shared === undefined);
  const access = localApi === undefined ? {} : { access: localApi.access };
  const bundles = containers.bundles === undefined ? {} : { bundles: containers.bundles };
  const files = new PodDirectories({ ...podDirectoriesDefaults, dataDirectory: dataDir, ...access, ...bundles });
  const faults = {
    isolation: shared,
    limits: cgroups.fault,
    containers: 'fault' in networks ? networks.fault : undefined,
  };
  const shown = shownView(env, store, machine.hostIP);
  const config = {
    name: own.current.name,
    bootId: machine.bootId,
    agent: `stile-runtime/${programVersion}`,
    supervisor: {
      ...supervisorDefaults,
      podsMax: PODS_MAX,
      nodeName: own.current.name,
      hostIP: machine.hostIP,
      ...(shared === undefined ? { podUsers } : {}),
    },
    status: { ...machine.status, ...abilitiesOf(faults, env.clock.now()) },
  };
  const ports = {
    dialer: webSocketDialer({ trust, destinations: () => own.destinations() }),
    onAdvertise: (list: readonly string[]) => own.learn(list),
    renewal: own,
    store,
    processes,
    images,
    files,
    prober: new LocalProber({ engine }),
    cgroups,
    networks,
    gauges: new MachineGauges({ dataDirectory: dataDir }),
    killStrays: async (known: ReadonlySet<string>) => {
      await containers.endStrays(known);
      await killStrays(dataDir, known);
    },
    shown,
  };
  const terminal = new Terminal(env, config, ports, onFailure);
  return { terminal, localApi, shown, files, children };
}

/** The view with the pods as they were known last, so that a start changes none for who reads it. */
function shownView(env: Env, { state }: NodeStore, hostIP: string): ViewStore {
  const statuses = [...state.pods.values()].map((record): [LocalObject, Json] => {
    const { namespace, name, uid } = record;
    return [{ kind: podKind, namespace, name, uid }, podStatus(record, hostIP) as unknown as Json];
  });
  return new ViewStore(env, state.sections, { kinds: viewKinds, timeFloorMs: state.timeFloorMs, statuses });
}

/** A terminal whose API cannot be opened does its work all the same, and says so. */
async function openLocalApi(env: Env, parts: Parts, openToUsers: boolean): Promise<LocalApi | undefined> {
  const { dataDir, own, api, store } = parts;
  const options = { dataDir, nodeName: own.current.name, openToUsers, ...(api === undefined ? {} : { tcp: api }) };
  try {
    return await LocalApi.open(env, options, (uid) => {
      const { namespace = 'default', name, annotations } = store.state.pods.get(uid)?.pod.metadata ?? {};
      return name === undefined
        ? undefined
        : { namespace, name, ...(annotations === undefined ? {} : { annotations }) };
    });
  } catch (error) {
    env.log.warn('no local api', { err: error });
    return undefined;
  }
}

/** Tells how the store was found; checks, copies and counts until the scope is stopped. `onFailure` hears of damage. */
function watchStore(
  env: Env,
  {
    journal,
    reserved,
    store,
    dataDir,
    terminal,
    wear,
  }: Pick<Parts, 'journal' | 'reserved' | 'store' | 'dataDir'> & { terminal: Terminal; wear: WearWatch },
  onFailure: (error: unknown) => void,
): Scope {
  const scope = new Scope(env.clock, onFailure);
  journal.onDamage(onFailure);
  const recovered = recoveryCondition(journal.recovery, env.clock.now());
  if (recovered !== undefined) terminal.nodeCondition(recovered);
  const nowMs = () => Math.max(env.clock.now(), store.state.timeFloorMs);
  scope.spawn((signal) => careForStore(env, upkeepOf(journal, dataDir), { config: careDefaults, nowMs, signal }));
  scope.spawn((signal) => wear.run(signal));
  scope.spawn((signal) => reserved.run(signal));
  const news = {
    health: () => ({ fault: reserved.fault, refusedEvents: store.refusedEvents, outboxFull: store.outboxFull }),
    tell: (condition: Condition) => terminal.nodeCondition(condition),
    report: (reason: string, message: string) => terminal.nodeEvent(reason, message),
  };
  scope.spawn((signal) => tellDiskNews(env, news, signal));
  return scope;
}

/** Tells what of the identity had to be written again, now and as long as `scope` lasts. */
function watchIdentity(scope: Scope, own: OwnIdentity, mended: readonly string[], terminal: Terminal): void {
  const tell = (files: readonly string[]) =>
    terminal.nodeEvent(
      'IdentityMended',
      `Of ${files.join(', ')} one copy was missing or damaged and was written again from the other: look at the disk of this terminal.`,
    );
  if (mended.length > 0) tell(mended);
  scope.spawn((signal) => own.watch(tell, signal));
}

interface Controlled extends Pick<Parts, 'journal' | 'store'> {
  terminal: Terminal;
  files: PodDirectories;
  wear: WearWatch;
}

/** Marks the end of a program that another version follows. */
const leaving = { keepPods: true };

function controlsOf({ terminal, files, journal, store, wear }: Controlled): Omit<Controls, 'updates'> {
  return {
    pods: () => terminal.supervisor.pods(),
    restart: (uid, by) => terminal.restartPod(uid, by),
    logFile: (uid, container) => files.logFileOf(uid, container),
    database: async () => ({
      faults: await journal.faults('quick'),
      timeFloorMs: store.state.timeFloorMs,
      wear: await wear.now(),
    }),
  };
}

interface Attendance {
  control: ControlServer | undefined;
  manager: ReturnType<typeof tellServiceManager>;
}

/** Between two attempts to open the control socket, which takes an inode. */
const CONTROL_RETRY_MS = 10_000;

/**
 * Opens the control socket, and tells systemd. A terminal that cannot be asked on the spot does its work all the same,
 * and tries again as long as `scope` lasts.
 */
async function attend(env: Env, scope: Scope, dataDir: string, controls: Controls): Promise<Attendance> {
  const attendance: Attendance = { control: undefined, manager: tellServiceManager(env, process.env) };
  const open = async () => {
    try {
      attendance.control = await ControlServer.open(env, controlSocketPath(dataDir), controls);
    } catch (error) {
      env.log.warn('no control socket', { err: error, retryMs: CONTROL_RETRY_MS });
    }
  };
  await open();
  const openLater = async (signal: AbortSignal) => {
    while (attendance.control === undefined) {
      await env.clock.sleep(CONTROL_RETRY_MS, signal);
      await open();
    }
  };
  scope.spawn((signal) => untilAborted(signal, () => openLater(signal)));
  return attendance;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const app = asAppError(error, 'E_INTERNAL', 'stile-runtime failed');
  // Messages of libraries may hold line ends; a person gets one sentence.
  process.stderr.write(`error: ${app.message.replace(/\s*[\r\n]+\s*/g, ' ').trim()} (${app.code})\n`);
  process.exitCode = app.code === 'E_USAGE' ? 2 : 1;
});
