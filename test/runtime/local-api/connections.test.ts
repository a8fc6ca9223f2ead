/** Who keeps a place at the local API, and who must go. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_CALLER_MAX,
  Connections,
  REQUESTS_PER_CALLER_MAX,
  UNKNOWN_CONNECTIONS_MAX,
  WAITING_BYTES_MAX,
} from '../../../runtime/local-api/connections.ts';

function begin() {
  const cuts: string[] = [];
  const connections = new Connections((caller, why) => cuts.push(`${caller ?? 'unknown'}: ${why}`));
  const come = (caller?: string) => {
    const socket = new PassThrough();
    connections.add(socket);
    const end = caller === undefined ? () => {} : connections.begin(socket, caller, () => {}, always);
    return { socket, end };
  };
  return { connections, cuts, come };
}

const always = () => true;
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test('connections without a token take places from one another only', () => {
  const { connections, come } = begin();
  const gate = come('gate');
  const unknown = times(1_000, () => come().socket);
  expect(connections.size).toBe(1 + UNKNOWN_CONNECTIONS_MAX);
  expect(unknown.map(({ destroyed }) => destroyed).lastIndexOf(true)).toBe(999 - UNKNOWN_CONNECTIONS_MAX);
  expect(gate.socket.destroyed).toBe(false);
});

test('a caller with too many connections loses its oldest idle one', () => {
  const { come } = begin();
  const busy = times(3, () => come('app'));
  const idle = times(CONNECTIONS_PER_CALLER_MAX - 3, () => {
    const connection = come('app');
    connection.end();
    return connection;
  });
  come('app').end();
  expect(idle.map(({ socket }) => socket.destroyed).indexOf(true)).toBe(0);
  expect(idle.filter(({ socket }) => socket.destroyed)).toHaveLength(1);
  expect(busy.some(({ socket }) => socket.destroyed)).toBe(false);
});

test('a caller has so many requests, on however many connections, until they end or their connection does', () => {
  const { connections, come } = begin();
  const { socket } = come();
  let gone = 0;
  const ends = times(REQUESTS_PER_CALLER_MAX, () => connections.begin(socket, 'app', () => (gone += 1), always));
  expect(() => connections.begin(socket, 'app', () => {}, always)).toThrow(
    expect.objectContaining({ code: 'E_TOO_MANY' }),
  );
  expect(() => come('app')).toThrow(expect.objectContaining({ code: 'E_TOO_MANY' }));
  ends[0]!();
  come('app').end();
  socket.emit('close');
  expect(gone).toBe(REQUESTS_PER_CALLER_MAX - 1);
  times(REQUESTS_PER_CALLER_MAX, () => come('app'));
});

test('with every place taken, whoever has the most gives way', () => {
  const { connections, cuts, come } = begin();
  const gate = come('gate').socket;
  for (const caller of ['a', 'b', 'c']) times(60, () => come(caller));
  times(UNKNOWN_CONNECTIONS_MAX, () => come());
  const small = times(CONNECTIONS_MAX - connections.size, () => come('small').socket);
  times(20, () => come('late'));
  expect(connections.size).toBe(CONNECTIONS_MAX);
  expect(new Set(cuts.map((cut) => cut.split(':')[0]))).not.toContain('gate');
  expect([gate, ...small].some(({ destroyed }) => destroyed)).toBe(false);
});

test('more bytes than may wait are taken from who lets the most wait', () => {
  const { connections, come } = begin();
  const sockets = times(5, () => come('app').socket);
  for (const [index, socket] of sockets.entries()) {
    // What a stream has room for on its other side does not wait.
    socket.cork();
    socket.write(Buffer.alloc(((index + 1) * WAITING_BYTES_MAX) / 10));
  }
  connections.shed();
  const kept = sockets.filter(({ destroyed }) => !destroyed);
  expect(kept).toEqual(sockets.slice(0, 4));
});
