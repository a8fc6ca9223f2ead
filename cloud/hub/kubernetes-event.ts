/** Events of the type `kubernetes.event` become core/v1 Events under a name that is theirs for ever: pure. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { NewNodeEvent } from './hub-state.ts';

export const KUBERNETES_EVENT = 'kubernetes.event';
/** The component that such Events name as their source. */
export const EVENT_SOURCE = 'stile-runtime';

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
    metadata: { name: `${name.slice(0, 200)}.${event.epoch.slice(0, 8)}${event.seq.toString(16)}`, namespace },
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
