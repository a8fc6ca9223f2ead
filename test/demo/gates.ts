/** What the demo observes: pods as the hub tells them, processes as the machine has them, gates as they answer. */
import { request } from 'node:http';
import type { Pod } from '../../protocol/kubernetes.ts';
import type { House } from '../house/house.ts';
import { PORT } from './manifest.ts';

export interface Gate {
  pod: string;
  node: string;
  pool: string;
  image: string;
  podIP: string;
  ready: boolean;
  restarts: number;
}

export interface GateAnswer {
  region: string;
  version: string;
  pid: number;
  entries: number;
}

export type Scan = { admitted: true; ticket: string } | { admitted: false; reason: string };

export async function gatesOf(house: House): Promise<Gate[]> {
  const { items } = await house.json<{ items: Pod[] }>('get', 'pods', '-l', 'app=gate');
  return items.map((pod) => ({
    pod: pod.metadata.name,
    node: pod.spec.nodeName ?? '',
    pool: pod.metadata.labels?.['apps.openyurt.io/pool-name'] ?? '',
    image: pod.spec.containers[0]!.image ?? '',
    podIP: pod.status?.podIP ?? '',
    ready: pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    restarts: pod.status?.containerStatuses?.[0]?.restartCount ?? 0,
  }));
}

export const ask = (gate: Gate): Promise<GateAnswer> => call(gate.podIP, 'GET') as Promise<GateAnswer>;

export const scan = (gate: Gate, ticket: string): Promise<Scan> =>
  call(gate.podIP, 'POST', JSON.stringify({ ticket })) as Promise<Scan>;

function call(host: string, method: string, body?: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const path = method === 'POST' ? '/scan' : '/';
    const sent = request({ host, port: PORT, method, path, timeout: 5_000, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`the gate at ${host} does not answer`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
