/** How an object is named inside a view section: `KIND[.GROUP]/NAMESPACE/NAME`, the namespace empty when it has none. */
import type { KubeObject } from './kubernetes.ts';

export interface ObjectKey {
  kind: string;
  group: string;
  namespace: string;
  name: string;
}

export function objectKey(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  return keyOf({ kind: object.kind, group, namespace: object.metadata.namespace ?? '', name: object.metadata.name });
}

export function keyOf({ kind, group, namespace, name }: ObjectKey): string {
  return `${group === '' ? kind : `${kind}.${group}`}/${namespace}/${name}`;
}

export function parseKey(key: string): ObjectKey {
  const [type = '', namespace = '', name = ''] = key.split('/');
  const dot = type.indexOf('.');
  return dot < 0
    ? { kind: type, group: '', namespace, name }
    : { kind: type.slice(0, dot), group: type.slice(dot + 1), namespace, name };
}
