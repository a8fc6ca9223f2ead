/** Lists and watches: what kubectl and informers rely on. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMapKind } from '../../../cloud/kinds/registry.ts';
import { bounds } from '../../../protocol/resources/api/bounds.ts';
import { configMap, maps, tableAccept } from './requests.ts';
import { type Loose, linesOf, TestServer } from './test-server.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
});

afterEach(() => server.stop());

describe('a list', () => {
  beforeEach(async () => {
    for (let index = 0; index < 5; index++)
      await server.ask('POST', maps, {
        body: { ...configMap(`m${index}`), metadata: { name: `m${index}`, labels: { odd: String(index % 2) } } },
      });
  });

  const namesIn = (list: Loose) => list.items.map(({ metadata }: Loose) => metadata.name);

  it('comes in pages of one snapshot', async () => {
    const first = await server.ask('GET', `${maps}?limit=2`);
    expect(first.body).toMatchObject({ kind: 'ConfigMapList', metadata: { remainingItemCount: 3 } });
    await server.ask('DELETE', `${maps}/m2`);
    const token = encodeURIComponent(first.body.metadata.continue);
    const second = await server.ask('GET', `${maps}?limit=2&continue=${token}`);
    expect(namesIn(second.body)).toEqual(['m2', 'm3']);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });

  it('is narrowed by labels, fields and namespace', async () => {
    expect(namesIn((await server.ask('GET', `${maps}?labelSelector=odd%3D1`)).body)).toEqual(['m1', 'm3']);
    expect(namesIn((await server.ask('GET', `${maps}?fieldSelector=metadata.name%3Dm4`)).body)).toEqual(['m4']);
    expect(namesIn((await server.ask('GET', '/api/v1/namespaces/kube-system/configmaps')).body)).toEqual([]);
    expect(namesIn((await server.ask('GET', '/api/v1/configmaps')).body)).toHaveLength(5);
    expect((await server.ask('GET', `${maps}?fieldSelector=data.x%3D1`)).code).toBe(400);
    expect((await server.ask('GET', `${maps}?labelSelector=(((`)).code).toBe(400);
  });

  it('takes resourceVersion 0 and checks resourceVersionMatch', async () => {
    expect(namesIn((await server.ask('GET', `${maps}?resourceVersion=0`)).body)).toHaveLength(5);
    const { resourceVersion } = (await server.ask('GET', maps)).body.metadata;
    const exact = `${maps}?resourceVersionMatch=Exact&resourceVersion=`;
    expect((await server.ask('GET', exact + resourceVersion)).code).toBe(200);
    expect((await server.ask('GET', `${exact}1`)).body).toMatchObject({ code: 410, reason: 'Expired' });
    expect((await server.ask('GET', `${exact}0`)).code).toBe(422);
    expect((await server.ask('GET', `${maps}?resourceVersionMatch=Exact`)).code).toBe(422);
  });

  it('is a Table with metadata, whole objects or none in its rows', async () => {
    const ask = (include: string) => server.ask('GET', `${maps}${include}`, { headers: { accept: tableAccept } });
    const table = (await ask('')).body;
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(table.columnDefinitions[0]).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 });
    expect(table.rows[0].cells[0]).toBe('m0');
    expect(table.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'm0' } });
    expect((await ask('?includeObject=Object')).body.rows[0].object.kind).toBe('ConfigMap');
    expect((await ask('?includeObject=None')).body.rows[0].object).toBeUndefined();
    expect((await ask('?includeObject=All')).code).toBe(400);
  });

  it('is of metadata alone where that is asked for', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    const { body } = await server.ask('GET', maps, { headers: { accept } });
    expect(body.kind).toBe('PartialObjectMetadataList');
    expect(Object.keys(body.items[0])).toEqual(['kind', 'apiVersion', 'metadata']);
  });

  it('of many objects is whole', async () => {
    for (let index = 0; index < 3 * bounds.sliceItems; index++)
      await server.store.create(configMapKind, {
        ...configMap(`x${index}`),
        metadata: { name: `x${index}`, namespace: 'default' },
      });
    expect((await server.ask('GET', maps)).body.items).toHaveLength(5 + 3 * bounds.sliceItems);
  });
});

describe('a watch', () => {
  async function take(path: string, count: number, headers: Record<string, string> = {}): Promise<Loose[]> {
    const response = await server.open('GET', path, { headers });
    const events: Loose[] = [];
    for await (const event of linesOf(response)) if (events.push(event) === count) break;
    return events;
  }

  it('sends its headers before there is any event', async () => {
    const response = await server.open('GET', `${maps}?watch=true&resourceVersion=${server.store.revision()}`);
    expect(response.statusCode).toBe(200);
    response.destroy();
  });

  it('tells what happens after a revision, in order', async () => {
    const from = server.store.revision();
    const events = take(`${maps}?watch=true&resourceVersion=${from}`, 3);
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('PUT', `${maps}/a`, { body: configMap('a', { x: '1' }) });
    await server.ask('DELETE', `${maps}/a`);
    expect((await events).map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  });

  it('without a revision begins with what is there', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const [event] = await take(`${maps}?watch=true`, 1);
    expect(event).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
  });

  it('as a streaming list says where the initial state ends', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    const [added, end] = await take(`${maps}?${query}`, 2);
    expect(added.type).toBe('ADDED');
    expect(end).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    expect((await server.ask('GET', `${maps}?watch=true&sendInitialEvents=true`)).code).toBe(422);
  });

  it('of Tables has one row per event and the headings once', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('POST', maps, { body: configMap('b') });
    const [first, second] = await take(`${maps}?watch=true`, 2, { accept: tableAccept });
    expect(first.object).toMatchObject({
      kind: 'Table',
      rows: [{ cells: ['a', expect.anything(), expect.anything()] }],
    });
    expect(first.object.columnDefinitions).toHaveLength(3);
    expect(second.object).toMatchObject({ columnDefinitions: null, rows: [{ object: { metadata: { name: 'b' } } }] });
  });

  it('ends when its time is over', async () => {
    const response = await server.open('GET', `${maps}?watch=true&timeoutSeconds=1`);
    response.resume();
    await once(response, 'end');
    expect(response.complete).toBe(true);
  });

  it('of a revision that is gone tells Expired and ends', async () => {
    await server.stop();
    server = await TestServer.start({ logEntriesMax: 4 });
    for (let index = 0; index < 20; index++) await server.ask('POST', maps, { body: configMap(`m${index}`) });
    const response = await server.open('GET', `${maps}?watch=true&resourceVersion=1`);
    const events: Loose[] = [];
    for await (const event of linesOf(response)) events.push(event);
    expect(events).toMatchObject([{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }]);
  });

  it('ends when the server stops', async () => {
    const response = await server.open('GET', `${maps}?watch=true`);
    response.resume();
    const ended = once(response, 'close');
    await server.stop();
    await ended;
    server = await TestServer.start();
  });
});
