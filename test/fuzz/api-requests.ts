/** Requests as a careless or hostile client sends them: nearly right, so that they get far. */
import fc from 'fast-check';
import { configMap, deployment, pod, pool } from '../cloud/api/requests.ts';

export interface FuzzRequest {
  method: string;
  target: string;
  contentType: string | undefined;
  body: string | undefined;
  /** Asked by somebody who may only read. */
  viewer: boolean;
}

/** Nobody but the viewer is ever sent there. */
export const guardedNamespace = 'untouched';

const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'b', 'c', 'd') },
  { weight: 1, arbitrary: fc.constantFrom('A_b', 'ü', 'x'.repeat(300), '..', '%2e%2e', '%zz', '') },
);

type Make = (name: string) => object;
/** Where objects are, and how one looks that would be taken there. */
const place = fc.constantFrom<[string, Make]>(
  ['/api/v1/namespaces/default/configmaps', (each) => configMap(each, { x: each })],
  ['/api/v1/namespaces/default/pods', (each) => pod(each)],
  ['/apis/apps/v1/namespaces/default/deployments', deployment],
  ['/apis/apps.openyurt.io/v1beta2/nodepools', pool],
  [
    '/api/v1/namespaces/default/configmaps',
    (each) => ({ ...configMap(each), metadata: { name: each, finalizers: ['a.dev/b'] } }),
  ],
  ['/api/v1/namespaces/default/events', configMap],
  ['/api/v1/namespaces/nowhere/secrets', configMap],
  ['/apis/apps.openyurt.io/v1beta1/namespaces/default/yurtappsets', deployment],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', pool],
  ['/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', pool],
  ['/api/v1/nodes', pool],
  ['/api/v1/configmaps', configMap],
);
const part = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.constantFrom('/status', '/scale', '/binding', '/eviction', '/nothing') },
);
const document = fc.constantFrom(
  '/',
  '/api',
  '/apis',
  '/openapi/v3',
  '/openapi/v3/api/v1',
  '/version',
  '/apis/apps',
  '//',
);

const token = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom('eyJydiI6MX0', 'AAAA', Buffer.from('{"v":1,"rv":"1","after":"a"}').toString('base64url')),
);
const selector = fc.oneof(
  fc.constantFrom('app=a', 'app in (a,b)', '!app', 'app notin ()', 'a==b,c!=d', '=', ',,', 'metadata.name=a', 'x>1'),
  fc.string({ maxLength: 20 }),
);
const parameter = fc.oneof(
  fc.tuple(fc.constantFrom('labelSelector', 'fieldSelector'), selector),
  fc.tuple(
    fc.constantFrom('limit', 'timeoutSeconds', 'gracePeriodSeconds'),
    fc.constantFrom('1', '2', '0', '-1', 'x', '9e99'),
  ),
  fc.tuple(fc.constant('continue'), token),
  fc.tuple(
    fc.constant('resourceVersion'),
    fc.constantFrom('', '0', '1', '5', '999999999', '-1', 'x', '18446744073709551616'),
  ),
  fc.tuple(fc.constant('resourceVersionMatch'), fc.constantFrom('Exact', 'NotOlderThan', 'Other')),
  fc.tuple(fc.constant('dryRun'), fc.constantFrom('All', 'Some', '')),
  fc.tuple(fc.constant('fieldValidation'), fc.constantFrom('Strict', 'Warn', 'Ignore', 'No')),
  fc.tuple(fc.constant('fieldManager'), fc.constantFrom('ann', 'bob', '', '\n', 'x'.repeat(200))),
  fc.tuple(fc.constant('force'), fc.constantFrom('true', 'false', 'maybe')),
  fc.tuple(fc.constant('propagationPolicy'), fc.constantFrom('Orphan', 'Foreground', 'Background', 'None')),
  fc.tuple(fc.constantFrom('watch', 'allowWatchBookmarks', 'sendInitialEvents'), fc.constantFrom('true', '1', 'no')),
);

/** Empty, or with the mark before it. */
function query(): fc.Arbitrary<string> {
  const manager = fc.constantFrom<[string, string]>(['fieldManager', 'ann'], ['fieldManager', 'bob']);
  return fc
    .tuple(fc.option(manager), fc.oneof(fc.constant([]), fc.array(parameter, { maxLength: 2 })))
    .map(([who, more]) => new URLSearchParams(who === null ? more : [who, ...more]).toString())
    .map((text) => (text === '' ? '' : `?${text}`));
}

const word = fc.constantFrom(
  'metadata',
  'spec',
  'status',
  'data',
  'name',
  'labels',
  'replicas',
  'containers',
  '__proto__',
  'finalizers',
  'managedFields',
  'ownerReferences',
  'generateName',
  '$patch',
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, 'a', '', 'delete', 0, -1, 1e300, true, 'x'.repeat(60)),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(word, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

const spoilt = (object: object) =>
  fc
    .option(fc.tuple(word, tree), { freq: 3 })
    .map((member) => JSON.stringify(member === null ? object : { ...object, [member[0]]: member[1] }));

const merge = fc.oneof(
  fc.constantFrom(
    '{"data":{"x":"1"}}',
    '{"data":{"x":null}}',
    '{"metadata":{"finalizers":null}}',
    '{"spec":{"replicas":3}}',
  ),
  fc.constantFrom(
    '{"metadata":{"resourceVersion":"1"}}',
    '{"metadata":{"uid":"other"}}',
    '{"metadata":{"labels":{"app":"a"}}}',
  ),
  fc.tuple(word, tree).map(([member, value]) => JSON.stringify({ [member]: value })),
);
const operations = fc.oneof(
  fc.constant('[{"op":"add","path":"/data/y","value":"1"}]'),
  fc.constant('[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]'),
  fc
    .tuple(fc.constantFrom('add', 'remove', 'test', 'copy', 'move', 'fly'), word, word, tree)
    .map(([op, first, second, value]) =>
      JSON.stringify([{ op, path: `/${first}/${second}`, from: `/${second}`, value }]),
    ),
);
const nonsense = fc.oneof(
  tree.map((value) => JSON.stringify(value)),
  fc.constantFrom('', '{', 'a: [1', '&a [*a, *a]', '\0', 'k8s\0\n', '{"apiVersion":"v1"}'),
);

type Sent = [contentType: string | undefined, body: string | undefined];
const as =
  (contentType: string) =>
  (body: string): Sent => [contentType, body];

/** What a client would send with `method`, nine times of ten. */
function sentWith(method: string, object: object): fc.Arbitrary<Sent> {
  const whole = fc.oneof(spoilt(object).map(as('application/json')), spoilt(object).map(as('application/yaml')));
  const patch = fc.oneof(
    merge.map(as('application/merge-patch+json')),
    merge.map(as('application/strategic-merge-patch+json')),
    operations.map(as('application/json-patch+json')),
    spoilt(object).map(as('application/apply-patch+yaml')),
  );
  const none = fc.constant<Sent>([undefined, undefined]);
  const usual = method === 'PATCH' ? patch : method === 'POST' || method === 'PUT' ? whole : none;
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: fc.tuple(contentType, nonsense) });
}
const contentType = fc.constantFrom(
  'application/json',
  'application/json',
  'application/yaml',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/json-patch+json',
  'application/apply-patch+yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  undefined,
);

const methods = [
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'PATCH',
  'PATCH',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
];

/** At an object or, for a new one, at its collection; sometimes at the other one. */
const atPlace = fc
  .tuple(place, name, part, fc.constantFrom(...methods), fc.nat(9), query())
  .chain(([[path, make], each, rest, method, oddness, parameters]) => {
    const ofCollection = (method === 'POST' || (method === 'GET' && oddness > 5)) !== (oddness === 0);
    const target = ofCollection && rest === '' ? path : `${path}/${each}${rest}`;
    return sentWith(method, make(each)).map(([type, body]) => ({
      method,
      target: encodeURI(target).replaceAll('%25', '%') + parameters,
      contentType: type,
      body,
      viewer: false,
    }));
  });

const atDocument = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
  target: fc.tuple(document, query()).map(([path, parameters]) => path + parameters),
  contentType,
  body: fc.constant(undefined),
  viewer: fc.constant(false),
});

/** Of somebody who may only read, at what nobody else touches. */
const guarded = fc.record({
  method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'),
  target: fc
    .tuple(fc.constantFrom('configmaps', 'secrets', 'pods'), fc.constantFrom('', '/kept', '/kept/status', '/other'))
    .map(([plural, rest]) => `/api/v1/namespaces/${guardedNamespace}/${plural}${rest}`),
  contentType,
  body: fc.option(merge, { nil: undefined }),
  viewer: fc.constant(true),
});

export const anyRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(
  { weight: 18, arbitrary: atPlace },
  { weight: 1, arbitrary: atDocument },
  { weight: 1, arbitrary: guarded },
);
