/** Commands that make and change objects, as themselves and as somebody who may do little. */
import type { CommandRow } from './kubectl-row.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const settings = `${maps}/settings`;
const roles = '/apis/rbac.authorization.k8s.io/v1';
const accessReview =
  'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews [application/vnd.kubernetes.protobuf]';
const byCreate = '?fieldManager=kubectl-create&fieldValidation=Strict';
const protobuf = '[application/vnd.kubernetes.protobuf]';
const byApply = 'fieldManager=kubectl-client-side-apply';
const schema = ['GET /openapi/v3', 'GET /openapi/v3/api/v1?hash=H'];

const manifest = (mode: string, metadata = '') => `
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
${metadata}data: {mode: ${mode}}
`;

const labelled = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
  labels: {zone: b}
`;

const creations: readonly CommandRow[] = [
  {
    command: 'create configmap chunk-1 --from-literal=a=b',
    stdout: 'configmap/chunk-1 created',
    requests: [`POST ${maps}${byCreate} ${protobuf}`],
  },
  {
    command: 'create configmap chunk-1 --from-literal=a=b',
    code: 1,
    stderr: 'error: failed to create configmap: configmaps "chunk-1" already exists',
    requests: [`POST ${maps}${byCreate} ${protobuf}`],
  },
  {
    command: 'create configmap chunk-2 --from-literal=a=b --from-literal=c=d',
    stdout: 'configmap/chunk-2 created',
    requests: [`POST ${maps}${byCreate} ${protobuf}`],
  },
  {
    command: 'create configmap chunk-3',
    stdout: 'configmap/chunk-3 created',
    requests: [`POST ${maps}${byCreate} ${protobuf}`],
  },
  {
    command: 'get cm --chunk-size=2',
    stdout: 'NAME  DATA  AGE\nchunk-1  1  AGE\nchunk-2  2  AGE\nchunk-3  0  AGE',
    requests: [`GET ${maps}?limit=2`, `GET ${maps}?continue=C&limit=2`],
  },
  {
    command: 'get cm --chunk-size=1 -o name',
    stdout: 'configmap/chunk-1\nconfigmap/chunk-2\nconfigmap/chunk-3',
    requests: [`GET ${maps}?limit=1`, `GET ${maps}?continue=C&limit=1`],
  },
  {
    command: 'get cm --field-selector metadata.name=chunk-2 -o name',
    stdout: 'configmap/chunk-2',
    requests: [`GET ${maps}?fieldSelector=metadata.name=chunk-2&limit=500`],
  },
  {
    command: 'get cm --field-selector data.a=b',
    code: 1,
    stderr: /^Error from server \(BadRequest\): .*: field label not supported for ConfigMap: data\.a$/,
    requests: [`GET ${maps}?fieldSelector=data.a=b&limit=500`],
  },
  {
    command: 'create namespace shop',
    stdout: 'namespace/shop created',
    requests: [`POST /api/v1/namespaces${byCreate} ${protobuf}`],
  },
  {
    command: 'create -n shop secret generic key --from-literal=a=b',
    stdout: 'secret/key created',
    requests: [`POST /api/v1/namespaces/shop/secrets${byCreate} ${protobuf}`],
  },
  {
    command: 'get -n shop secret',
    stdout: 'NAME  TYPE  DATA  AGE\nkey  Opaque  1  AGE',
    requests: ['GET /api/v1/namespaces/shop/secrets?limit=500'],
  },
  {
    command: 'create -n shop deployment till --image=till:1 --replicas=0 --port=80',
    stdout: 'deployment.apps/till created',
    requests: [`POST /apis/apps/v1/namespaces/shop/deployments${byCreate} ${protobuf}`],
  },
  {
    command: 'create -n shop deployment dry --image=till:1 --dry-run=server',
    stdout: 'deployment.apps/dry created (server dry run)',
    requests: [`POST /apis/apps/v1/namespaces/shop/deployments?dryRun=All&${byCreate.slice(1)} ${protobuf}`],
  },
  {
    command: 'get -n shop deploy -o name',
    stdout: 'deployment.apps/till',
    requests: ['GET /apis/apps/v1/namespaces/shop/deployments?limit=500'],
  },
  {
    command: 'create -n nowhere configmap a',
    code: 1,
    stderr: 'error: failed to create configmap: namespaces "nowhere" not found',
    requests: [`POST /api/v1/namespaces/nowhere/configmaps${byCreate} ${protobuf}`],
  },
  {
    command: 'run once --image=app:1 --restart=Never --dry-run=server',
    stdout: 'pod/once created (server dry run)',
    requests: ['POST /api/v1/namespaces/default/pods?dryRun=All&fieldManager=kubectl-run'],
  },
  {
    command: 'create -f -',
    stdin: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: made-}\n',
    stdout: 'configmap/made-NAME created',
    requests: [...schema, `POST ${maps}${byCreate}`],
  },
  {
    command: 'create -f -',
    stdin: 'apiVersion: v1\nkind: Frog\nmetadata: {name: kermit}\n',
    code: 1,
    stderr:
      'error: resource mapping not found for name: "kermit" namespace: "" from "STDIN": no matches for kind "Frog" in version "v1"\nensure CRDs are installed first',
    requests: [...schema, 'GET /openapi/v2', 'GET /api', 'GET /apis'],
  },
];

const applications: readonly CommandRow[] = [
  {
    command: 'apply -f -',
    stdin: manifest('day'),
    stdout: 'configmap/settings created',
    requests: [...schema, `GET ${settings}`, `POST ${maps}?${byApply}&fieldValidation=Strict`],
  },
  {
    command: 'apply -f -',
    stdin: manifest('day'),
    stdout: 'configmap/settings unchanged',
    requests: [...schema, `GET ${settings}`],
  },
  {
    command: 'diff -f -',
    stdin: manifest('day'),
    requests: [`GET ${settings}`, ...schema],
  },
  {
    command: 'diff -f -',
    stdin: manifest('night'),
    code: 1,
    stdout: /^- {2}mode: day\n\+ {2}mode: night$/m,
    requests: [
      `GET ${settings}`,
      ...schema,
      `PATCH ${settings}?dryRun=All&${byApply} [application/strategic-merge-patch+json]`,
    ],
  },
  {
    command: 'apply --dry-run=server -f -',
    stdin: manifest('night'),
    stdout: 'configmap/settings configured (server dry run)',
    requests: [
      ...schema,
      `GET ${settings}`,
      `PATCH ${settings}?dryRun=All&${byApply}&fieldValidation=Strict [application/strategic-merge-patch+json]`,
    ],
  },
  {
    command: 'apply --dry-run=client -f -',
    stdin: manifest('night'),
    stdout: 'configmap/settings configured (dry run)',
    requests: [...schema, `GET ${settings}`],
  },
  {
    command: 'get cm settings -o jsonpath={.data.mode}',
    stdout: 'day',
    requests: [`GET ${settings}`],
  },
  {
    command: 'apply -f -',
    stdin: manifest('night'),
    stdout: 'configmap/settings configured',
    requests: [
      ...schema,
      `GET ${settings}`,
      `PATCH ${settings}?${byApply}&fieldValidation=Strict [application/strategic-merge-patch+json]`,
    ],
  },
  {
    command: 'apply view-last-applied cm settings',
    stdout: /^apiVersion: v1\ndata:\n {2}mode: night\nkind: ConfigMap\n/,
    requests: [`GET ${settings}`],
  },
  {
    command: 'apply -f -',
    stdin: manifest('night', '  naem: x\n'),
    code: 1,
    stderr: /^Error from server \(BadRequest\): [\s\S]*strict decoding error: unknown field "metadata\.naem"$/,
    requests: [
      ...schema,
      `GET ${settings}`,
      `PATCH ${settings}?${byApply}&fieldValidation=Strict [application/strategic-merge-patch+json]`,
    ],
  },
  {
    command: 'replace -f -',
    stdin: manifest('dusk'),
    stdout: 'configmap/settings replaced',
    requests: [...schema, `GET ${settings}`, `PUT ${settings}?fieldManager=kubectl-replace&fieldValidation=Strict`],
  },
  {
    command: 'replace -f -',
    stdin: manifest('dusk', '  resourceVersion: "1"\n'),
    code: 1,
    stderr:
      'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply your changes to the latest version and try again',
    requests: [...schema, `PUT ${settings}?fieldManager=kubectl-replace&fieldValidation=Strict`],
  },
  {
    command: 'apply --prune -l zone=b --prune-allowlist=core/v1/ConfigMap -f -',
    stdin: labelled,
    stdout: 'configmap/other created',
    requests: [
      ...schema,
      `GET ${maps}/other`,
      `POST ${maps}?${byApply}&fieldValidation=Strict`,
      `GET ${maps}?labelSelector=zone=b`,
    ],
  },
  {
    command: 'apply --prune -l zone=b --prune-allowlist=core/v1/ConfigMap -f -',
    stdin: labelled.replace('other', 'another'),
    stdout: 'configmap/another created\nconfigmap/other pruned',
    requests: [
      ...schema,
      `GET ${maps}/another`,
      `POST ${maps}?${byApply}&fieldValidation=Strict`,
      `GET ${maps}?labelSelector=zone=b`,
      `DELETE ${maps}/other`,
    ],
  },
];

const patches: readonly CommandRow[] = [
  {
    command: 'patch cm settings --type=merge -p {"data":{"more":"1"}}',
    stdout: 'configmap/settings patched',
    requests: [`GET ${settings}`, `PATCH ${settings}?fieldManager=kubectl-patch [application/merge-patch+json]`],
  },
  {
    command: 'patch cm settings -p {"data":{"more":"1"}}',
    stdout: 'configmap/settings patched (no change)',
    requests: [
      `GET ${settings}`,
      `PATCH ${settings}?fieldManager=kubectl-patch [application/strategic-merge-patch+json]`,
    ],
  },
  {
    command: 'patch cm settings --type=json -p [{"op":"replace","path":"/data/mode","value":"dawn"}]',
    stdout: 'configmap/settings patched',
    requests: [`GET ${settings}`, `PATCH ${settings}?fieldManager=kubectl-patch [application/json-patch+json]`],
  },
  {
    command: 'patch cm settings --type=json -p [{"op":"test","path":"/data/mode","value":"x"}]',
    code: 1,
    stderr: /^The request is invalid: .* \/data\/mode: Test operation failed$/,
    requests: [`GET ${settings}`, `PATCH ${settings}?fieldManager=kubectl-patch [application/json-patch+json]`],
  },
  {
    command: ['get', 'cm', 'settings', '-o', 'jsonpath={.data}'],
    stdout: '{"mode":"dawn","more":"1"}',
    requests: [`GET ${settings}`],
  },
  {
    command: 'patch np hangzhou -p {}',
    code: 1,
    stderr:
      /^error: application\/strategic-merge-patch\+json is not supported by apps\.openyurt\.io\/v1beta2, Kind=NodePool/,
    requests: [
      'GET /apis/apps.openyurt.io/v1beta2/nodepools/hangzhou',
      'PATCH /apis/apps.openyurt.io/v1beta2/nodepools/hangzhou?fieldManager=kubectl-patch [application/strategic-merge-patch+json]',
    ],
  },
  {
    command: 'label cm settings zone=a',
    stdout: 'configmap/settings labeled',
    requests: [`GET ${settings}`, `PATCH ${settings}?fieldManager=kubectl-label [application/merge-patch+json]`],
  },
  {
    command: 'label cm settings zone=c',
    code: 1,
    stderr: `error: 'zone' already has a value (a), and --overwrite is false`,
    requests: [`GET ${settings}`],
  },
  {
    command: 'annotate cm settings note=hello',
    stdout: 'configmap/settings annotated',
    requests: [`GET ${settings}`, `PATCH ${settings}?fieldManager=kubectl-annotate [application/merge-patch+json]`],
  },
  {
    command: ['get', 'cm', '-l', 'zone in (a,b)', '--show-labels'],
    stdout: 'NAME  DATA  AGE  LABELS\nanother  0  AGE  zone=b\nsettings  2  AGE  zone=a',
    requests: [`GET ${maps}?labelSelector=zone+in+(a,b)&limit=500`],
  },
  {
    command: 'get cm -l !zone -L zone -o name',
    stdout: 'configmap/chunk-1\nconfigmap/chunk-2\nconfigmap/chunk-3\nconfigmap/made-NAME',
    requests: [`GET ${maps}?labelSelector=!zone&limit=500`],
  },
];

const shared = `${maps}/shared`;
const applyPatch = '[application/apply-patch+yaml]';
const sharedManifest = manifest('day').replace('settings', 'shared');

const serverSide: readonly CommandRow[] = [
  {
    command: 'apply --server-side -f -',
    stdin: sharedManifest,
    stdout: 'configmap/shared serverside-applied',
    requests: [...schema, `PATCH ${shared}?fieldManager=kubectl&fieldValidation=Strict&force=false ${applyPatch}`],
  },
  {
    command: 'apply --server-side --field-manager=other -f -',
    stdin: sharedManifest.replace('day', 'night'),
    code: 1,
    stderr:
      /^error: Apply failed with 1 conflict: conflict with "kubectl": \.data\.mode\nPlease review the fields above/,
    requests: [...schema, `PATCH ${shared}?fieldManager=other&fieldValidation=Strict&force=false ${applyPatch}`],
  },
  {
    command: 'diff --server-side --field-manager=other --force-conflicts -f -',
    stdin: sharedManifest.replace('day', 'night'),
    code: 1,
    stdout: /^- {2}mode: day\n\+ {2}mode: night$/m,
    requests: [`GET ${shared}`, `PATCH ${shared}?dryRun=All&fieldManager=other&force=true ${applyPatch}`],
  },
  {
    command: 'apply --server-side --field-manager=other --force-conflicts -f -',
    stdin: sharedManifest.replace('day', 'night'),
    stdout: 'configmap/shared serverside-applied',
    requests: [...schema, `PATCH ${shared}?fieldManager=other&fieldValidation=Strict&force=true ${applyPatch}`],
  },
  {
    command: [
      'get',
      'cm',
      'shared',
      '--show-managed-fields',
      '-o',
      'jsonpath={.data.mode} {.metadata.managedFields[*].manager}',
    ],
    stdout: /^night (kubectl )?other$/,
    requests: [`GET ${shared}`],
  },
  {
    command: 'delete cm shared',
    stdout: 'configmap "shared" deleted',
    requests: [`DELETE ${shared}`, `GET ${shared}`],
  },
];

const permissions: readonly CommandRow[] = [
  {
    command: 'auth whoami',
    stdout: 'ATTRIBUTE  VALUE\nUsername  stile-admin\nGroups  [system:masters system:authenticated]',
    requests: [`POST /apis/authentication.k8s.io/v1/selfsubjectreviews ${protobuf}`],
  },
  { command: 'auth can-i create pods', stdout: 'yes', requests: ['GET /api/v1', accessReview] },
  {
    command: 'auth can-i list deployments',
    as: 'visitor',
    code: 1,
    stdout: 'no',
    requests: ['GET /apis/apps/v1', accessReview],
  },
  {
    command: 'get pods',
    as: 'visitor',
    code: 1,
    stderr:
      'Error from server (Forbidden): pods is forbidden: User "visitor" cannot list resource "pods" in API group "" in the namespace "default"',
    requests: ['GET /api/v1/namespaces/default/pods?limit=500'],
  },
  {
    command: 'create role reader --verb=get,list --resource=pods,deployments.apps',
    stdout: 'role.rbac.authorization.k8s.io/reader created',
    requests: [`POST ${roles}/namespaces/default/roles${byCreate} ${protobuf}`],
  },
  {
    command: 'create rolebinding visitors --role=reader --group=visitors',
    stdout: 'rolebinding.rbac.authorization.k8s.io/visitors created',
    requests: [`POST ${roles}/namespaces/default/rolebindings${byCreate} ${protobuf}`],
  },
  {
    command: 'auth can-i list deployments',
    as: 'visitor',
    stdout: 'yes',
    requests: ['GET /apis/apps/v1', accessReview],
  },
  {
    command: 'auth can-i --list',
    as: 'visitor',
    stdout: /^pods +\[\] +\[\] +\[get list\]$/m,
    requests: [`POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews ${protobuf}`],
  },
  {
    command: 'auth can-i list deployments -n shop',
    as: 'visitor',
    code: 1,
    stdout: 'no',
    requests: ['GET /apis/apps/v1', accessReview],
  },
  {
    command: 'get pods',
    as: 'visitor',
    stderr: 'No resources found in default namespace.',
    requests: ['GET /api/v1/namespaces/default/pods?limit=500'],
  },
  {
    command: 'delete cm settings',
    as: 'visitor',
    code: 1,
    stderr:
      'Error from server (Forbidden): configmaps "settings" is forbidden: User "visitor" cannot delete resource "configmaps" in API group "" in the namespace "default"',
    requests: [`DELETE ${settings}`],
  },
];

export const writes: readonly CommandRow[] = [...creations, ...applications, ...patches, ...serverSide, ...permissions];
