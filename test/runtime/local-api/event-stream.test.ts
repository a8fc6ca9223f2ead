/** A stream to a reader that is gone. */
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../protocol/node/clock.ts';
import { EventStream } from '../../../runtime/local-api/event-stream.ts';

const server = createServer();
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('who waits for a reader that is gone waits until it is told so, and never spins', async () => {
  const ending = new AbortController();
  const turns = new Promise<number>((resolve) => {
    server.on('request', async (_request, response) => {
      const stream = new EventStream(response);
      response.destroy();
      let count = 0;
      for (; !ending.signal.aborted && count < 1_000; count += 1) await stream.drained(ending.signal);
      resolve(count);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  get({ host: '127.0.0.1', port }, (response) => response.on('error', () => {})).on('error', () => {});
  await systemClock.sleep(50);
  ending.abort();
  expect(await turns).toBe(1);
});
