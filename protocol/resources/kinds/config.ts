/** ConfigMap v1 and Secret v1. */
import type { ConfigMap, Secret } from '../../kubernetes.ts';
import { column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

export const configMapRow: ResourceRow<ConfigMap> = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  columns: [column<ConfigMap>('Data', (map) => size(map.data) + size(map.binaryData), { type: 'integer' })],
};

export const secretRow: ResourceRow<Secret> = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  columns: [
    column<Secret>('Type', (secret) => secret.type ?? 'Opaque'),
    column<Secret>('Data', (secret) => size(secret.data), { type: 'integer' }),
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },
};

function size(data: Record<string, string> | undefined): number {
  return Object.keys(data ?? {}).length;
}
