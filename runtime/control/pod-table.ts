/** Pods as a person reads them. Pure. */
import type { PodSnapshot } from '../workloads/supervisor.ts';
import { alignedText } from './aligned-text.ts';

export function podTable(pods: readonly PodSnapshot[]): string {
  if (pods.length === 0) return 'no pods on this terminal\n';
  const rows = pods
    .toSorted((a, b) => order(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`))
    .map((pod) => {
      const main = pod.containers.filter(({ init }) => !init);
      const running = main.filter(({ state }) => state.running !== undefined).length;
      const restarts = pod.containers.reduce((sum, { restartCount }) => sum + restartCount, 0);
      const pids = pod.containers.flatMap(({ pid }) => pid ?? []).join(',');
      return [pod.namespace, pod.name, `${running}/${main.length}`, statusOf(pod), String(restarts), pod.podIP, pids];
    });
  return alignedText([['NAMESPACE', 'NAME', 'RUNNING', 'STATUS', 'RESTARTS', 'IP', 'PIDS'], ...rows]);
}

/** What says most: that it ends, why a container waits, why one ended, else the phase. As kubectl's column. */
function statusOf({ stopping, phase, containers }: PodSnapshot): string {
  if (stopping) return 'Terminating';
  const waiting = containers.find(({ state, init }) => !init && state.waiting !== undefined)?.state.waiting?.reason;
  const ended = containers.find(({ state }) => (state.terminated?.exitCode ?? 0) !== 0)?.state.terminated?.reason;
  return waiting ?? ended ?? phase ?? 'Unknown';
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
