/**
 * Every rule that OpenYurt has for a YurtAppSet, refused beside its accepted neighbour, through the API.
 * Source: openyurtio/openyurt pkg/apis/apps/v1beta1 and pkg/yurtmanager/webhook/yurtappset.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Loose, TestServer } from '../api/test-server.ts';

const sets = '/apis/apps.openyurt.io/v1beta1/namespaces/default/yurtappsets';
const TEMPLATE = 'spec.workload.workloadTemplate';

let server: TestServer;
let name: string;
let serial = 0;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server?.stop());
beforeEach(() => {
  name = `s${++serial}`;
});

const podTemplate = (app = 'gate') => ({
  metadata: { labels: { app } },
  spec: {
    initContainers: [{ name: 'prepare', image: 'prepare:1' }],
    containers: [{ name: 'main', image: 'gate:1' }],
  },
});
const deploymentTemplate = (spec: object = {}) => ({
  metadata: { labels: { app: 'gate' } },
  spec: { replicas: 2, selector: { matchLabels: { app: 'gate' } }, template: podTemplate(), ...spec },
});
const statefulSetTemplate = (spec: object = {}) => ({
  spec: { serviceName: 'gate', selector: { matchLabels: { app: 'gate' } }, template: podTemplate(), ...spec },
});
const set = (spec: object) => ({
  apiVersion: 'apps.openyurt.io/v1beta1',
  kind: 'YurtAppSet',
  metadata: { name },
  spec,
});
/** A set whose workload is `workloadTemplate` with these tweaks for pool beijing. */
const workload = (workloadTemplate: object, ...tweaks: object[]) =>
  set({
    pools: ['beijing'],
    workload: { workloadTemplate, workloadTweaks: tweaks.map((one) => ({ pools: ['beijing'], tweaks: one })) },
  });
const tweaked = (...tweaks: object[]) => workload({ deploymentTemplate: deploymentTemplate() }, ...tweaks);
const patching = (path: string, operation: string, value?: unknown) => ({
  patches: [{ path, operation, ...(value === undefined ? {} : { value }) }],
});

const create = (body: object) => server.ask('POST', `${sets}?fieldValidation=Strict`, { body });
const change = (body: object) =>
  server.ask('PATCH', `${sets}/${name}`, { body, headers: { 'content-type': 'application/merge-patch+json' } });

async function expectAccepted(body: object): Promise<Loose> {
  const reply = await create(body);
  expect(reply.code, reply.text).toBe(201);
  expect((await server.ask('DELETE', `${sets}/${name}`)).code).toBe(200);
  return reply.body;
}

async function expectRefused(body: object, ...fields: string[]): Promise<Loose> {
  const reply = await create(body);
  expect(reply.code, reply.text).toBe(422);
  expect(reply.body.details.causes.map((cause: { field: string }) => cause.field)).toEqual(fields);
  return reply.body;
}

describe('every shape applies', () => {
  const base = { workload: { workloadTemplate: { deploymentTemplate: deploymentTemplate() } } };
  const tweak = (one: object) => ({ ...base, workload: { ...base.workload, workloadTweaks: [one] } });
  test.each<[string, object]>([
    ['of Deployments', base],
    [
      'of Deployments without metadata',
      { workload: { workloadTemplate: { deploymentTemplate: { spec: deploymentTemplate().spec } } } },
    ],
    ['of StatefulSets', { workload: { workloadTemplate: { statefulSetTemplate: statefulSetTemplate() } } }],
    ['for pools by name', { ...base, pools: ['beijing', 'hangzhou'] }],
    ['for pools by label', { ...base, nodepoolSelector: { matchLabels: { region: 'east' } } }],
    [
      'for pools by expression',
      { ...base, nodepoolSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] } },
    ],
    ['for all pools', { ...base, nodepoolSelector: {} }],
    [
      'for pools by name and label',
      { ...base, pools: ['beijing'], nodepoolSelector: { matchLabels: { region: 'east' } } },
    ],
    ['with a history', { ...base, revisionHistoryLimit: 3 }],
    ['with a tweak of replicas', tweak({ pools: ['beijing'], tweaks: { replicas: 0 } })],
    [
      'with a tweak of images',
      tweak({
        pools: ['beijing'],
        tweaks: {
          containerImages: [
            { name: 'prepare', targetImage: 'p:2' },
            { name: 'unknown', targetImage: 'u:2' },
          ],
        },
      }),
    ],
    [
      'with a tweak by selector',
      tweak({ nodepoolSelector: { matchLabels: { region: 'east' } }, tweaks: { replicas: 1 } }),
    ],
    ['with a tweak of nothing', tweak({ pools: ['beijing'], tweaks: {} })],
    [
      'with an added member',
      tweak({ pools: ['beijing'], tweaks: patching('/spec/template/spec/hostNetwork', 'add', true) }),
    ],
    ['with a replaced member', tweak({ pools: ['beijing'], tweaks: patching('/spec/replicas', 'replace', 5) })],
    [
      'with a removed member',
      tweak({ pools: ['beijing'], tweaks: patching('/spec/template/spec/initContainers', 'remove') }),
    ],
    [
      'with the labels of OpenYurt’s own sample',
      tweak({ pools: ['beijing'], tweaks: patching('/metadata/labels', 'add', { foo: 'bar' }) }),
    ],
    ['with a label more', tweak({ pools: ['beijing'], tweaks: patching('/metadata/labels/foo', 'add', 'bar') })],
    [
      'with the name of the pool',
      tweak({
        pools: ['beijing'],
        tweaks: patching('/spec/template/spec/containers/0/env', 'add', [{ name: 'POOL', value: '{{nodepool-name}}' }]),
      }),
    ],
  ])('%s', async (_shape, spec) => {
    const made = await expectAccepted(set(spec));
    expect(made.spec).toMatchObject(spec);
  });
});

describe('defaults', () => {
  test('ten revisions are kept unless it says how many', async () => {
    const { spec } = await expectAccepted(tweaked());
    expect(spec.revisionHistoryLimit).toBe(10);
    const other = tweaked();
    const told = await expectAccepted({ ...other, spec: { ...other.spec, revisionHistoryLimit: 2 } });
    expect(told.spec.revisionHistoryLimit).toBe(2);
  });
});

describe('validation', () => {
  test('exactly one of the two templates must be there', async () => {
    const both = { deploymentTemplate: deploymentTemplate(), statefulSetTemplate: statefulSetTemplate() };
    await expectRefused(workload({}), TEMPLATE);
    await expectRefused(workload(both), TEMPLATE);
    await expectAccepted(workload({ deploymentTemplate: deploymentTemplate() }));
    await expectAccepted(workload({ statefulSetTemplate: statefulSetTemplate() }));
  });

  test('the kind of the template does not change', async () => {
    await create(tweaked());
    const other = { deploymentTemplate: null, statefulSetTemplate: statefulSetTemplate() };
    const refused = await change({ spec: { workload: { workloadTemplate: other } } });
    expect(refused.code).toBe(422);
    expect(refused.body.details.causes).toMatchObject([{ field: TEMPLATE, reason: 'FieldValueForbidden' }]);
    const same = { deploymentTemplate: { spec: { replicas: 4 } } };
    expect((await change({ spec: { workload: { workloadTemplate: same } } })).code).toBe(200);
  });

  test('without tweaks the template must be a valid Deployment', async () => {
    const field = `${TEMPLATE}.deploymentTemplate.spec`;
    const other = { matchLabels: { app: 'other' } };
    await expectRefused(
      workload({ deploymentTemplate: deploymentTemplate({ selector: other }) }),
      `${field}.template.metadata.labels`,
    );
    await expectRefused(workload({ deploymentTemplate: deploymentTemplate({ replicas: -1 }) }), `${field}.replicas`);
    await expectAccepted(workload({ deploymentTemplate: deploymentTemplate({ replicas: 0 }) }));
    const { selector: _none, ...bare } = deploymentTemplate().spec;
    await expectRefused(workload({ deploymentTemplate: { spec: bare } }), `${field}.selector`);
  });

  test('without tweaks the template must be a valid StatefulSet', async () => {
    const field = `${TEMPLATE}.statefulSetTemplate.spec`;
    const policy = (podManagementPolicy: string) =>
      workload({ statefulSetTemplate: statefulSetTemplate({ podManagementPolicy }) });
    await expectRefused(policy('Random'), `${field}.podManagementPolicy`);
    await expectAccepted(policy('Parallel'));
    const other = statefulSetTemplate({ selector: { matchLabels: { app: 'other' } } });
    await expectRefused(workload({ statefulSetTemplate: other }), `${field}.template.metadata.labels`);
  });

  test('the template must be valid also where there are tweaks', async () => {
    const wrong = { deploymentTemplate: deploymentTemplate({ replicas: -1 }) };
    await expectRefused(workload(wrong, { replicas: 1 }), `${TEMPLATE}.deploymentTemplate.spec.replicas`);
    await expectAccepted(workload({ deploymentTemplate: deploymentTemplate() }, { replicas: 1 }));
  });

  test.each<[string, object, object]>([
    ['its replicas', { replicas: -1 }, { replicas: 0 }],
    ['its patch of replicas', patching('/spec/replicas', 'replace', -1), patching('/spec/replicas', 'replace', 0)],
    ['the type of what it adds', patching('/spec/replicas', 'add', 'two'), patching('/spec/replicas', 'add', 2)],
    [
      'a volume that it mounts',
      patching('/spec/template/spec/containers/0/volumeMounts', 'add', [{ name: 'v', mountPath: '/v' }]),
      patching('/spec/template/spec/volumes', 'add', [{ name: 'v', emptyDir: {} }]),
    ],
    [
      'a path that is not there',
      patching('/spec/template/spec/containers/4/image', 'replace', 'x'),
      patching('/spec/template/spec/containers/0/image', 'replace', 'x'),
    ],
    [
      'containers that it takes away',
      patching('/spec/template/spec/containers', 'replace', []),
      patching('/spec/template/spec/initContainers', 'replace', []),
    ],
    ['the whole spec that it takes away', patching('/spec', 'remove'), patching('/spec/replicas', 'remove')],
  ])('each tweak alone must give a valid workload: %s', async (_what, wrong, right) => {
    const good = { replicas: 1 };
    const reply = await create(tweaked(good, wrong));
    expect(reply.code, reply.text).toBe(422);
    for (const { field } of reply.body.details.causes)
      expect(field).toMatch(/^spec\.workload\.workloadTweaks\[1\]\.tweaks/);
    await expectAccepted(tweaked(good, right));
  });

  test('each tweak alone must give a valid workload: of a StatefulSet', async () => {
    const template = { statefulSetTemplate: statefulSetTemplate() };
    const policy = (value: string) => patching('/spec/podManagementPolicy', 'add', value);
    await expectRefused(workload(template, policy('Random')), 'spec.workload.workloadTweaks[0].tweaks');
    await expectAccepted(workload(template, policy('Parallel')));
  });

  test('tweaks together are left to the controller, which knows the pools', async () => {
    await expectAccepted(
      tweaked(patching('/spec/template/spec/initContainers', 'remove'), {
        containerImages: [{ name: 'prepare', targetImage: 'p:2' }],
      }),
    );
  });

  test('a patch adds, removes or replaces', async () => {
    const field = 'spec.workload.workloadTweaks[0].tweaks.patches[0].operation';
    await expectRefused(tweaked(patching('/spec/replicas', 'move', 1)), field);
    await expectAccepted(tweaked(patching('/spec/replicas', 'replace', 1)));
  });

  test('a patch begins at /metadata or /spec', async () => {
    const field = 'spec.workload.workloadTweaks[0].tweaks.patches[0].path';
    await expectRefused(tweaked(patching('/status/replicas', 'add', 1)), field);
    await expectAccepted(tweaked(patching('/metadata/annotations/note', 'add', 'x')));
  });
});
