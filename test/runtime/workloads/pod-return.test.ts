/**
 * Goal: at a start nobody uses the network before the recorded pods are back, and no pod can hold that up for good.
 * Method: a supervisor on a simulated machine whose power was cut; what it asks of the image store is noted.
 */
import { expect, test } from 'vitest';
import { keys, type Pod } from '../../../protocol/kubernetes.ts';
import type { DesiredPod, Images, LocalImage, PodFiles } from '../../../runtime/workloads/ports.ts';
import { Supervisor, supervisorDefaults } from '../../../runtime/workloads/supervisor.ts';
import { withoutRealWorld } from '../../sim/guard.ts';
import { SimPodFiles } from '../../sim/pod-files.ts';
import { simProber } from '../../sim/prober.ts';
import { SimProcesses } from '../../sim/processes.ts';
import { World } from '../../sim/world.ts';
import { MemoryRecords } from './memory-records.ts';

const RETURN_MS = 5_000;
const LOCAL_MS = 700;
const digestOf = (name: string) => `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}`;
const image = (digest: string): LocalImage => {
  return { digest, rootDirectory: '/image', config: { entrypoint: [], cmd: [], env: [], workingDir: '/' } };
};

class Machine {
  readonly world = new World('return');
  readonly host = this.world.host('gate');
  readonly records = new MemoryRecords();
  readonly processes = new SimProcesses(this.host, () => ({ termMs: 5 }));
  readonly files = new SimPodFiles(this.host);
  /** Pods whose image is complete here. */
  readonly complete = new Set<string>();
  /** Pods whose files take for ever to write. */
  readonly hanging = new Set<string>();
  /** What the network was asked for, and how many pods ran at that moment. */
  readonly asked: { digest: string; running: number }[] = [];

  /** Resolves to when the network was free to use, in ms since the start. */
  async boot(names: readonly string[]): Promise<number> {
    const env = this.host.boot();
    const output = { podStatus() {}, nodeConditions() {}, podGone() {}, podEvent() {} };
    const prober = simProber(this.host, this.world.random.fork('probes'), () => undefined);
    const parts = { processes: this.processes.port(), files: this.#files(), images: this.#images(), prober, output };
    const config = { ...supervisorDefaults, returnMsMax: RETURN_MS, nodeName: 'gate', hostIP: '192.0.2.1' };
    const supervisor = new Supervisor(env, { ...parts, records: this.records }, config);
    const beganMs = this.world.nowMs;
    await this.world.settle(supervisor.start(), 60_000);
    supervisor.apply(names.map(podNamed));
    await this.world.settle(supervisor.returned(new AbortController().signal), 60_000);
    return this.world.nowMs - beganMs;
  }

  async runFor(ms: number): Promise<void> {
    await this.world.run(this.world.nowMs + ms);
  }

  get running(): number {
    return this.processes.living().length;
  }

  #files(): PodFiles {
    const port = this.files.port();
    const never = new Promise<never>(() => {});
    const prepare: PodFiles['prepare'] = (desired, user) =>
      this.hanging.has(desired.pod.metadata.name) ? never : port.prepare(desired, user);
    return { ...port, prepare };
  }

  #images(): Images {
    const life = this.host.life!;
    return {
      local: async (digest) => {
        await life.clock.sleep(LOCAL_MS);
        return [...this.complete].some((name) => digestOf(name) === digest) ? image(digest) : undefined;
      },
      ensure: async (digest) => {
        this.asked.push({ digest, running: this.running });
        return image(digest);
      },
      collect: async () => {},
    };
  }
}

function podNamed(name: string): DesiredPod {
  const annotations = { [keys.imageDigests]: JSON.stringify({ main: digestOf(name) }) };
  const spec = { containers: [{ name: 'main', image: `${name}:1`, command: ['run'] }] } as Pod['spec'];
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'gates', uid: `uid-${name}`, annotations },
    spec,
  };
  return { pod, files: new Map() };
}

/** A machine that ran `names` and lost its power. */
async function afterPowerCut(names: readonly string[]): Promise<Machine> {
  const machine = new Machine();
  for (const name of names) machine.complete.add(name);
  await machine.boot(names);
  await machine.runFor(10_000);
  expect(machine.running).toBe(names.length);
  machine.host.die('power-cut');
  expect(machine.running).toBe(0);
  machine.asked.length = 0;
  return machine;
}

test('a terminal without pods waits for nobody', () =>
  withoutRealWorld(async () => {
    expect(await new Machine().boot([])).toBe(0);
  }));

test('the network is free as soon as the last pod runs, and an image that is missing is asked for only then', () =>
  withoutRealWorld(async () => {
    const machine = await afterPowerCut(['a', 'b', 'c']);
    machine.complete.delete('b');
    expect(await machine.boot(['a', 'b', 'c'])).toBeLessThan(RETURN_MS);
    expect(machine.running).toBe(2);
    await machine.runFor(1_000);
    expect(machine.asked).toEqual([{ digest: digestOf('b'), running: 2 }]);
    expect(machine.running).toBe(3);
  }));

test('a pod that hangs holds the network up for a bounded time', () =>
  withoutRealWorld(async () => {
    const machine = await afterPowerCut(['a', 'b']);
    machine.hanging.add('b');
    const waitedMs = await machine.boot(['a', 'b']);
    expect(waitedMs).toBeGreaterThanOrEqual(RETURN_MS);
    expect(waitedMs).toBeLessThan(RETURN_MS + LOCAL_MS);
    expect(machine.running).toBe(1);
  }));

test('a pod that is new in the view is not waited for', () =>
  withoutRealWorld(async () => {
    const machine = await afterPowerCut(['a']);
    machine.hanging.add('new');
    expect(await machine.boot(['a', 'new'])).toBeLessThan(RETURN_MS);
  }));
