/**
 * Losing and regaining the hub, again and again, with changes of the view in between. Goal: whatever way the hub is
 * lost, a pod that is the same pod afterwards is the same process. Method: a real hub, a real runtime and a proxy
 * between them; each round draws from the seed how the hub is lost, what changes, and when; then the fleet must come
 * to rest, and every pod whose uid was there before must have the pid and the start time that it had.
 */
import { readFileSync } from 'node:fs';
import type { Pod } from '../../protocol/kubernetes.ts';
import { statNow } from '../../runtime/workloads/proc.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { freePort, TcpProxy } from '../house/tcp-proxy.ts';
import { create, deployment, isReady, paths, pod, pushProgram, sleeper } from '../house/workload.ts';
import { SimRandom } from '../sim/random.ts';

export const losses = ['hub killed', 'hub stopped', 'cut', 'frozen', 'half-open', 'forgotten'] as const;
export type Loss = (typeof losses)[number];

/** When the view changes: just before the loss, while the link is down, or as soon as the hub is there again. */
const moments = ['before', 'during', 'after'] as const;
type Moment = (typeof moments)[number];

export interface RoundReport {
  loss: Loss;
  changes: string[];
  /** Pods that were there before and after. */
  unchanged: number;
  ms: number;
}

interface Rollout {
  generation: number;
  replicas: number;
}

const NODE = 'lossy';
/** Of both classes; never touched but for labels and files. */
const STEADY = ['steady-js', 'steady-host-1', 'steady-host-2'];
const EXTRAS_MAX = 5;
const OUTAGE_MS_MAX = 2_500;
const hostSleeper = { image: 'app:1', command: ['/bin/sleep', '1000000'] };

export class LossRounds {
  readonly house = new House();
  readonly seed: string;
  readonly #random: SimRandom;
  #proxy!: TcpProxy;
  /** The hub's own; what it advertises is the proxy. */
  #port = 0;
  #client!: HubClient;
  readonly #extras = new Set<string>();
  #extraCount = 0;
  /** What the deployment is to come to. */
  #app: Rollout = { generation: 0, replicas: 2 };
  #settings = 0;

  constructor(seed: string) {
    this.seed = seed;
    this.#random = new SimRandom(seed);
  }

  async open(): Promise<void> {
    this.#port = await freePort();
    this.#proxy = await TcpProxy.open(() => this.#port);
    await this.#startHub();
    await this.house.stile('pool', 'create', 'a');
    const token = await this.house.token('a');
    const hub = `https://${this.#proxy.address}`;
    const { child } = await this.house.startRuntime(NODE, '--hub', hub, '--token', token, '--name', NODE);
    await pushProgram(this.house, 'app:1', sleeper);
    // Pods of a node that does not exist are removed.
    await this.house.waitFor('the node', () => child.output().includes('"link live"'));
    await create(this.#client, paths.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { change: '0' },
    });
    for (const name of STEADY) await create(this.#client, paths.pods, steadyPod(name));
    const app = deployment('app', this.#app.replicas, this.#appContainer(), { runtimeClassName: 'host' });
    await create(this.#client, paths.deployments, app);
    await this.#rest();
  }

  async close(): Promise<void> {
    await this.#client?.close();
    await this.house.close();
    await this.#proxy?.close();
  }

  /** One loss. Rejects when a pod that stayed is another process, or when the fleet finds no rest. */
  async round(loss: Loss): Promise<RoundReport> {
    const beganMs = Date.now();
    const before = await this.#processes();
    const moment = this.#random.pick(moments);
    const changes: string[] = [];
    if (moment === 'before') changes.push(...(await this.#change()));
    await this.#lose(loss, moment, changes);
    if (moment === 'after') changes.push(...(await this.#change()));
    await this.#rest();
    const after = await this.#processes();
    const stayed = [...before].filter(([uid]) => after.has(uid));
    const restarted = stayed.filter(([uid, process]) => after.get(uid) !== process);
    if (restarted.length > 0 || stayed.length < STEADY.length)
      throw new Error(
        `${loss} (${changes.join(', ')}): ${stayed.length} pods stayed, restarted: ` +
          `${JSON.stringify(restarted.map(([uid, process]) => [uid, process, after.get(uid)]))}\n${this.house.logs()}`,
      );
    return { loss, changes, unchanged: stayed.length, ms: Date.now() - beganMs };
  }

  /** Names of steady pods to their processes: what a whole series must leave as it was. */
  async steady(): Promise<Record<string, string | undefined>> {
    const processes = await this.#processes();
    const pods = (await this.#pods()).filter(({ metadata }) => STEADY.includes(metadata.name));
    for (const { metadata, status } of pods)
      if (status?.containerStatuses?.[0]?.restartCount !== 0) throw new Error(`${metadata.name} was restarted`);
    return Object.fromEntries(pods.map(({ metadata }) => [metadata.name, processes.get(metadata.uid!)]));
  }

  get dials(): number {
    return this.#proxy.dials;
  }

  async #lose(loss: Loss, moment: Moment, changes: string[]): Promise<void> {
    const outageMs = this.#random.between(0, OUTAGE_MS_MAX);
    const isHub = loss === 'hub killed' || loss === 'hub stopped';
    if (isHub) {
      if (loss === 'hub killed') await this.house.hub!.kill('SIGKILL');
      else await this.house.hub!.stop();
      await pause(outageMs);
      await this.#startHub();
    } else this.#proxy.lose(loss);
    // A hub that is up again changes before the terminal is back.
    if (moment === 'during') changes.push(...(await this.#change()));
    if (!isHub) await pause(outageMs);
    this.#proxy.mend();
  }

  async #startHub(): Promise<void> {
    await this.#client?.close();
    const own = `127.0.0.1:${this.#port}`;
    await this.house.startHub('--listen', own, '--advertise', this.#proxy.address);
    this.#client = new HubClient({ kubeconfig: this.house.kubeconfig, url: `https://${own}` });
  }

  /** One to three changes of the view; returns their names. */
  async #change(): Promise<string[]> {
    const changes: Record<string, () => Promise<unknown>> = {
      add: () => this.#add(),
      remove: () => this.#remove(),
      replace: () => this.#redeploy({ generation: this.#app.generation + 1 }),
      scale: () => this.#redeploy({ replicas: this.#random.integer(1, 4) }),
      label: () => this.#label(),
      files: () => this.#rewrite(),
    };
    const names = Array.from({ length: this.#random.integer(1, 3) }, () => this.#random.pick(Object.keys(changes)));
    for (const name of names) await changes[name]!();
    return names;
  }

  async #add(): Promise<void> {
    if (this.#extras.size >= EXTRAS_MAX) return;
    this.#extraCount += 1;
    const name = `extra-${this.#extraCount}`;
    this.#extras.add(name);
    await create(this.#client, paths.pods, pod(name, hostSleeper, { runtimeClassName: 'host', nodeName: NODE }));
  }

  async #remove(): Promise<void> {
    if (this.#extras.size === 0) return;
    const name = this.#random.pick([...this.#extras]);
    this.#extras.delete(name);
    await this.#client.remove(`${paths.pods}/${name}`);
  }

  async #redeploy(change: Partial<Rollout>): Promise<void> {
    this.#app = { ...this.#app, ...change };
    const { replicas } = this.#app;
    const spec = { replicas, template: { spec: { containers: [{ name: 'main', ...this.#appContainer() }] } } };
    await this.#client.patch(`${paths.deployments}/app`, { spec });
  }

  async #label(): Promise<void> {
    const name = this.#random.pick([...STEADY, ...this.#extras]);
    const labels = { lane: String(this.#random.integer(1, 9)) };
    await this.#client.patch(`${paths.pods}/${name}`, { metadata: { labels } });
  }

  async #rewrite(): Promise<void> {
    this.#settings += 1;
    await this.#client.patch(`${paths.configMaps}/settings`, { data: { change: String(this.#settings) } });
  }

  #appContainer() {
    return { ...hostSleeper, env: [{ name: 'GENERATION', value: String(this.#app.generation) }] };
  }

  async #pods(): Promise<Pod[]> {
    return (await this.#client.get<{ items: Pod[] }>(paths.pods)).items;
  }

  /** Until exactly the wanted pods run, each as one process, with the files that were written last. */
  async #rest(): Promise<void> {
    await this.house.waitFor('the fleet to come to rest', async () => {
      const pods = await this.#pods();
      const bare = pods.map(({ metadata }) => metadata.name).filter((name) => !name.startsWith('app-'));
      const app = pods.filter(({ metadata }) => metadata.name.startsWith('app-'));
      const wanted = [...STEADY, ...this.#extras];
      if (bare.sort().join() !== wanted.sort().join() || app.length !== this.#app.replicas) return false;
      const generation = String(this.#app.generation);
      if (!app.every(({ spec }) => spec.containers[0]!.env![0]!.value === generation)) return false;
      if (!pods.every((each) => isReady(each) && each.metadata.deletionTimestamp === undefined)) return false;
      const steady = pods.filter(({ metadata }) => STEADY.includes(metadata.name));
      if (!steady.every((each) => this.#fileOf(each) === String(this.#settings))) return false;
      const processes = await this.#processes();
      return processes.size === pods.length && pods.every(({ metadata }) => processes.has(metadata.uid!));
    });
  }

  #fileOf({ metadata }: Pod): string {
    const path = this.house.path('nodes', NODE, 'pods', metadata.uid!, 'volumes', 'settings', 'change');
    return readFileSync(path, 'utf8');
  }

  /** Uid of each pod that has a process to `PID started at TICKS`. Two of one pod are an error at once. */
  async #processes(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const pid of await this.house.podPids()) {
      const seen = statNow(pid);
      // The pod's own process leads its group; what it starts is its own affair.
      if (seen === undefined || seen.group !== pid || seen.state === 'Z') continue;
      const uid = /\/pods\/([^/\0]+)\/root/.exec(environmentOf(pid))?.[1];
      if (uid === undefined) continue;
      if (found.has(uid)) throw new Error(`pod ${uid} runs twice: ${found.get(uid)} and ${pid}`);
      found.set(uid, `${pid} started at ${seen.startTicks}`);
    }
    return found;
  }
}

function steadyPod(name: string): unknown {
  const isHost = name.includes('host');
  const volumeMounts = [{ name: 'settings', mountPath: '/settings' }];
  const container = { ...(isHost ? hostSleeper : { image: 'app:1' }), volumeMounts };
  const volumes = [{ name: 'settings', configMap: { name: 'settings' } }];
  return pod(name, container, { runtimeClassName: isHost ? 'host' : 'js', nodeName: NODE, volumes });
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
