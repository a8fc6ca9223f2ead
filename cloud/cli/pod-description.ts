/** What `describe` tells of a Pod beyond any object: where it is and how its containers fare. */
import {
  type Container,
  type ContainerState,
  type ContainerStatus,
  keys,
  type Pod,
} from '../../protocol/kubernetes.ts';
import type { Sections } from './description.ts';
import { type Outline, outlineOf } from './outline.ts';

export function podSections(pod: Pod): Sections {
  const { spec, status } = pod;
  const digests = digestsOf(pod);
  const containers = (list: readonly Container[] | undefined, statuses: readonly ContainerStatus[] | undefined) =>
    (list ?? []).map((container): [string, Outline] => {
      const found = statuses?.find((entry) => entry.name === container.name);
      return [container.name, containerOutline(container, found, digests[container.name])];
    });
  const { initContainerStatuses } = (status ?? {}) as { initContainerStatuses?: ContainerStatus[] };
  const init = containers(spec.initContainers, initContainerStatuses);
  const outline: Outline = [
    ['Node', spec.nodeName ?? '<not bound yet>'],
    ['Status', [status?.phase ?? 'Pending', status?.reason].filter(Boolean).join(', ')],
    ['Message', status?.message],
    ['IP', status?.podIP ?? '<none>'],
    ['Started', status?.startTime],
    ['Runtime', spec.runtimeClassName ?? 'host'],
    ['Restart Policy', spec.restartPolicy ?? 'Always'],
    ['Init Containers', init.length === 0 ? undefined : init],
    ['Containers', containers(spec.containers, status?.containerStatuses)],
  ];
  return {
    outline,
    lines: [],
    told: [
      'spec.nodeName',
      'spec.runtimeClassName',
      'spec.restartPolicy',
      'spec.containers',
      'spec.initContainers',
      ...['phase', 'reason', 'message', 'podIP', 'startTime', 'containerStatuses', 'initContainerStatuses'].map(
        (member) => `status.${member}`,
      ),
    ],
  };
}

/** The digests that the pod was bound with; a damaged annotation tells nothing. */
function digestsOf(pod: Pod): Record<string, string> {
  try {
    return JSON.parse(pod.metadata.annotations?.[keys.imageDigests] ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}

function containerOutline(
  container: Container,
  status: ContainerStatus | undefined,
  digest: string | undefined,
): Outline {
  const { name: _, image, env, ...rest } = container;
  const { started: _started, state, lastState, ready, restartCount, imageID } = status ?? {};
  return [
    ['Image', image ?? '<none>'],
    ['Image Digest', digest ?? (imageID || undefined)],
    ['State', state === undefined ? 'Waiting, no word from the node yet' : stateLines(state)],
    ['Last State', lastState === undefined || isEmpty(lastState) ? undefined : stateLines(lastState)],
    ['Ready', String(ready ?? false)],
    ['Restarts', String(restartCount ?? 0)],
    ['Environment', env === undefined || env.length === 0 ? undefined : env.map(environmentLine)],
    ...(Object.keys(rest).length === 0 ? [] : (outlineOf(rest) as Outline)),
  ];
}

function stateLines({ running, waiting, terminated }: ContainerState): string[] {
  if (running !== undefined) return [`Running since ${running.startedAt}`];
  if (waiting !== undefined) return [`Waiting: ${waiting.reason}`, ...lines(waiting.message)];
  if (terminated === undefined) return ['<unknown>'];
  const { exitCode, signal, reason, finishedAt, message } = terminated;
  const end = signal === undefined || signal === 0 ? `exit code ${exitCode}` : `signal ${signal}`;
  return [`Terminated: ${reason}, ${end}${finishedAt === undefined ? '' : `, at ${finishedAt}`}`, ...lines(message)];
}

function lines(message: string | undefined): string[] {
  return message === undefined || message === '' ? [] : message.trimEnd().split('\n');
}

function isEmpty(state: ContainerState): boolean {
  return Object.keys(state).length === 0;
}

function environmentLine({ name, value, valueFrom }: NonNullable<Container['env']>[number]): string {
  if (valueFrom === undefined) return `${name}=${value ?? ''}`;
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
  if (configMapKeyRef !== undefined)
    return `${name} from key ${configMapKeyRef.key} of ConfigMap ${configMapKeyRef.name}`;
  if (secretKeyRef !== undefined) return `${name} from key ${secretKeyRef.key} of Secret ${secretKeyRef.name}`;
  return `${name} from field ${fieldRef?.fieldPath ?? '<unknown>'}`;
}
