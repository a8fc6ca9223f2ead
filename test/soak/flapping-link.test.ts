/** Goal: the relay carries bytes both ways when it is up, and fails in the two ways that it claims. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FlappingLink } from './flapping-link.ts';

let echo: Server;
let link: FlappingLink;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => void socket.on('error', () => {}).pipe(socket));
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  link = await FlappingLink.open();
  link.leadTo((echo.address() as AddressInfo).port);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await link.close();
  await new Promise((resolve) => echo.close(resolve));
});

function dial(): Socket {
  const socket = connect(link.port, '127.0.0.1').on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** However it ends. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString();
}

test('up, it carries bytes both ways', async () => {
  expect(await echoed(dial(), 'hello')).toBe('hello');
});

test('reset, it breaks what is open and refuses what comes, until it is mended', async () => {
  const open = dial();
  await echoed(open, 'before');
  link.cut('reset');
  await closed(open);
  await closed(dial());
  link.mend();
  expect(await echoed(dial(), 'again')).toBe('again');
});

test('silent, it holds every byte back and delivers it when it is mended', async () => {
  const open = dial();
  await echoed(open, 'before');
  link.cut('silent');
  const heard: string[] = [];
  const late = dial();
  for (const socket of [open, late]) {
    socket.on('data', (bytes) => heard.push(bytes.toString()));
    socket.write('held');
  }
  await once(late, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toEqual([]);
  link.mend();
  await expect.poll(() => heard).toEqual(['held', 'held']);
  expect(link.outages).toBe(1);
});
