/** What the fault tests ask of a house with one terminal: its Node at the hub, its pods on the spot, its own words. */
import { expect } from 'vitest';
import type { Condition, KubeObject, Node } from '../../protocol/kubernetes.ts';
import type { House, Outcome } from '../house/house.ts';
import type { HubClient } from '../house/hub-client.ts';
import { isAlive, processesOf, runningPods } from '../house/workload.ts';

export async function conditionOf(client: HubClient, node: string, type: string): Promise<Condition | undefined> {
  const { status } = await client.get<Node>(`/api/v1/nodes/${node}`);
  return status?.conditions?.find((condition) => condition.type === type);
}

/** Waits until the hub says of the Node that `type` holds for `reason`. */
export async function condition(house: House, client: HubClient, node: string, type: string, reason: string) {
  let found: Condition | undefined;
  await house.waitFor(`${type} of ${node} to say ${reason}`, async () => {
    found = await conditionOf(client, node, type);
    return found?.reason === reason;
  });
  return found!;
}

/** Events of that reason that the hub has. */
export async function eventsOf(client: HubClient, reason: string): Promise<(KubeObject & { message: string })[]> {
  const { items } = await client.get<{ items: KubeObject[] }>('/api/v1/events');
  return items.filter((event) => event.reason === reason) as (KubeObject & { message: string })[];
}

/** Of all pods of `app`, sorted, once each of them has its process. */
export async function pidsOf(house: House, client: HubClient, app: string, count: number): Promise<number[]> {
  let pids: (number | undefined)[] = [];
  await house.waitFor(`processes of ${app}`, async () => {
    pids = Object.values(await processesOf(await runningPods(house, client, app, count)));
    return pids.every(isAlive);
  });
  return (pids as number[]).sort((a, b) => a - b);
}

export function expectAlive(pids: readonly number[]): void {
  expect(pids.filter((pid) => !isAlive(pid))).toEqual([]);
}

export interface OnTheSpot {
  name: string;
  uid: string;
  containers: { name: string; pid?: number; restartCount: number }[];
}

/** `ctl` of the runtime in `dataDir`, which must answer. */
export async function podsOnTheSpot(house: House, dataDir: string): Promise<OnTheSpot[]> {
  const outcome: Outcome = await house.tryRuntime('ctl', 'pods', '-o', 'json', '--data-dir', dataDir);
  expect(outcome.stderr).toBe('');
  return (JSON.parse(outcome.stdout) as { pods: OnTheSpot[] }).pods;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
