/** Twin and Action, stile.dev/v1alpha1. */
import type { Action, Twin } from '../../kubernetes.ts';
import { ageOf, column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

export const twinRow: ResourceRow<Twin> = {
  group: 'stile.dev',
  version: 'v1alpha1',
  kind: 'Twin',
  plural: 'twins',
  namespaced: false,
  status: true,
  columns: [
    column<Twin>('Node', (twin) => twin.spec.nodeName),
    column<Twin>('Desired', (twin) => twin.status?.desired.version, { type: 'integer' }),
    column<Twin>('Reported', (twin) => twin.status?.reported?.version, { type: 'integer' }),
    column<Twin>('Updated', updated, { type: 'date' }),
    column<Twin>('Conflicts', (twin) => twin.status?.conflicts?.length ?? 0, { type: 'integer', priority: 1 }),
  ],
  selectableFields: { 'spec.nodeName': (twin) => twin.spec.nodeName },
};

export const actionRow: ResourceRow<Action> = {
  group: 'stile.dev',
  version: 'v1alpha1',
  kind: 'Action',
  plural: 'actions',
  namespaced: false,
  status: true,
  columns: [
    column<Action>('Twin', (action) => action.spec.twin),
    column<Action>('Action', (action) => action.spec.name),
    column<Action>('Phase', (action) => action.status?.phase ?? 'Pending'),
  ],
  selectableFields: {
    'spec.nodeName': (action) => action.spec.nodeName,
    'spec.twin': (action) => action.spec.twin,
    'status.phase': (action) => action.status?.phase ?? 'Pending',
  },
};

/** When the node last reported something new. */
function updated({ status }: Twin, nowMs: number): string | null {
  const metadata = status?.reported?.metadata;
  const ms = typeof metadata === 'object' ? metadata[''] : metadata;
  return typeof ms === 'number' ? ageOf(new Date(ms).toISOString(), nowMs) : null;
}
