/** Commands that only look: discovery, lists in all their forms, explain, and what is said when there is nothing. */
import type { CommandRow } from './kubectl-row.ts';

const discovery = ['GET /api', 'GET /apis'];

export const reads: readonly CommandRow[] = [
  {
    command: 'version',
    stdout: /^Client Version: v1\.32\.\d+\nKustomize Version: \S+\nServer Version: v1\.32\.0-stile\.\S+$/,
    requests: ['GET /version'],
  },
  {
    command: 'api-resources -o name',
    stdout:
      /^configmaps\nevents\n[\s\S]*^deployments\.apps$[\s\S]*^nodepools\.apps\.openyurt\.io$[\s\S]*^twins\.stile\.dev$/m,
    requests: discovery,
  },
  {
    command: 'api-versions',
    stdout: /^apps\.openyurt\.io\/v1beta2\n[\s\S]*^apps\/v1$[\s\S]*^stile\.dev\/v1alpha1$[\s\S]*^v1$/m,
    requests: discovery,
  },
  { command: 'get --raw /readyz', stdout: 'ok', requests: ['GET /readyz'] },
  {
    command: 'get ns',
    stdout: 'NAME  STATUS  AGE\ndefault  Active  AGE\nkube-node-lease  Active  AGE\nkube-system  Active  AGE',
    requests: ['GET /api/v1/namespaces?limit=500'],
  },
  {
    command: 'get nodes',
    stdout: /^NAME {2}STATUS {2}ROLES {2}VERSION {2}AGE\ngate-1 {2}Ready {2}<none> {2}v\S+ {2}AGE$/,
    requests: ['GET /api/v1/nodes?limit=500'],
  },
  {
    command: 'get nodes -o wide',
    stdout: /INTERNAL-IP {2}EXTERNAL-IP {2}OS-IMAGE {2}KERNEL-VERSION {2}CONTAINER-RUNTIME\n.* {2}stile:\/\/\S+$/,
    requests: ['GET /api/v1/nodes?limit=500'],
  },
  {
    command: [
      'get',
      'nodes',
      '-o',
      'custom-columns=NAME:.metadata.name,POOL:.metadata.labels.apps\\.openyurt\\.io/nodepool',
    ],
    stdout: 'NAME  POOL\ngate-1  hangzhou',
    requests: ['GET /api/v1/nodes?limit=500'],
  },
  {
    command: ['get', 'node', 'gate-1', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'],
    stdout: 'True',
    requests: ['GET /api/v1/nodes/gate-1'],
  },
  {
    command: ['get', 'node', 'gate-1', '-o', 'go-template={{.metadata.name}}'],
    stdout: 'gate-1',
    requests: ['GET /api/v1/nodes/gate-1'],
  },
  {
    command: 'get np',
    stdout: /^NAME {2}TYPE {2}READYNODES {2}NOTREADYNODES {2}.*\nhangzhou {2}Edge {2}1 {2}0 {2}/,
    requests: ['GET /apis/apps.openyurt.io/v1beta2/nodepools?limit=500'],
  },
  {
    command: 'describe node gate-1',
    stdout: /^Name: {2}gate-1\n[\s\S]* {2}Ready {2}True {2}[\s\S]*^Non-terminated Pods: {2}\(0 in total\)$/m,
    requests: [
      'GET /api/v1/nodes/gate-1',
      'GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1,status.phase!=Failed,status.phase!=Succeeded&limit=500',
      'GET /api/v1/events?fieldSelector=involvedObject.kind=Node,involvedObject.name=gate-1,involvedObject.namespace=,involvedObject.uid=U&limit=500',
      'GET /api/v1/events?fieldSelector=involvedObject.kind=Node,involvedObject.name=gate-1,involvedObject.namespace=,involvedObject.uid=gate-1&limit=500',
      'GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/gate-1',
    ],
    concurrent: true,
  },
  {
    command: 'describe np hangzhou',
    stdout: /^Name: {2}hangzhou\n[\s\S]*^Spec:\n[\s\S]*^ {2}Type: {2}Edge$/m,
    requests: [
      'GET /apis/apps.openyurt.io/v1beta2/nodepools/hangzhou',
      'GET /api/v1/events?fieldSelector=involvedObject.kind=NodePool,involvedObject.name=hangzhou,involvedObject.namespace=,involvedObject.uid=U&limit=500',
    ],
  },
  {
    command: 'explain deployment.spec.strategy',
    stdout:
      /^GROUP: {2}apps\nKIND: {2}Deployment\nVERSION: {2}v1\n\nFIELD: strategy <DeploymentStrategy>\n[\s\S]* rollingUpdate\t<RollingUpdateDeployment>/,
    requests: ['GET /openapi/v3', 'GET /openapi/v3/apis/apps/v1?hash=H'],
  },
  {
    command: 'explain nodepool.spec.type',
    stdout: /FIELD: type <string>\n[\s\S]*Edge or Cloud/,
    requests: ['GET /openapi/v3', 'GET /openapi/v3/apis/apps.openyurt.io/v1beta2?hash=H'],
  },
  {
    command: 'explain pod.spec.nothing',
    code: 1,
    stdout: 'KIND:  Pod\nVERSION:  v1',
    stderr: 'error: field "nothing" does not exist',
    requests: ['GET /openapi/v3', 'GET /openapi/v3/api/v1?hash=H'],
  },
  {
    command: 'get pods',
    stderr: 'No resources found in default namespace.',
    requests: ['GET /api/v1/namespaces/default/pods?limit=500'],
  },
  {
    command: 'get pods -A --field-selector spec.nodeName=gate-1',
    stderr: 'No resources found',
    requests: ['GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1&limit=500'],
  },
  {
    command: 'get gates',
    code: 1,
    stderr: `error: the server doesn't have a resource type "gates"`,
    requests: discovery,
  },
  {
    command: 'get pod nobody',
    code: 1,
    stderr: 'Error from server (NotFound): pods "nobody" not found',
    requests: ['GET /api/v1/namespaces/default/pods/nobody'],
  },
  {
    command: 'get pod nobody --ignore-not-found',
    requests: ['GET /api/v1/namespaces/default/pods/nobody'],
  },
  {
    command: 'get clusterroles',
    stdout: /^NAME {2}CREATED AT\nadmin {2}\d{4}-[\s\S]*^stile:operator {2}/m,
    requests: ['GET /apis/rbac.authorization.k8s.io/v1/clusterroles?limit=500'],
  },
  {
    command: 'top nodes',
    code: 1,
    stderr: 'error: Metrics API not available',
    requests: discovery,
  },
];
