/** What one client can take from the others is bounded: requests, watches, time and memory. */
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { configMapKind } from '../../../cloud/kinds/registry.ts';
import type { Decision } from '../../../protocol/resources/api/identity.ts';
import { TestServer } from './test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';

let server: TestServer;

afterEach(() => server.stop());

describe('the API', () => {
  it('answers so many requests at once and sends the next away for a second', async () => {
    const decided = Promise.withResolvers<Decision>();
    let asked = 0;
    server = await TestServer.start({
      bounds: { requestsMax: 2 },
      authorize: () => {
        asked++;
        return decided.promise;
      },
    });
    const held = [server.ask('GET', maps), server.ask('GET', maps)];
    await expect.poll(() => asked).toBe(2);
    const refused = await server.ask('GET', maps);
    expect(refused.body).toMatchObject({ code: 429, reason: 'TooManyRequests' });
    expect(refused.headers['retry-after']).toBe('1');
    decided.resolve({ allowed: true });
    expect((await Promise.all(held)).map(({ code }) => code)).toEqual([200, 200]);
    expect((await server.ask('GET', maps)).code).toBe(200);
  });

  it('answers so many requests of one user at once, and those of others beside them', async () => {
    const decided = Promise.withResolvers<Decision>();
    let asked = 0;
    server = await TestServer.start({
      bounds: { requestsPerUserMax: 2 },
      authorize: ({ identity }) => {
        if (identity?.user === 'other') return { allowed: true };
        asked++;
        return decided.promise;
      },
    });
    await server.admitUser('other');
    const held = [server.ask('GET', maps), server.ask('GET', maps)];
    await expect.poll(() => asked).toBe(2);
    const refused = await server.ask('GET', maps);
    expect(refused.body).toMatchObject({ code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } });
    expect(refused.headers['retry-after']).toBe('1');
    expect((await server.ask('GET', maps, { as: 'other' })).code).toBe(200);
    decided.resolve({ allowed: true });
    await Promise.all(held);
    const again = await Promise.all([server.ask('GET', maps), server.ask('GET', maps)]);
    expect(again.map(({ code }) => code)).toEqual([200, 200]);
  });

  it('holds so many watches of one user open, and takes another when one has ended', async () => {
    server = await TestServer.start({ bounds: { watchesPerUserMax: 2, requestsMax: 1 } });
    const watches = [await server.open('GET', `${maps}?watch=true`), await server.open('GET', `${maps}?watch=true`)];
    const refused = await server.ask('GET', `${maps}?watch=true`);
    expect(refused.body).toMatchObject({ code: 429, reason: 'TooManyRequests' });
    watches[0]!.destroy();
    await expect.poll(() => server.answering).toBe(1);
    const again = await server.open('GET', `${maps}?watch=true`);
    expect(again.statusCode).toBe(200);
    again.destroy();
    watches[1]!.destroy();
  });

  it('drops a watcher that does not read, and nobody else', async () => {
    server = await TestServer.start({ bounds: { watchBufferBytesMax: 256 * 1024 } });
    const slow = await server.open('GET', `${maps}?watch=true`);
    slow.pause();
    const reading = await server.open('GET', `${maps}?watch=true`);
    let bytes = 0;
    reading.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    const data = { filler: 'x'.repeat(32 * 1024) };
    // The sockets' own buffers swallow some megabytes before the server's begins to fill.
    for (let count = 1; count <= 1_000 && server.answering === 2; count++) {
      const metadata = { name: `m${count}`, namespace: 'default' };
      await server.store.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
      while (bytes < count * data.filler.length) await once(reading, 'data');
    }
    expect(server.answering).toBe(1);
    const before = bytes;
    const metadata = { name: 'last', namespace: 'default' };
    await server.store.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    await expect.poll(() => bytes).toBeGreaterThan(before);
    reading.destroy();
    slow.destroy();
  });

  it('breaks the connection of a request that sends its body too slowly', async () => {
    server = await TestServer.start({ bounds: { requestMs: 200 } });
    const stalled = server.open('POST', maps, { body: '{', headers: { 'content-length': '100' } });
    await expect(stalled).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await server.ask('GET', maps)).code).toBe(200);
  });
});
