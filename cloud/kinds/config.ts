/** ConfigMap v1 and Secret v1: two shapes of the same idea, the second with values in base64. */
import type { ConfigMap, Secret } from '../../protocol/kubernetes.ts';
import { configMapRow, secretRow } from '../../protocol/resources/kinds/config.ts';
import { type FieldFault, forbidden, immutable, invalid } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';
import { fill } from './fill.ts';

const KEY_CHARS_MAX = 253;
/** All values of one object, in bytes; what Kubernetes allows. */
const DATA_BYTES_MAX = 1024 * 1024;
const dataKey = /^[-._a-zA-Z0-9]+$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const configMapKind = defineKind<ConfigMap>({
  ...configMapRow,
  schema: 'io.k8s.api.core.v1.ConfigMap',
  validate: (map, previous) => [
    ...keyFaults(map.data, 'data'),
    ...keyFaults(map.binaryData, 'binaryData'),
    ...base64Faults(map.binaryData, 'binaryData'),
    ...Object.keys(map.binaryData ?? {})
      .filter((key) => map.data?.[key] !== undefined)
      .map((key) => invalid('data', key, 'is a key of binaryData too')),
    ...sizeFaults(bytesOf(map.data) + bytesOf(map.binaryData) * 0.75),
    ...frozenFaults(map, previous, ['data', 'binaryData']),
  ],
});

export const secretKind = defineKind<Secret>({
  ...secretRow,
  schema: 'io.k8s.api.core.v1.Secret',
  defaults: (secret) => fill(foldStringData(secret), { type: 'Opaque' }),
  validate: (secret, previous) => [
    ...keyFaults(secret.data, 'data'),
    ...base64Faults(secret.data, 'data'),
    ...sizeFaults(bytesOf(secret.data) * 0.75),
    ...(previous ? immutable('type', secret.type, previous.type) : []),
    ...frozenFaults(secret, previous, ['data']),
  ],
});

/** `stringData` is write-only: its values go into `data` in base64 and win over those there. */
function foldStringData(secret: Secret): Secret {
  const { stringData, ...rest } = secret as Secret & { stringData?: Record<string, string> | null };
  if (stringData === undefined || stringData === null) return secret;
  const folded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...rest, data: { ...secret.data, ...Object.fromEntries(folded) } } as Secret;
}

function keyFaults(data: Record<string, string> | undefined, field: string): FieldFault[] {
  return Object.keys(data ?? {})
    .filter((key) => key.length > KEY_CHARS_MAX || !dataKey.test(key) || key === '.' || key.startsWith('..'))
    .map((key) => invalid(`${field}[${key}]`, key, "a key must be letters, digits, '-', '_' or '.'"));
}

function base64Faults(data: Record<string, string> | undefined, field: string): FieldFault[] {
  return Object.entries(data ?? {})
    .filter(([, value]) => !base64.test(value.replaceAll(/[\r\n]/g, '')))
    .map(([key]) => invalid(`${field}[${key}]`, '(not shown)', 'must be base64'));
}

function sizeFaults(bytes: number): FieldFault[] {
  return bytes > DATA_BYTES_MAX
    ? [invalid('data', `${bytes} bytes`, `may not be more than ${DATA_BYTES_MAX} bytes`)]
    : [];
}

/** `immutable: true` can be set, never taken back, and holds the data. */
function frozenFaults(
  next: ConfigMap | Secret,
  previous: ConfigMap | Secret | undefined,
  held: string[],
): FieldFault[] {
  if (previous?.immutable !== true) return [];
  if (next.immutable !== true) return [forbidden('immutable', 'field is immutable when `immutable` is set')];
  return held
    .filter((member) => immutable(member, next[member], previous[member]).length > 0)
    .map((member) => forbidden(member, 'field is immutable when `immutable` is set'));
}

function bytesOf(data: Record<string, string> | undefined): number {
  return Object.values(data ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
}
