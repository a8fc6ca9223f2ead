/** Commands of an operator's day at workloads and nodes: rollouts, scale, wait, cordon, drain, and every way to delete. */
import type { CommandRow } from './kubectl-row.ts';

const deployments = '/apis/apps/v1/namespaces/default/deployments';
const web = `${deployments}/web`;
const replicaSets = '/apis/apps/v1/namespaces/default/replicasets';
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
const node = '/api/v1/nodes/gate-1';
const strategic = '[application/strategic-merge-patch+json]';
const schema = ['GET /openapi/v3', 'GET /openapi/v3/apis/apps/v1?hash=H'];
const podSchema = ['GET /openapi/v3', 'GET /openapi/v3/api/v1?hash=H'];

const deployment = (replicas: number | string, selected = 'web') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${selected}}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: js
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: 'app:1'}]
`;

const solo = `
apiVersion: v1
kind: Pod
metadata: {name: solo, labels: {app: solo}}
spec:
  runtimeClassName: js
  nodeName: gate-1
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: 'app:1'}]
`;

/** The questions of a command that waits for one object: as it is, then everything that happens to it. */
function waiting(collection: string, name: string): string[] {
  const selector = `fieldSelector=metadata.name=${name}`;
  return [
    `GET ${collection}/${name}`,
    `GET ${collection}?${selector}&limit=500&resourceVersion=0`,
    `GET ${collection}?allowWatchBookmarks=true&${selector}&resourceVersion=N&timeoutSeconds=S&watch=true`,
  ];
}

const rolledOut: CommandRow = {
  command: 'rollout status deployment/web --timeout=20s',
  stdout: /(^|\n)deployment "web" successfully rolled out$/,
  requests: waiting(deployments, 'web'),
};

const rollouts: readonly CommandRow[] = [
  {
    command: 'apply -f -',
    stdin: deployment(2),
    stdout: 'deployment.apps/web created',
    requests: [
      ...schema,
      `GET ${web}`,
      `POST ${deployments}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict`,
    ],
  },
  rolledOut,
  {
    command: 'get deploy -o wide',
    stdout:
      'NAME  READY  UP-TO-DATE  AVAILABLE  AGE  CONTAINERS  IMAGES  SELECTOR\nweb  2/2  2  2  AGE  main  app:1  app=web',
    requests: [`GET ${deployments}?limit=500`],
  },
  {
    command: 'get pods -l app=web',
    stdout: 'NAME  READY  STATUS  RESTARTS  AGE\nweb-POD  1/1  Running  0  AGE\nweb-POD  1/1  Running  0  AGE',
    requests: [`GET ${pods}?labelSelector=app=web&limit=500`],
  },
  {
    command: 'scale deploy/web --replicas=1',
    stdout: 'deployment.apps/web scaled',
    requests: [`GET ${web}`, `PATCH ${web}/scale [application/merge-patch+json]`],
  },
  {
    command: 'scale deploy/web --current-replicas=5 --replicas=3',
    code: 1,
    stderr: 'error: Expected replicas to be 5, was 1',
    requests: [`GET ${web}`, `GET ${web}/scale`],
  },
  {
    command: ['wait', 'deploy/web', '--for=jsonpath={.status.replicas}=1', '--timeout=20s'],
    stdout: 'deployment.apps/web condition met',
    requests: waiting(deployments, 'web'),
  },
  {
    command: 'get deploy web --subresource=scale',
    stdout: 'NAME  DESIRED  AVAILABLE  AGE\nweb  1  1  AGE',
    requests: [`GET ${web}/scale`],
  },
  {
    command: 'patch deploy web --subresource=scale --type=merge -p {"spec":{"replicas":2}}',
    stdout: 'scale.autoscaling/web patched',
    requests: [`GET ${web}/scale`, `PATCH ${web}/scale?fieldManager=kubectl-patch [application/merge-patch+json]`],
  },
  {
    command: 'wait deploy/web --for=condition=Available --timeout=20s',
    stdout: 'deployment.apps/web condition met',
    requests: waiting(deployments, 'web'),
  },
  {
    command: 'wait deploy/web --for=condition=Nonsense --timeout=1s',
    code: 1,
    stderr: 'error: timed out waiting for the condition on deployments/web',
    requests: waiting(deployments, 'web'),
  },
  {
    command: 'set image deployment/web main=app:2',
    stdout: 'deployment.apps/web image updated',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-set ${strategic}`],
  },
  rolledOut,
  {
    command: ['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.containers[0].image}'],
    stdout: /(^| )app:2( |$)/,
    requests: [`GET ${pods}?labelSelector=app=web&limit=500`],
  },
  {
    command: 'rollout history deployment/web',
    stdout: /^deployment\.apps\/web\nREVISION {2}CHANGE-CAUSE\n1 {2}<none>\n2 {2}<none>$/,
    requests: [`GET ${web}`, `GET ${replicaSets}?labelSelector=app=web`],
  },
  {
    command: 'rollout undo deployment/web',
    stdout: 'deployment.apps/web rolled back',
    requests: [`GET ${web}`, `GET ${replicaSets}?labelSelector=app=web`, `PATCH ${web} [application/json-patch+json]`],
  },
  rolledOut,
  {
    command: ['get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'],
    stdout: 'app:1',
    requests: [`GET ${web}`],
  },
  {
    command: 'set env deployment/web MODE=plain',
    stdout: 'deployment.apps/web env updated',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-set ${strategic}`],
  },
  {
    command: [
      'patch',
      'deploy',
      'web',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"MORE","value":"1"}]}]}}}}',
    ],
    stdout: 'deployment.apps/web patched',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-patch ${strategic}`],
  },
  {
    command: 'set env deployment/web --list',
    stdout: /^# Deployment web, container main\n(MODE=plain\nMORE=1|MORE=1\nMODE=plain)$/,
    requests: [`GET ${web}`],
  },
  {
    command: 'rollout restart deployment/web',
    stdout: 'deployment.apps/web restarted',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-rollout ${strategic}`],
  },
  rolledOut,
  {
    command: 'rollout pause deployment/web',
    stdout: 'deployment.apps/web paused',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-rollout ${strategic}`],
  },
  {
    command: 'rollout pause deployment/web',
    code: 1,
    stderr: 'error: deployments.apps "web" is already paused',
    requests: [`GET ${web}`],
  },
  {
    command: 'rollout resume deployment/web',
    stdout: 'deployment.apps/web resumed',
    requests: [`GET ${web}`, `PATCH ${web}?fieldManager=kubectl-rollout ${strategic}`],
  },
  {
    command: 'apply -f -',
    stdin: deployment(2, 'other'),
    code: 1,
    stderr:
      /^The Deployment "web" is invalid:\n\* spec\.template\.metadata\.labels: [\s\S]*\n\* spec\.selector: .*: field is immutable$/,
    requests: [
      ...schema,
      `GET ${web}`,
      `PATCH ${web}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict ${strategic}`,
    ],
  },
  {
    command: 'apply -f -',
    stdin: deployment('many'),
    code: 1,
    stderr: 'The Deployment "web" is invalid: spec.replicas: Invalid value: "many": must be of type integer',
    requests: [
      ...schema,
      `GET ${web}`,
      `PATCH ${web}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict ${strategic}`,
    ],
  },
];

const nodes: readonly CommandRow[] = [
  {
    command: 'create -f -',
    stdin: solo,
    stdout: 'pod/solo created',
    requests: [...podSchema, `POST ${pods}?fieldManager=kubectl-create&fieldValidation=Strict`],
  },
  {
    command: 'wait pod/solo --for=condition=Ready --timeout=20s',
    stdout: 'pod/solo condition met',
    requests: waiting(pods, 'solo'),
  },
  {
    command: 'events --for pod/solo',
    stdout:
      /^LAST SEEN {2}TYPE {2}REASON {2}OBJECT {2}MESSAGE\n[\s\S]*AGE {2}Normal {2}Started {2}Pod\/solo {2}started container main/,
    requests: [
      'GET /api/v1/namespaces/default/events?fieldSelector=involvedObject.apiVersion=v1,involvedObject.kind=Pod,involvedObject.name=solo&limit=500',
    ],
  },
  {
    command: 'describe pod solo',
    stdout: /^Name: {2}solo\n[\s\S]*^Status: {2}Running$[\s\S]* {2}Normal {2}Started /m,
    requests: [
      `GET ${pods}/solo`,
      'GET /api/v1/namespaces/default/events?fieldSelector=involvedObject.name=solo,involvedObject.namespace=default,involvedObject.uid=U&limit=500',
    ],
  },
  {
    command: 'cordon gate-1',
    stdout: 'node/gate-1 cordoned',
    requests: [`GET ${node}`, `PATCH ${node} ${strategic}`],
  },
  { command: 'cordon gate-1', stdout: 'node/gate-1 already cordoned', requests: [`GET ${node}`] },
  {
    command: 'get node gate-1',
    stdout: /^NAME.*\ngate-1 {2}Ready,SchedulingDisabled {2}/,
    requests: [`GET ${node}`],
  },
  {
    command: 'taint nodes gate-1 gone=yes:NoSchedule',
    stdout: 'node/gate-1 tainted',
    requests: [`GET ${node}`, `PATCH ${node}?fieldManager=kubectl-taint&fieldValidation=Strict ${strategic}`],
  },
  {
    command: 'taint nodes gate-1 gone=yes:NoSchedule',
    code: 1,
    stderr: 'error: node gate-1 already has gone taint(s) with same effect(s) and --overwrite is false',
    requests: [`GET ${node}`],
  },
  {
    command: 'taint nodes gate-1 gone-',
    stdout: 'node/gate-1 untainted',
    requests: [`GET ${node}`, `PATCH ${node}?fieldManager=kubectl-taint&fieldValidation=Strict ${strategic}`],
  },
  {
    command: 'drain gate-1',
    code: 1,
    stdout: 'node/gate-1 already cordoned',
    stderr: /cannot delete Pods that declare no controller \(use --force to override\): default\/solo/,
    requests: [`GET ${node}`, 'GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1&limit=500'],
  },
  {
    command: 'drain gate-1 --pod-selector app=solo --force --dry-run=server',
    stdout:
      'node/gate-1 already cordoned (server dry run)\nevicting pod default/solo (server dry run)\nnode/gate-1 drained (server dry run)',
    stderr: 'Warning: deleting Pods that declare no controller: default/solo',
    requests: [
      `GET ${node}`,
      'GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1&labelSelector=app=solo&limit=500',
      'GET /api/v1',
      `POST ${pods}/solo/eviction`,
    ],
  },
  {
    command: 'drain gate-1 --pod-selector app=solo --force --disable-eviction --timeout=20s',
    stdout: 'node/gate-1 already cordoned\npod/solo deleted\nnode/gate-1 drained',
    stderr: 'Warning: deleting Pods that declare no controller: default/solo',
    requests: [
      `GET ${node}`,
      'GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1&labelSelector=app=solo&limit=500',
      `DELETE ${pods}/solo [application/vnd.kubernetes.protobuf]`,
      `GET ${pods}/solo`,
    ],
  },
  {
    command: 'drain gate-1 --timeout=20s',
    stdout:
      /^node\/gate-1 already cordoned\n(evicting pod default\/web-POD\n)+(pod\/web-POD evicted\n)+node\/gate-1 drained$/,
    requests: [
      `GET ${node}`,
      'GET /api/v1/pods?fieldSelector=spec.nodeName=gate-1&limit=500',
      'GET /api/v1',
      `POST ${pods}/web-POD/eviction`,
      `GET ${pods}/web-POD`,
    ],
    concurrent: true,
  },
  {
    command: 'uncordon gate-1',
    stdout: 'node/gate-1 uncordoned',
    requests: [`GET ${node}`, `PATCH ${node} ${strategic}`],
  },
  rolledOut,
];

const deletions: readonly CommandRow[] = [
  {
    command: 'delete deploy web --dry-run=server',
    stdout: 'deployment.apps "web" deleted (server dry run)',
    requests: [`DELETE ${web}`],
  },
  {
    command: 'delete deploy web --cascade=orphan',
    stdout: 'deployment.apps "web" deleted',
    requests: [`DELETE ${web}`, `GET ${web}`],
  },
  {
    command: 'get rs -l app=web -o jsonpath={.items[*].metadata.ownerReferences}',
    requests: [`GET ${replicaSets}?labelSelector=app=web&limit=500`],
  },
  {
    command: 'delete rs -l app=web --wait=false',
    stdout: /^(replicaset\.apps "web-HASH" deleted\n?)+$/,
    requests: [`GET ${replicaSets}?labelSelector=app=web`, `DELETE ${replicaSets}/web-HASH`],
  },
  {
    // They belonged to the Deployment itself, and belong to nobody now.
    command: 'get pods -l app=web -o jsonpath={.items[*].metadata.ownerReferences}',
    requests: [`GET ${pods}?labelSelector=app=web&limit=500`],
  },
  {
    command: 'delete pods -l app=web --grace-period=0 --force',
    stdout: /^(pod "web-POD" force deleted\n?){2,}$/,
    stderr: /^Warning: Immediate deletion does not wait for confirmation/,
    requests: [`GET ${pods}?labelSelector=app=web`, `DELETE ${pods}/web-POD`, `GET ${pods}/web-POD`],
  },
  {
    command: 'create -f -',
    stdin: deployment(1),
    stdout: 'deployment.apps/web created',
    requests: [...schema, `POST ${deployments}?fieldManager=kubectl-create&fieldValidation=Strict`],
  },
  rolledOut,
  {
    command: 'delete deploy web --cascade=foreground',
    stdout: 'deployment.apps "web" deleted',
    requests: [`DELETE ${web}`, `GET ${web}`],
    concurrent: true,
  },
  {
    command: 'wait pods -l app=web --for=delete --timeout=20s',
    stdout: /^(pod\/web-POD condition met)?$/,
    requests: [`GET ${pods}?labelSelector=app=web`],
    perhaps: waiting(pods, 'web-POD'),
  },
  {
    command: 'get pods -l app=web -o name',
    requests: [`GET ${pods}?labelSelector=app=web&limit=500`],
  },
  {
    command: 'create -f -',
    stdin: deployment(0),
    stdout: 'deployment.apps/web created',
    requests: [...schema, `POST ${deployments}?fieldManager=kubectl-create&fieldValidation=Strict`],
  },
  {
    command: 'delete deploy web --cascade=background',
    stdout: 'deployment.apps "web" deleted',
    requests: [`DELETE ${web}`, `GET ${web}`],
  },
  {
    command: 'delete deploy web',
    code: 1,
    stderr: 'Error from server (NotFound): deployments.apps "web" not found',
    requests: [`DELETE ${web}`],
  },
  {
    command: 'patch cm settings --type=merge -p {"metadata":{"finalizers":["stile.dev/hold"]}}',
    stdout: 'configmap/settings patched',
    requests: [
      `GET ${maps}/settings`,
      `PATCH ${maps}/settings?fieldManager=kubectl-patch [application/merge-patch+json]`,
    ],
  },
  {
    command: 'delete cm settings --wait=false',
    stdout: 'configmap "settings" deleted',
    requests: [`DELETE ${maps}/settings`],
  },
  {
    command: 'wait cm/settings --for=delete --timeout=1s',
    code: 1,
    stderr: 'error: timed out waiting for the condition on configmaps/settings',
    requests: waiting(maps, 'settings'),
  },
  {
    command: 'patch cm settings --type=json -p [{"op":"remove","path":"/metadata/finalizers"}]',
    stdout: 'configmap/settings patched',
    requests: [
      `GET ${maps}/settings`,
      `PATCH ${maps}/settings?fieldManager=kubectl-patch [application/json-patch+json]`,
    ],
  },
  { command: 'wait cm/settings --for=delete --timeout=5s', requests: [`GET ${maps}/settings`] },
  {
    command: 'wait cm/later --for=create --timeout=1s',
    code: 1,
    stderr: 'error: timed out waiting for the condition',
    requests: [`GET ${maps}/later`],
  },
  {
    command: 'delete cm chunk-1 chunk-2',
    stdout: 'configmap "chunk-1" deleted\nconfigmap "chunk-2" deleted',
    requests: [`DELETE ${maps}/chunk-1`, `DELETE ${maps}/chunk-2`, `GET ${maps}/chunk-1`, `GET ${maps}/chunk-2`],
  },
  {
    command: 'delete cm never --ignore-not-found',
    requests: [`DELETE ${maps}/never`, `GET ${maps}/never`],
  },
  {
    command: 'delete namespace shop',
    stdout: 'namespace "shop" deleted',
    requests: ['DELETE /api/v1/namespaces/shop', 'GET /api/v1/namespaces/shop'],
    // How far its end has come when it is looked at.
    perhaps: waiting('/api/v1/namespaces', 'shop').slice(1),
  },
];

export const operations: readonly CommandRow[] = [...rollouts, ...nodes, ...deletions];
