/** What a soak asks of a terminal: changes of its view at the hub, and pods that must not notice them. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../protocol/node/clock.ts';
import type { House } from '../house/house.ts';
import type { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, processesOf, pushProgram, runningPods } from '../house/workload.ts';

export const STEADY = 'steady';
export const RESTLESS = 'restless';
const GUEST = 'guest';
const IMAGE = 'app:1';
const steadyCount = 10;

/** Pod to process. */
export type Processes = Record<string, number | undefined>;

export class Load {
  readonly #house: House;
  readonly #client: HubClient;
  readonly #node: string;
  #rounds = 0;
  #uids: string[] = [];

  constructor(house: House, client: HubClient, node: string) {
    this.#house = house;
    this.#client = client;
    this.#node = node;
  }

  /** Changes that the view went through. */
  get changes(): number {
    return this.#rounds;
  }

  /** Starts ten pods with a ConfigMap, and one that will be restarted. */
  async start(): Promise<void> {
    await pushProgram(this.#house, IMAGE);
    const metadata = { name: 'settings', namespace: 'default' };
    await create(this.#client, paths.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { round: '0' },
    });
    for (let number = 0; number < steadyCount; number += 1)
      await create(this.#client, paths.pods, this.#pod(`${STEADY}-${number}`, STEADY));
    await create(this.#client, paths.pods, this.#pod(RESTLESS, RESTLESS));
    await runningPods(this.#house, this.#client, RESTLESS, 1);
    const pods = await runningPods(this.#house, this.#client, STEADY, steadyCount);
    this.#uids = pods.map(({ metadata: { uid } }) => uid!);
  }

  /** The steady pods as the machine has them. */
  async processes(): Promise<Processes> {
    return processesOf(await runningPods(this.#house, this.#client, STEADY, steadyCount));
  }

  /** Each in turn: settings that files follow, a label that changes nothing, a guest that comes and goes. */
  async change(): Promise<void> {
    const round = this.#rounds;
    const guest = `${paths.pods}/${GUEST}`;
    if (round % 4 === 1) await this.#client.create(paths.pods, this.#pod(GUEST, GUEST));
    else if (round % 4 === 3) await this.#client.remove(guest);
    else if (round % 4 === 2)
      await this.#client.patch(`${paths.pods}/${STEADY}-0`, { metadata: { labels: { round: String(round) } } });
    else await this.#client.patch(`${paths.configMaps}/settings`, { data: { round: String(round) } });
    this.#rounds += 1;
  }

  /** A last change; resolves when every pod's files have it. Rejects when they do not within `ms`. */
  async settle(ms: number): Promise<void> {
    const last = `last-${this.#rounds}`;
    await this.#client.patch(`${paths.configMaps}/settings`, { data: { round: last } });
    const dataDir = this.#house.terminals.get(this.#node)!.dataDir;
    const files = this.#uids.map((uid) => `${dataDir}/pods/${uid}/volumes/settings/round`);
    await this.#house.waitFor(
      'the last change to reach every pod',
      async () => {
        const rounds = await Promise.all(files.map((path) => readFile(path, 'utf8').catch(() => '')));
        return rounds.every((round) => round === last);
      },
      ms,
    );
  }

  #pod(name: string, app: string): unknown {
    const manifest = pod(
      name,
      {
        image: IMAGE,
        command: ['/bin/sleep', '1000000'],
        ...(app === STEADY ? { volumeMounts: [{ name: 'settings', mountPath: '/settings' }] } : {}),
      },
      {
        runtimeClassName: 'host',
        nodeName: this.#node,
        ...(app === STEADY ? { volumes: [{ name: 'settings', configMap: { name: 'settings' } }] } : {}),
      },
    ) as { metadata: { labels: Record<string, string> } };
    manifest.metadata.labels.app = app;
    return manifest;
  }
}

/** Does `work` each `ms` until `signal` aborts; what it throws ends it. */
export async function atPace(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await systemClock.sleep(ms, signal).catch(() => {});
  }
}
