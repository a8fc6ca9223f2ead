/** Service v1. */
import type { KubeObject, Labels } from '../../kubernetes.ts';
import { column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

interface Service extends KubeObject {
  spec?: {
    type?: string;
    clusterIP?: string;
    externalIPs?: string[];
    externalName?: string;
    ports?: { port: number; nodePort?: number; protocol?: string }[];
    selector?: Labels;
  };
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] } };
}

export const serviceRow: ResourceRow<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  status: true,
  columns: [
    column<Service>('Type', ({ spec }) => spec?.type ?? 'ClusterIP'),
    column<Service>('Cluster-IP', ({ spec }) => spec?.clusterIP || '<none>'),
    column<Service>('External-IP', externalText),
    column<Service>('Port(s)', portsText),
    column<Service>('Selector', selectorText, { priority: 1 }),
  ],
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
    'spec.type': ({ spec }) => spec?.type ?? '',
  },
};

function externalText({ spec, status }: Service): string {
  if (spec?.type === 'ExternalName') return spec.externalName || '<none>';
  const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
  const addresses = [...balanced, ...(spec?.externalIPs ?? [])].filter((address) => address !== '');
  if (addresses.length > 0) return addresses.join(',');
  return spec?.type === 'LoadBalancer' ? '<pending>' : '<none>';
}

function portsText({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort, protocol = 'TCP' }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.join(',') || '<none>';
}

function selectorText({ spec }: Service): string {
  const terms = Object.entries(spec?.selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return terms.sort().join(',') || '<none>';
}
