/** Paths and bodies that the tests of the API send. */

export const maps = '/api/v1/namespaces/default/configmaps';
export const deployments = '/apis/apps/v1/namespaces/default/deployments';
export const pools = '/apis/apps.openyurt.io/v1beta2/nodepools';
export const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

export const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'gate:1' }] } },
  },
});

export const pod = (name: string, nodeName?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { ...(nodeName === undefined ? {} : { nodeName }), containers: [{ name: 'main', image: 'gate:1' }] },
});

export const pool = (name: string) => ({
  apiVersion: 'apps.openyurt.io/v1beta2',
  kind: 'NodePool',
  metadata: { name },
  spec: { type: 'Edge' },
});
