/** A real hub that holds many pods, and what it and its process tell of themselves. */
import { readFile } from 'node:fs/promises';
import type { HubHealth } from '../../../cloud/hub/hub-health.ts';
import type { House } from '../../house/house.ts';
import { HubClient } from '../../house/hub-client.ts';
import { create, paths } from '../../house/workload.ts';
import { boundPod } from '../../protocol/samples/objects.ts';
import type { Stage } from '../bench.ts';

const NODE = 'gate-0';
/** Pods being created at once: the hub groups what comes together into one commit. */
const LANES = 32;
/** Of the kernel's clock in /proc/PID/stat. */
const MS_PER_TICK = 10;

export class HubWithPods {
  readonly house: House;
  readonly #client: HubClient;

  private constructor(house: House, client: HubClient) {
    this.house = house;
    this.#client = client;
  }

  /** The pods are bound to a node that never comes, and nothing takes them away from it. */
  static async start(stage: Stage, podCount: number): Promise<HubWithPods> {
    const house = stage.house();
    await house.startHub();
    const client = new HubClient(house);
    stage.later(() => client.close());
    await create(client, paths.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
    await together(podCount, LANES, (number) => create(client, paths.pods, podOf(number)));
    return new HubWithPods(house, client);
  }

  /** Since it was last asked; the first question only begins to measure. */
  async longestBlockMs(): Promise<number> {
    const { eventLoop } = await this.#client.get<HubHealth>('/stile/v1/health');
    return eventLoop?.longestBlockMs ?? 0;
  }

  /** Of all its threads, so far. Resolution: 10 ms. */
  async cpuMs(): Promise<number> {
    const stat = await readFile(`/proc/${this.house.hub!.pid}/stat`, 'latin1');
    // Behind the name in brackets, which may hold anything: user and system time are the 12th and 13th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }
}

export const podName = (number: number): string => `pod-${String(number).padStart(5, '0')}`;

function podOf(number: number): object {
  const { spec, ...pod } = boundPod(number) as unknown as { spec: object; metadata: Record<string, unknown> };
  const { labels, annotations } = pod.metadata;
  const tolerations = [{ operator: 'Exists' }];
  return {
    ...pod,
    metadata: { name: podName(number), labels, annotations },
    spec: { ...spec, nodeName: NODE, tolerations },
  };
}

/** `count` times `work`, at most `lanes` of them at once. */
export async function together(
  count: number,
  lanes: number,
  work: (number: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
