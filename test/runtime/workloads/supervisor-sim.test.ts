/**
 * The supervisor on a simulated terminal whose runtime crashes and whose power fails at any point, between an intent
 * and its confirmation too. What must hold: no container runs twice (W2), nothing that ran unchanged is restarted by a
 * restart of the runtime or by news (W1), addresses stay (A1), nothing is orphaned, and after stop the world is quiet
 * (L1). STILE_SEED=N runs that seed alone, STILE_SEEDS=K so many.
 */
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../protocol/errors.ts';
import { keys, type Pod } from '../../../protocol/kubernetes.ts';
import type {
  DesiredPod,
  HandlerCall,
  HandlerOutcome,
  Images,
  PodRecord,
  PodRecords,
  Processes,
  SpawnRequest,
} from '../../../runtime/workloads/ports.ts';
import { Supervisor, type SupervisorConfig, supervisorDefaults } from '../../../runtime/workloads/supervisor.ts';
import { describePodRecords } from '../../contract/pod-records.ts';
import { SimDisk } from '../../sim/disk.ts';
import { withoutRealWorld } from '../../sim/guard.ts';
import { SimPodFiles } from '../../sim/pod-files.ts';
import { simProber } from '../../sim/prober.ts';
import { type SimProcess, SimProcesses, type SimProgram } from '../../sim/processes.ts';
import type { SimRandom } from '../../sim/random.ts';
import { type Host, World } from '../../sim/world.ts';

const digest = `sha256:${'b'.repeat(64)}`;
const minuteMs = 60_000;

/** What the pods of a run are like; the name of a pod says which one it is. */
const kinds = ['steady', 'stubborn', 'crashing', 'littering', 'once'] as const;
type Kind = (typeof kinds)[number];

/** Breaks a port, to see that the checkers notice. */
type Tamper = (processes: Processes) => Processes;

class Terminal {
  readonly world: World;
  readonly host: Host;
  readonly random: SimRandom;
  readonly disk: SimDisk<Map<string, PodRecord>>;
  readonly processes: SimProcesses;
  readonly files: SimPodFiles;
  readonly faults: string[] = [];
  readonly gone = new Set<string>();
  /** Complete here, so that a start needs no network. */
  imageLocal = false;
  supervisor!: Supervisor;
  readonly #tamper: Tamper;

  constructor(seed: string, tamper: Tamper = (processes) => processes) {
    this.#tamper = tamper;
    this.world = new World(seed);
    this.host = this.world.host('gate');
    this.random = this.world.random.fork('driver');
    this.disk = new SimDisk<Map<string, PodRecord>>(this.world, this.host, {
      initial: () => new Map(),
      clone: (state) => new Map(state),
    });
    this.processes = new SimProcesses(this.host, (request) => this.#program(request));
    this.files = new SimPodFiles(this.host);
  }

  /** The next life, with the view `desired`, or with none. */
  async boot(desired: readonly DesiredPod[] | undefined, config: Partial<SupervisorConfig> = {}): Promise<void> {
    const env = this.host.boot();
    const ports = {
      processes: this.#tamper(this.processes.port()),
      files: this.files.port(),
      images: this.#images(),
      records: diskRecords(this.disk),
      prober: simProber(this.host, this.random, (call) => this.#answer(call)),
      output: {
        podStatus: () => {},
        nodeConditions: () => {},
        podGone: (pod: Pod) => void this.gone.add(pod.metadata.uid!),
        podEvent: () => {},
      },
    };
    const whole = { ...supervisorDefaults, nodeName: 'gate', hostIP: '192.0.2.1', ...config };
    this.supervisor = new Supervisor(env, ports, whole);
    await this.world.settle(this.supervisor.start(), minuteMs);
    if (desired !== undefined) this.supervisor.apply(desired);
  }

  leaders(pod: string): SimProcess[] {
    return this.processes.living().filter(({ leader, request }) => leader && podOf(request) === pod);
  }

  /** Called for each spawn, before the child is there. */
  #program(request: SpawnRequest): SimProgram {
    const own = podOf(request);
    const others = this.processes.living().filter((process) => podOf(process.request) === own);
    if (others.length > 0) this.faults.push(`${own} was started while ${others.length} of it ran`);
    const lives: Record<Kind, () => SimProgram> = {
      steady: () => ({ termMs: 20 }),
      stubborn: () => ({}),
      crashing: () => ({ endsAfterMs: this.random.integer(0, 20_000), exitCode: 1, termMs: 5 }),
      littering: () => ({ endsAfterMs: this.random.integer(0, 60_000), leavesDescendant: true, termMs: 5 }),
      once: () => ({ endsAfterMs: this.random.integer(100, 5_000), termMs: 5 }),
    };
    return lives[request.file as Kind]();
  }

  /** What pods say to their probes and hooks: always well, but for readiness, and for liveness where it may kill. */
  #answer(call: HandlerCall): HandlerOutcome | undefined {
    const port = call.kind === 'exec' ? 0 : call.port;
    if (port !== ports.readiness && port !== ports.frail) return { ok: true, message: '' };
    return this.random.chance(0.1) ? undefined : { ok: this.random.chance(0.7), message: 'as the dice fell' };
  }

  #images(): Images {
    const image = { digest, rootDirectory: '/image', config: { entrypoint: [], cmd: [], env: [], workingDir: '/' } };
    const life = this.host.life!;
    return {
      local: async () => (this.imageLocal ? image : undefined),
      ensure: async (_digest, signal) => {
        if (!this.imageLocal) await life.clock.sleep(this.random.between(0, 3_000), signal);
        if (!this.imageLocal && this.random.chance(0.5)) throw new AppError('E_LINK_UNREACHABLE', 'the hub is away');
        this.imageLocal = true;
        return image;
      },
      collect: async () => {},
    };
  }
}

const ports = { startup: 1, liveness: 2, readiness: 3, frail: 4 };

const tcpProbe = (port: number, periodSeconds: number) => ({ tcpSocket: { port }, periodSeconds });

/** Probes and hooks of the kinds that have some. */
const handlers: Partial<Record<Kind, Record<string, unknown>>> = {
  steady: {
    startupProbe: tcpProbe(ports.startup, 1),
    livenessProbe: tcpProbe(ports.liveness, 5),
    readinessProbe: tcpProbe(ports.readiness, 3),
    lifecycle: { postStart: { exec: { command: ['begin'] } }, preStop: { sleep: { seconds: 1 } } },
  },
  crashing: { livenessProbe: { ...tcpProbe(ports.frail, 2), failureThreshold: 2 } },
  littering: { lifecycle: { preStop: { sleep: { seconds: 30 } } } },
};

/** One life of a pod: deleting and making it again gives another uid and the same name. */
function podOfKind(kind: Kind, generation: number, change = 0): DesiredPod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: kind,
      namespace: 'gates',
      uid: `${kind}-${generation}`,
      annotations: { [keys.imageDigests]: JSON.stringify({ main: digest }) },
    },
    spec: {
      terminationGracePeriodSeconds: 3,
      restartPolicy: kind === 'once' ? 'OnFailure' : 'Always',
      containers: [{ name: 'main', image: 'gate:1', command: [kind], args: [String(change)], ...handlers[kind] }],
    },
  };
  return { pod, files: new Map() };
}

function podOf({ env }: SpawnRequest): string {
  return env.POD_NAME!;
}

function diskRecords(disk: SimDisk<Map<string, PodRecord>>): PodRecords {
  return {
    load: async () => [...disk.live.values()].map((record) => structuredClone(record)),
    save: async (record) => {
      const copy = structuredClone(record);
      await disk.commit((state) => void state.set(copy.uid, copy));
    },
    remove: async (uid) => {
      await disk.commit((state) => void state.delete(uid));
    },
  };
}

/** A view drawn anew: some pods leave, some are made again, some change, some only get a label. */
function redraw(view: Map<Kind, DesiredPod>, random: SimRandom): void {
  for (const kind of kinds) {
    const current = view.get(kind);
    const dice = random.next();
    if (current === undefined) {
      if (dice < 0.6) view.set(kind, podOfKind(kind, random.integer(1, 1_000_000)));
    } else if (dice < 0.12) view.delete(kind);
    else if (dice < 0.24) view.set(kind, podOfKind(kind, random.integer(1, 1_000_000)));
    else if (dice < 0.34) view.set(kind, changed(current, random.integer(1, 9)));
    else if (dice < 0.4) view.set(kind, deleted(current));
    else if (dice < 0.6) view.set(kind, labelled(current, random.integer(1, 9)));
  }
}

function changed({ pod, files }: DesiredPod, change: number): DesiredPod {
  const containers = pod.spec.containers.map((container) => ({ ...container, args: [String(change)] }));
  return { files, pod: { ...pod, spec: { ...pod.spec, containers } } };
}

function labelled({ pod, files }: DesiredPod, label: number): DesiredPod {
  return { files, pod: { ...pod, metadata: { ...pod.metadata, labels: { lane: String(label) } } } };
}

function deleted({ pod, files }: DesiredPod): DesiredPod {
  const metadata = { ...pod.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' };
  return { files, pod: { ...pod, metadata } };
}

/** Faults and news for a while; a fault may come at any moment, also while the runtime starts. */
async function disturb(terminal: Terminal, view: Map<Kind, DesiredPod>, rounds: number): Promise<void> {
  const { world, host, random } = terminal;
  for (let round = 0; round < rounds; round += 1) {
    redraw(view, random);
    terminal.supervisor.apply([...view.values()]);
    await world.run(world.nowMs + random.pick([5, 50, 500, 5_000, 60_000]) * random.next());
    if (random.chance(0.4)) continue;
    const steady = terminal.leaders('steady').map(({ identity }) => identity);
    const death = random.chance(0.7) ? 'crash' : 'power-cut';
    host.die(death);
    await world.run(world.nowMs + random.between(0, 10_000));
    const withView = random.chance(0.7);
    await terminal.boot(withView ? [...view.values()] : undefined);
    if (death === 'crash' && steady.length > 0) await expectSame(terminal, view, steady[0]!);
    if (!withView) terminal.supervisor.apply([...view.values()]);
  }
}

/** W1: a restart of the runtime alone leaves a wanted, unchanged pod the process that it had. */
async function expectSame(
  terminal: Terminal,
  view: Map<Kind, DesiredPod>,
  before: SimProcess['identity'],
): Promise<void> {
  const record = [...terminal.disk.live.values()].find(({ name }) => name === 'steady');
  const wanted = view.get('steady')?.pod;
  const unchanged =
    record !== undefined &&
    record.stoppingSinceMs === undefined &&
    wanted?.metadata.uid === record.uid &&
    wanted.metadata.deletionTimestamp === undefined &&
    wanted.spec.containers[0]!.args![0] === record.pod.spec.containers[0]!.args![0];
  await terminal.world.run(terminal.world.nowMs + 3_000);
  // One that was asked to end just before the crash may end after it.
  if (!unchanged || record.containers[0]!.state.running === undefined) return;
  const after = terminal.leaders('steady').map(({ identity }) => identity);
  if (after.length !== 1 || after[0]!.startTicks !== before.startTicks) {
    terminal.faults.push(`steady was restarted: ${JSON.stringify(before)} became ${JSON.stringify(after)}`);
  }
}

function simulate(seed: string, tamper?: Tamper): Promise<string> {
  return withoutRealWorld(() => simulateUnguarded(seed, tamper));
}

async function simulateUnguarded(seed: string, tamper?: Tamper): Promise<string> {
  const terminal = new Terminal(seed, tamper);
  const { world } = terminal;
  const view = new Map<Kind, DesiredPod>();
  await terminal.boot([]);
  await disturb(terminal, view, 40);

  for (const kind of kinds) if (view.get(kind)?.pod.metadata.deletionTimestamp !== undefined) view.delete(kind);
  view.set('steady', view.get('steady') ?? podOfKind('steady', 0));
  terminal.supervisor.apply([...view.values()]);
  await world.run(world.nowMs + 15 * minuteMs);
  if (terminal.faults.length > 0) throw world.failure(`${terminal.faults[0]}; replay it with STILE_SEED=${seed}`);
  const wanted = [...view.values()].map(({ pod }) => pod.metadata.uid);
  expect([...terminal.disk.live.keys()].sort(), `records, seed ${seed}`).toEqual(wanted.sort());
  expect(terminal.leaders('steady'), `steady, seed ${seed}`).toHaveLength(1);
  for (const { request } of terminal.processes.living()) expect(view.has(podOf(request) as Kind)).toBe(true);
  const addresses = terminal.supervisor.pods().map(({ podIP }) => podIP);
  expect(new Set(addresses).size).toBe(addresses.length);

  terminal.supervisor.apply([]);
  await world.run(world.nowMs + 5 * minuteMs);
  expect(terminal.processes.living(), `orphans, seed ${seed}`).toEqual([]);
  expect([terminal.disk.live.size, terminal.files.pods().length], `left behind, seed ${seed}`).toEqual([0, 0]);
  for (const uid of wanted) expect(terminal.gone.has(uid!), `${uid} told as gone, seed ${seed}`).toBe(true);
  await world.settle(terminal.supervisor.stop({ keepPods: true }), minuteMs);
  expect(terminal.host.pending(), `timers left, seed ${seed}`).toBe(0);
  return world.trace.hash();
}

describe('under crashes and power cuts', () => {
  const single = process.env.STILE_SEED;
  const count = Number(process.env.STILE_SEEDS ?? 40);
  const seeds =
    single === undefined ? Array.from({ length: count }, (_unused, index) => `supervisor-${index}`) : [single];
  test.each(seeds)('seed %s: nothing runs twice, nothing is orphaned, nothing unchanged restarts', async (seed) => {
    await simulate(seed);
  });

  test('a seed replays exactly', async () => {
    expect(await simulate('replay')).toBe(await simulate('replay'));
  });
});

describe('the checkers notice', () => {
  const variants: [string, RegExp, Tamper][] = [
    [
      'a runtime that does not look for unconfirmed children',
      /was started while/,
      (processes) => ({ ...processes, find: async () => undefined, sweep: async () => 0 }),
    ],
    [
      'a runtime that adopts nothing',
      /steady was restarted/,
      (processes) => ({ ...processes, adopt: async () => false }),
    ],
    [
      'a runtime that sweeps nothing',
      /orphans|was started while/,
      (processes) => ({ ...processes, sweep: async () => 0 }),
    ],
    ['a runtime that never sends SIGKILL', /left behind|orphans|records/, gentle],
  ];
  test.each(variants)('%s', async (_name, sentence, tamper) => {
    const outcomes: string[] = [];
    for (let index = 0; index < 8; index += 1) outcomes.push(await simulate(`broken-${index}`, tamper).catch(String));
    expect(outcomes.some((outcome) => sentence.test(outcome))).toBe(true);
  });
});

function gentle(processes: Processes): Processes {
  const signal: Processes['signal'] = async (identity, name) => {
    if (name === 'SIGTERM') await processes.signal(identity, name);
  };
  return { ...processes, signal };
}

test('after a power cut with no view and no network every pod is back, with its address', async () => {
  const terminal = new Terminal('offline');
  terminal.imageLocal = true;
  await terminal.boot([podOfKind('steady', 1), podOfKind('stubborn', 1)]);
  await terminal.world.run(terminal.world.nowMs + 5_000);
  const before = terminal.supervisor.pods().map(({ name, podIP }) => [name, podIP]);
  terminal.host.die('power-cut');
  await terminal.boot(undefined);
  await terminal.world.until('both pods', () => terminal.processes.living().length === 2, 10_000);
  expect(terminal.supervisor.pods().map(({ name, podIP }) => [name, podIP])).toEqual(before);
});

test('a slow image of one pod holds up neither another pod nor its own end', async () => {
  const terminal = new Terminal('slow');
  const slow = podOfKind('stubborn', 1);
  slow.pod.metadata.annotations = {
    [keys.imageDigests]: JSON.stringify({ main: `sha256:${'c'.repeat(64)}` }),
  };
  await terminal.boot([slow, podOfKind('steady', 1)]);
  await terminal.world.until('the other pod', () => terminal.leaders('steady').length === 1, 5 * minuteMs);
  terminal.supervisor.apply([podOfKind('steady', 1)]);
  await terminal.world.until('the end of the slow one', () => terminal.gone.has('stubborn-1'), minuteMs);
});

test('back-off doubles from 10 s to 300 s after a first restart at once, and a long good run clears it', async () => {
  const terminal = new Terminal('backoff');
  terminal.imageLocal = true;
  await terminal.boot([podOfKind('steady', 1)]);
  const starts: number[] = [];
  const endAndWait = async (runMs: number) => {
    await terminal.world.until('a start', () => terminal.leaders('steady').length === 1, 10 * minuteMs);
    starts.push(terminal.world.nowMs);
    await terminal.world.run(terminal.world.nowMs + runMs);
    terminal.processes.end(terminal.leaders('steady')[0]!.identity.pid, { exitCode: 1 });
  };
  for (let crash = 0; crash < 9; crash += 1) await endAndWait(1_000);
  const pauses = starts.slice(1).map((start, index) => Math.round((start - starts[index]! - 1_000) / 1_000));
  expect(pauses).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  await endAndWait(11 * minuteMs);
  await endAndWait(0);
  expect(Math.round((starts.at(-1)! - starts.at(-2)! - 11 * minuteMs) / 1_000)).toBe(0);
});

test('a full disk starts nothing and loses nothing; with space again the pod runs once', async () => {
  const terminal = new Terminal('full');
  terminal.imageLocal = true;
  await terminal.boot([]);
  terminal.disk.full = true;
  terminal.supervisor.apply([podOfKind('steady', 1)]);
  await terminal.world.run(terminal.world.nowMs + minuteMs);
  expect(terminal.processes.living()).toEqual([]);
  terminal.disk.full = false;
  await terminal.world.until('the pod', () => terminal.leaders('steady').length === 1, minuteMs);
  await terminal.world.run(terminal.world.nowMs + minuteMs);
  expect(terminal.faults).toEqual([]);
  expect(terminal.processes.living()).toHaveLength(1);
});

test('a pod can be ended while the disk is full', async () => {
  const terminal = new Terminal('full end');
  terminal.imageLocal = true;
  await terminal.boot([podOfKind('steady', 1)]);
  await terminal.world.until('the pod', () => terminal.leaders('steady').length === 1, 10_000);
  terminal.disk.full = true;
  terminal.supervisor.apply([]);
  await terminal.world.until('its end', () => terminal.processes.living().length === 0, minuteMs);
  terminal.disk.full = false;
  await terminal.world.until('the news of it', () => terminal.gone.has('steady-1'), minuteMs);
});

test('a pod that makes no sense disturbs no other', async () => {
  const terminal = new Terminal('nonsense');
  terminal.imageLocal = true;
  const nonsense = podOfKind('once', 1);
  nonsense.pod.spec = {} as Pod['spec'];
  await terminal.boot([nonsense, podOfKind('steady', 1)]);
  await terminal.world.run(terminal.world.nowMs + 5 * minuteMs);
  expect(terminal.leaders('steady')).toHaveLength(1);
  terminal.supervisor.apply([podOfKind('steady', 1)]);
  await terminal.world.until('its end', () => terminal.gone.has('once-1'), minuteMs);
});

test('a pod above the bound waits until another is gone', async () => {
  const terminal = new Terminal('bound');
  terminal.imageLocal = true;
  const [first, second] = [podOfKind('steady', 1), podOfKind('stubborn', 1)];
  await terminal.boot([first, second], { podsMax: 1 });
  await terminal.world.run(terminal.world.nowMs + minuteMs);
  expect(terminal.processes.living().map(({ request }) => podOf(request))).toEqual(['steady']);
  terminal.supervisor.apply([second]);
  await terminal.world.until('the second', () => terminal.leaders('stubborn').length === 1, minuteMs);
  expect(terminal.leaders('steady')).toEqual([]);
});

test('two pods of one name never run at once, and the second gets the address of the first', async () => {
  const terminal = new Terminal('namesakes');
  terminal.imageLocal = true;
  await terminal.boot([podOfKind('stubborn', 1)]);
  await terminal.world.until('the first', () => terminal.processes.living().length === 1, minuteMs);
  const [first] = terminal.supervisor.pods();
  terminal.supervisor.apply([podOfKind('stubborn', 2)]);
  await terminal.world.until('the second', () => terminal.supervisor.pods()[0]?.uid === 'stubborn-2', minuteMs);
  await terminal.world.until('its start', () => terminal.processes.living().length === 1, minuteMs);
  expect(terminal.faults).toEqual([]);
  expect(terminal.supervisor.pods()[0]!.podIP).toBe(first!.podIP);
});

test('a stop without keeping pods ends them gracefully, and the next start brings them back without back-off', async () => {
  const terminal = new Terminal('pause');
  terminal.imageLocal = true;
  await terminal.boot([podOfKind('steady', 1)]);
  await terminal.world.until('the pod', () => terminal.leaders('steady').length === 1, 10_000);
  await terminal.world.settle(terminal.supervisor.stop({ keepPods: false }), minuteMs);
  expect(terminal.processes.living()).toEqual([]);
  expect(terminal.host.pending()).toBe(0);
  terminal.host.die('crash');
  await terminal.boot(undefined);
  await terminal.world.until('the pod again', () => terminal.leaders('steady').length === 1, 5_000);
});

describePodRecords('on a simulated disk', async () => {
  const terminal = new Terminal('records');
  terminal.host.boot();
  const { world, disk } = terminal;
  const driven = (records: PodRecords): PodRecords => ({
    load: () => world.settle(records.load(), 1_000),
    save: (record) => enqueue(() => world.settle(records.save(record), 1_000)),
    remove: (uid) => enqueue(() => world.settle(records.remove(uid), 1_000)),
  });
  let last: Promise<unknown> = Promise.resolve();
  /** The world can be driven by one at a time. */
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    const next = last.then(work);
    last = next;
    return next;
  };
  return {
    records: driven(diskRecords(disk)),
    reopen: async () => {
      terminal.host.die('power-cut');
      terminal.host.boot();
      return driven(diskRecords(disk));
    },
    close: async () => {},
  };
});
