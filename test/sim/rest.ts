/**
 * Whether the fleet has come to rest, as it must some time after all faults have ended: every terminal is live and has
 * delivered everything, holds the hub's view, and runs the pods that the store binds to it and nothing else.
 */
import type { Hub } from '../../cloud/hub/hub.ts';
import { actionKind, nodeKind, podKind, twinKind } from '../../cloud/kinds/registry.ts';
import { type Action, keys, type Node, type Pod, type Twin } from '../../protocol/kubernetes.ts';
import { actionFault } from './checkers/c1-actions.ts';
import { twinFault } from './checkers/m1-twins.ts';
import { viewFault } from './checkers/t1-views.ts';
import type { Violation } from './checkers/verdicts.ts';
import type { Fleet } from './fleet.ts';
import type { SimNode } from './sim-node.ts';
import { lastingPrograms, ownerOf } from './sim-programs.ts';

export type Unrest = Pick<Violation, 'invariant' | 'sentence'>;

/** What is not at rest; undefined when everything is. Cheap questions first. */
export async function unrest(fleet: Fleet): Promise<Unrest | undefined> {
  const { hub, store } = fleet.hub;
  if (hub === undefined || store === undefined) return settle('the hub is down');
  for (const node of fleet.served()) {
    const fault = linkFault(node, hub);
    if (fault !== undefined) return settle(`${node.name} ${fault}`);
  }
  const untold = fleet.nodes.find(
    ({ dialect, terminal }) => dialect === 'unsupported' && terminal?.link.refused?.code !== 'E_VERSION_UNSUPPORTED',
  );
  if (untold !== undefined) return settle(`${untold.name} is too new and is told another thing`);
  for (const node of fleet.served()) {
    const fault = viewFault(node, hub.views.sectionsOf(node.name));
    if (fault !== undefined) return { invariant: 'T1', sentence: `${node.name}: ${fault}` };
  }
  const twins = Map.groupBy((await store.list(twinKind)).items as Twin[], ({ spec }) => spec.nodeName);
  for (const node of fleet.served()) {
    const fault = twinFault(node, twins.get(node.name) ?? []);
    if (fault !== undefined) return { invariant: 'M1', sentence: `${node.name} ${fault}` };
  }
  const unfinished = actionFault((await store.list(actionKind)).items as Action[], fleet.hub.host.wall.now());
  if (unfinished !== undefined) return { invariant: 'C1', sentence: unfinished };
  const pods = (await store.list(podKind)).items as Pod[];
  const dying = pods.find(({ metadata }) => metadata.deletionTimestamp !== undefined);
  if (dying !== undefined) return settle(`pod ${dying.metadata.name} of ${dying.spec.nodeName} does not end`);
  const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? '');
  const nodes = (await store.list(nodeKind)).items as Node[];
  const pending = (byNode.get('') ?? []).find((pod) => nodes.some((node) => hasRoom(pod, node, byNode)));
  if (pending !== undefined) return settle(`pod ${pending.metadata.name} is bound to no node`);
  for (const node of fleet.served()) {
    const fault = workFault(node, byNode.get(node.name) ?? []);
    if (fault !== undefined) return settle(`${node.name} ${fault}`);
  }
  return undefined;
}

/** A pod may wait while its pool has no terminal, or only full ones. */
function hasRoom(pod: Pod, { metadata, status }: Node, byNode: Map<string, Pod[]>): boolean {
  const pool = pod.spec.nodeSelector?.[keys.nodePool];
  const allowed = Number(status?.allocatable?.pods ?? 0);
  const fits = pool === undefined || metadata.labels?.[keys.nodePool] === pool;
  return fits && (byNode.get(metadata.name)?.length ?? 0) < allowed;
}

function settle(sentence: string): Unrest {
  return { invariant: 'settle', sentence };
}

/** Both ends are asked: a terminal holds a link for live until the silence of a hub that was cut off is over. */
function linkFault({ name, terminal, store }: SimNode, { sessions, state }: Hub): string | undefined {
  if (terminal === undefined) return 'is down';
  if (!terminal.link.live) return `is not live${terminal.link.refused ? `: ${terminal.link.refused.message}` : ''}`;
  if (sessions.contact(name)?.connectedSinceMs === undefined) return 'has no session at the hub';
  if (store?.state.incarnation !== state.incarnation) return 'has not greeted this hub';
  return terminal.link.drained ? undefined : 'has reports that are not acknowledged';
}

function workFault({ processes }: SimNode, pods: readonly Pod[]): string | undefined {
  const living = processes.living();
  const stray = living.find(({ request }) => !pods.some(({ metadata }) => metadata.uid === ownerOf(request).uid));
  if (stray !== undefined) return `runs ${stray.request.logFile}, which the store does not bind to it`;
  for (const { metadata, spec, status } of pods)
    for (const { name, command = [] } of spec.containers) {
      const running = living.some(({ leader, request }) => {
        const { uid, container } = ownerOf(request);
        return leader && uid === metadata.uid && container === name;
      });
      const lasting = lastingPrograms.has(command[0] ?? '');
      if (lasting && !running) return `does not run ${metadata.name}`;
      if (lasting && status?.phase !== 'Running') return `has not told that ${metadata.name} runs`;
    }
  return undefined;
}
