/** What a view costs that a large cluster would have: services and their endpoints of a whole region. */

import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { scopes } from '../../../protocol/messages.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { objectKey } from '../../../protocol/object-key.ts';
import { entryOf } from '../../../protocol/section-content.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';

/** As many as the bench speaks of, and as few as `--quick` makes of them. */
export const SERVICES = 10_000;
/** In one transaction. */
const BATCH = 500;

/**
 * Lays `count` services and as many endpoint slices into the pool-wide section of a terminal that is stopped, as if its
 * hub had sent them.
 */
export async function layLargeView(dataDir: string, count: number): Promise<void> {
  const journal = await SqliteJournal.open(`${dataDir}/state.db`, '');
  try {
    const { sections, incarnation } = await journal.load();
    const pool = [...sections.values()].find(({ scope }) => scope === scopes.pool);
    const where = { scope: scopes.pool, uid: pool?.uid ?? 'bench' };
    await journal.commit([{ kind: 'view.reset', ...where, fresh: true }]);
    for (let first = 0; first < count; first += BATCH) {
      const objects = Array.from({ length: Math.min(BATCH, count - first) }, (_, n) => pairOf(first + n)).flat();
      const puts = objects.map((object) =>
        entryOf({ key: objectKey(object), revision: 1, bytes: encodeObject(object) }),
      );
      await journal.commit([{ kind: 'view.stage', ...where, puts, deletes: [] }]);
    }
    await journal.commit([{ kind: 'view.flip', ...where, incarnation, to: (pool?.revision ?? 0) + 1 }]);
  } finally {
    await journal.close();
  }
}

/** A service with two ports, and its slice with two endpoints in two zones. */
function pairOf(number: number): KubeObject[] {
  const name = `service-${number}`;
  const namespace = `venue-${number % 40}`;
  const uid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const labels = { app: name, 'app.kubernetes.io/part-of': 'venue', team: `team-${number % 12}` };
  const ports = [
    { name: 'http', port: 80, protocol: 'TCP' },
    { name: 'metrics', port: 9_090, protocol: 'TCP' },
  ];
  const endpoint = (host: number) => ({
    addresses: [`10.${(number >> 8) & 255}.${number & 255}.${host}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `gate-${number % 500}`,
    zone: `hall-${host}`,
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, uid, labels, creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: {
        type: 'ClusterIP',
        clusterIP: `10.96.${(number >> 8) & 255}.${number & 255}`,
        ports: ports.map((port) => ({ ...port, targetPort: port.port })),
        selector: { app: name },
      },
      status: { loadBalancer: {} },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-x7f2k`,
        namespace,
        uid: `1${uid.slice(1)}`,
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: 'IPv4',
      endpoints: [endpoint(1), endpoint(2)],
      ports,
    },
  ] as KubeObject[];
}
