/** Probes against real sockets, servers and commands, and the simulated port under the same contract. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HandlerCall } from '../../../runtime/workloads/ports.ts';
import { LocalProber } from '../../../runtime/workloads/prober.ts';
import { describeProber } from '../../contract/prober.ts';
import { simProber } from '../../sim/prober.ts';
import { World } from '../../sim/world.ts';
import { pause, until } from './real-world.ts';

const prober = new LocalProber({ engine: { file: process.execPath, args: [] } });
const forever = new AbortController().signal;
const address = '127.64.9.9';

let server: Server;
let directory: string;
let port: number;
const agents: string[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-prober-'));
  server = createServer((request, response) => {
    agents.push(`${request.headers['user-agent']} ${request.headers['x-lane'] ?? ''}`);
    const path = request.url ?? '';
    if (path === '/silent') return;
    if (path === '/endless') {
      response.on('close', () => clearInterval(timer));
      const timer = setInterval(() => response.write('x'.repeat(4_096)), 1);
      return;
    }
    if (path === '/moved') response.writeHead(302, { location: '/well' });
    else if (path === '/elsewhere') response.writeHead(302, { location: 'http://192.0.2.1/' });
    else if (path === '/round') response.writeHead(302, { location: '/round' });
    else response.writeHead(path === '/well' ? 200 : 503);
    response.end(`this is ${path}`);
  });
  await new Promise<void>((done) => server.listen(0, address, done));
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(directory, { recursive: true, force: true });
});

function get(path: string, headers: [string, string][] = []): HandlerCall {
  return { kind: 'httpGet', scheme: 'HTTP', host: address, port, path, headers };
}

function shell(script: string): HandlerCall {
  const env = { PATH: '/usr/bin:/bin' };
  return { kind: 'exec', command: { engine: false, file: '/bin/sh', args: ['-c', script], cwd: directory, env } };
}

describeProber('local, HTTP', async () => ({
  prober,
  calls: { well: get('/well'), unwell: get('/sick'), silent: get('/silent') },
  ...realTime,
}));

describeProber('local, commands', async () => ({
  prober,
  calls: { well: shell('true'), unwell: shell('echo sick; false'), silent: shell('sleep 60') },
  ...realTime,
}));

describeProber('simulated', async () => {
  const world = new World('prober');
  const host = world.host('gate');
  const life = host.boot();
  return {
    prober: simProber(host, world.random, (call) => {
      const { port: asked } = call as { port: number };
      return asked === 3 ? undefined : { ok: asked === 1, message: 'as asked' };
    }),
    calls: {
      well: { kind: 'tcpSocket', host: address, port: 1 },
      unwell: { kind: 'tcpSocket', host: address, port: 2 },
      silent: { kind: 'tcpSocket', host: address, port: 3 },
    },
    now: () => world.nowMs,
    after: (ms, callback) => void life.after(ms, callback),
    settle: (work) => world.settle(work, 60_000),
    close: async () => {},
  };
});

const realTime = {
  now: () => performance.now(),
  after: (ms: number, callback: () => void) => void setTimeout(callback, ms),
  settle: <T>(work: Promise<T>) => work,
  close: async () => {},
};

test('redirects are followed on the same host, not for ever; one to another host is an answer', async () => {
  expect(await prober.probe(get('/moved'), 2_000, forever)).toEqual({ ok: true, message: 'this is /well' });
  expect(await prober.probe(get('/elsewhere'), 2_000, forever)).toMatchObject({ ok: true });
  expect(await prober.probe(get('/round'), 2_000, forever)).toMatchObject({
    ok: false,
    message: 'more than 10 redirects',
  });
});

test('a status above 399 is told with what came with it; headers are sent', async () => {
  const outcome = await prober.probe(get('/sick', [['X-Lane', '4']]), 2_000, forever);
  expect(outcome).toEqual({ ok: false, message: 'HTTP status 503: this is /sick' });
  expect(agents.at(-1)).toBe('kube-probe/stile 4');
});

test('an answer without end is read no further than its bound', async () => {
  const outcome = await prober.probe(get('/endless'), 5_000, forever);
  expect(outcome.ok).toBe(true);
  expect(outcome.message.length).toBeLessThanOrEqual(512);
});

test('a socket that takes a connection is well; a closed port is not', async () => {
  const tcp = createTcpServer((socket) => socket.destroy());
  await new Promise<void>((done) => tcp.listen(0, address, done));
  const { port: open } = tcp.address() as AddressInfo;
  const call: HandlerCall = { kind: 'tcpSocket', host: address, port: open };
  expect(await prober.probe(call, 2_000, forever)).toMatchObject({ ok: true });
  await new Promise((done) => tcp.close(done));
  const refused = await prober.probe(call, 2_000, forever);
  expect(refused.ok).toBe(false);
  expect(refused.message).toMatch(/ECONNREFUSED/);
});

test('a command that is not done in time ends with its whole group', async () => {
  const outcome = await prober.probe(shell('sleep 60 & echo $! > pid; wait'), 300, forever);
  expect(outcome).toEqual({ ok: false, message: 'no answer within 300 ms' });
  const pid = Number(await readFile(join(directory, 'pid'), 'utf8'));
  await until('the end of what it started', () => !lives(pid));
});

test('what a command says is bounded, and one that writes without end is not kept waiting', async () => {
  const outcome = await prober.probe(shell('head -c 3000000 /dev/zero | tr "\\0" x; exit 3'), 5_000, forever);
  expect(outcome.ok).toBe(false);
  expect(outcome.message).toMatch(/^exit 3: x+$/);
  expect(outcome.message.length).toBeLessThan(600);
});

test('a command that leaves something behind with its output open is done when it is done', async () => {
  const startMs = performance.now();
  expect(await prober.probe(shell('sleep 2 & echo well'), 10_000, forever)).toEqual({ ok: true, message: 'well' });
  expect(performance.now() - startMs).toBeLessThan(1_500);
  await pause(0);
});

test('a command that is not there is told', async () => {
  const call: HandlerCall = { kind: 'exec', command: { engine: false, file: '/no/such', args: [], cwd: '/', env: {} } };
  expect(await prober.probe(call, 2_000, forever)).toMatchObject({
    ok: false,
    message: expect.stringMatching(/ENOENT/),
  });
});

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
