/** StatefulSet and DaemonSet are kept and checked as upstream, and whoever creates one is told that nothing runs it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableAccept } from '../api/requests.ts';
import { type Loose, TestServer } from '../api/test-server.ts';

const base = '/apis/apps/v1/namespaces/default';

let server: TestServer;
let serial = 0;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server?.stop());

const workload = (kind: string, spec: object = {}, name = `w${++serial}`) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: 'gate' } },
    template: {
      metadata: { labels: { app: 'gate' } },
      spec: { nodeSelector: { site: 'a' }, containers: [{ name: 'main', image: 'gate:1' }] },
    },
    ...(kind === 'StatefulSet' ? { serviceName: 'gate' } : {}),
    ...spec,
  },
});
const pathOf = (kind: string) => `${base}/${kind.toLowerCase()}s`;
const create = (kind: string, spec?: object, query = 'fieldValidation=Strict') =>
  server.ask('POST', `${pathOf(kind)}?${query}`, { body: workload(kind, spec) });
const fieldsOf = ({ body }: { body: Loose }) => body.details.causes.map((cause: { field: string }) => cause.field);
const change = (kind: string, name: string, spec: object) =>
  server.ask('PATCH', `${pathOf(kind)}/${name}`, {
    body: { spec },
    headers: { 'content-type': 'application/merge-patch+json' },
  });

describe.each(['StatefulSet', 'DaemonSet'])('%s', (kind) => {
  test('is accepted with one sentence that nothing runs it here, and no pod comes of it', async () => {
    const reply = await create(kind);
    expect(reply.code, reply.text).toBe(201);
    expect(reply.headers.warning).toMatch(
      new RegExp(
        `^299 - "this hub keeps ${kind}s but runs no controller for them yet, so no pods come of it: use a \\w+"$`,
      ),
    );
    expect((await server.ask('GET', `${pathOf(kind)}/${reply.body.metadata.name}`)).headers.warning).toBeUndefined();
    expect(await server.names('pods')).toEqual([]);
  });

  test('has Kubernetes’ defaults', async () => {
    const { spec } = (await create(kind)).body;
    expect(spec).toMatchObject({
      revisionHistoryLimit: 10,
      updateStrategy: {
        type: 'RollingUpdate',
        rollingUpdate: kind === 'StatefulSet' ? { partition: 0 } : { maxUnavailable: 1, maxSurge: 0 },
      },
      template: { spec: { restartPolicy: 'Always' } },
    });
    if (kind === 'StatefulSet') expect(spec).toMatchObject({ replicas: 1, podManagementPolicy: 'OrderedReady' });
  });

  test('needs a selector that selects its template, and keeps it', async () => {
    const other = { matchLabels: { app: 'other' } };
    expect(fieldsOf(await create(kind, { selector: other }))).toEqual(['spec.template.metadata.labels']);
    expect(fieldsOf(await create(kind, { selector: {} }))).toEqual(['spec.selector']);
    const { name } = (await create(kind)).body.metadata;
    const labels = { app: 'gate', tier: 'x' };
    const refused = await change(kind, name, { selector: { matchLabels: labels }, template: { metadata: { labels } } });
    expect(fieldsOf(refused)).toEqual([kind === 'StatefulSet' ? 'spec' : 'spec.selector']);
    expect((await change(kind, name, { template: { metadata: { labels } } })).code).toBe(200);
  });

  test('rolls out on a known way alone', async () => {
    expect(fieldsOf(await create(kind, { updateStrategy: { type: 'Blue' } }))).toEqual(['spec.updateStrategy.type']);
    expect((await create(kind, { updateStrategy: { type: 'OnDelete' } })).code).toBe(201);
  });
});

test('of a StatefulSet only what upstream lets change may change', async () => {
  const { name } = (await create('StatefulSet')).body.metadata;
  expect(fieldsOf(await change('StatefulSet', name, { serviceName: 'other' }))).toEqual(['spec']);
  expect((await change('StatefulSet', name, { replicas: 3 })).code).toBe(200);
  const scale = await server.ask('GET', `${pathOf('StatefulSet')}/${name}/scale`);
  expect(scale.body).toMatchObject({ kind: 'Scale', spec: { replicas: 3 } });
});

test('a DaemonSet has pods too few or too many during a roll-out, not both and not neither', async () => {
  const rolling = (maxUnavailable: unknown, maxSurge: unknown) =>
    create('DaemonSet', { updateStrategy: { rollingUpdate: { maxUnavailable, maxSurge } } });
  expect(fieldsOf(await rolling(0, 0))).toEqual(['spec.updateStrategy.rollingUpdate.maxUnavailable']);
  expect(fieldsOf(await rolling(1, '10%'))).toEqual(['spec.updateStrategy.rollingUpdate.maxSurge']);
  expect((await rolling(0, '10%')).code).toBe(201);
});

test.each([
  ['statefulsets', ['Name', 'Ready', 'Age', 'Containers', 'Images']],
  [
    'daemonsets',
    [
      'Name',
      'Desired',
      'Current',
      'Ready',
      'Up-to-date',
      'Available',
      'Node Selector',
      'Age',
      'Containers',
      'Images',
      'Selector',
    ],
  ],
])('the table of %s is kubectl’s', async (plural, columns) => {
  const { body } = await server.ask('GET', `${base}/${plural}`, { headers: { accept: tableAccept } });
  expect(body.columnDefinitions.map((column: { name: string }) => column.name)).toEqual(columns);
  if (plural === 'daemonsets') expect(body.rows[0].cells.slice(1, 7)).toEqual([0, 0, 0, 0, 0, 'site=a']);
  else expect(body.rows[0].cells[1]).toBe('0/1');
});
