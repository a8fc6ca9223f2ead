/** Events of the type `kubernetes.event` become core/v1 Events under a name that is theirs for ever: pure. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { NewNodeEvent } from './hub-state.ts';

export const KUBERNETES_EVENT = 'kubernetes.event';
/** The component that such Events name as their source. */
export const EVENT_SOURCE = 'stile-runtime';

/** The annotation with `EPOCH/SEQ` of the last report that is counted in an Event. */
export const LAST_REPORT = 'stile.dev/last-report';

/** What a terminal says of one of its objects. */
export interface ReportedEvent {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

const MESSAGE_CHARACTERS_MAX = 1_024;

export function kubernetesEvent(event: NewNodeEvent): KubeObject | undefined {
  if (event.type !== KUBERNETES_EVENT) return undefined;
  const reported = event.data as Partial<ReportedEvent> | null;
  if (typeof reported?.name !== 'string' || typeof reported.reason !== 'string') return undefined;
  const { apiVersion, kind, name, uid } = reported;
  const namespace = reported.namespace || 'default';
  const time = new Date(event.timeMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name.slice(0, 200)}.${event.epoch.slice(0, 8)}${event.seq.toString(16)}`,
      namespace,
      annotations: { [LAST_REPORT]: `${event.epoch}/${event.seq}` },
    },
    involvedObject: { apiVersion, kind, namespace, name, uid },
    reason: reported.reason,
    message: String(reported.message ?? '').slice(0, MESSAGE_CHARACTERS_MAX),
    type: reported.type === 'Warning' ? 'Warning' : 'Normal',
    source: { component: EVENT_SOURCE, host: event.node },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    reportingComponent: EVENT_SOURCE,
    reportingInstance: event.node,
  };
}

/** Events that say the same of the same object, and so are one with a count (client-go, tools/record/events_cache.go). */
export function seriesOf(event: KubeObject): string {
  const { involvedObject, reason, message, type, source } = event as unknown as Record<string, unknown>;
  return JSON.stringify([event.metadata.namespace, involvedObject, reason, message, type, source]);
}

/** `earlier` with `event` counted in it; `earlier` itself when it already is. */
export function countedIn(earlier: KubeObject, event: KubeObject): KubeObject {
  const [epoch, seq] = reportOf(event);
  const [lastEpoch, lastSeq] = reportOf(earlier);
  if (epoch === lastEpoch && seq <= lastSeq) return earlier;
  const { count, lastTimestamp } = earlier as unknown as { count: number; lastTimestamp: string };
  return {
    ...earlier,
    metadata: { ...earlier.metadata, annotations: { ...event.metadata.annotations } },
    count: count + 1,
    // The clock of a terminal may have been set back.
    lastTimestamp: [lastTimestamp, String(event.lastTimestamp)].sort()[1],
  };
}

function reportOf({ metadata }: KubeObject): [epoch: string, seq: number] {
  const [epoch = '', seq = ''] = (metadata.annotations?.[LAST_REPORT] ?? '').split('/');
  return [epoch, Number(seq)];
}
