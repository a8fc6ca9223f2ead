/** Event v1: what happened to an object, for people. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { ageOf, column, nameColumn } from '../../protocol/resources/kinds/columns.ts';
import { invalid, required } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';

interface Event extends KubeObject {
  involvedObject?: Record<string, string | undefined>;
  reason?: string;
  message?: string;
  type?: string;
  count?: number;
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string;
  source?: { component?: string; host?: string };
  reportingComponent?: string;
}

const involved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;

export const eventKind = defineKind<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Event',
  columnsComplete: true,
  columns: [
    column<Event>('Last Seen', (event, nowMs) =>
      ageOf(event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp, nowMs),
    ),
    column<Event>('Type', (event) => event.type),
    column<Event>('Reason', (event) => event.reason),
    column<Event>('Object', (event) => `${event.involvedObject?.kind?.toLowerCase()}/${event.involvedObject?.name}`),
    column<Event>('Subobject', (event) => event.involvedObject?.fieldPath, { priority: 1 }),
    column<Event>('Source', sourceText, { priority: 1 }),
    column<Event>('Message', (event) => event.message?.trim()),
    column<Event>('First Seen', (event, nowMs) => ageOf(event.firstTimestamp ?? event.eventTime, nowMs), {
      priority: 1,
    }),
    column<Event>('Count', (event) => event.count ?? 1, { priority: 1, type: 'integer' }),
    { ...nameColumn, priority: 1 },
  ],
  selectableFields: {
    ...Object.fromEntries(
      involved.map((member) => [`involvedObject.${member}`, (event: Event) => event.involvedObject?.[member] ?? '']),
    ),
    reason: (event) => event.reason ?? '',
    type: (event) => event.type ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component ?? event.reportingComponent ?? '',
  },
  validate: (event) => {
    if (event.involvedObject === undefined) return [required('involvedObject')];
    const about = event.involvedObject.namespace || 'default';
    // An event about a cluster-wide object has no namespace of its own and lives in `default`.
    return about === event.metadata.namespace
      ? []
      : [invalid('involvedObject.namespace', event.involvedObject.namespace ?? '', 'does not match event.namespace')];
  },
});

function sourceText(event: Event): string {
  const component = event.source?.component ?? event.reportingComponent ?? '';
  return event.source?.host ? `${component}, ${event.source.host}` : component;
}
