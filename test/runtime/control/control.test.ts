/** The control socket and `stile-runtime ctl` parts over a real socket, real pods and real files. */
import { existsSync, statSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { askRuntime, readLog } from '../../../runtime/control/control-client.ts';
import { ControlServer, type Controls } from '../../../runtime/control/control-server.ts';
import { controlSocketPath, SOCKET_PATH_BYTES_MAX } from '../../../runtime/control/control-socket.ts';
import type { PodSnapshot } from '../../../runtime/workloads/supervisor.ts';
import { until } from '../workloads/real-world.ts';

const env = { clock: systemClock, random: systemRandom, log: createLog('silent', {}) };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const snapshot = (uid: string, name: string): PodSnapshot => ({
  uid,
  namespace: 'gates',
  name,
  phase: 'Running',
  podIP: '127.64.0.2',
  stopping: false,
  containers: [
    { name: 'first', init: true, state: {}, restartCount: 0 },
    { name: 'main', init: false, state: { running: { startedAt: '2026-01-01T00:00:00Z' } }, restartCount: 2, pid: 7 },
  ],
});

async function open(members: Partial<Controls> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'stile-control-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const restarted: string[] = [];
  const controls: Controls = {
    pods: () => [snapshot('u1', 'gate-1'), snapshot('u2', 'gate-2'), snapshot('u3', 'lamp')],
    restart: async (uid) => restarted.push(uid) > 0,
    logFile: (uid, container) => join(dataDir, `${uid}-${container}.log`),
    database: async () => ({
      faults: [],
      timeFloorMs: 5,
      wear: { hours: [], total: { bytes: 0, commits: 0 }, hoursTotal: 0 },
    }),
    updates: {
      status: {
        running: { version: '1.0.0', digest: null },
        launcher: '1.0.0',
        keys: 0,
        floor: '1.0.0',
        trial: null,
        last: null,
      },
      order: async () => ({ version: '1.1.0', platform: 'linux-x64', bytes: 1, digest: '0'.repeat(64) }),
      leave: () => {},
    },
    ...members,
  };
  const server = await ControlServer.open(env, controlSocketPath(dataDir), controls);
  closers.push(() => server.close());
  return { dataDir, server, restarted, controls };
}

test('the socket is for its owner alone, and gone after an orderly stop', async () => {
  const { dataDir, server } = await open();
  const path = controlSocketPath(dataDir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await askRuntime(dataDir, { kind: 'database' })).toMatchObject({
    faults: [],
    timeFloorMs: 5,
    wear: { hoursTotal: 0 },
  });
  await server.close();
  expect(existsSync(path)).toBe(false);
  await expect(askRuntime(dataDir, { kind: 'pods' })).rejects.toMatchObject({ code: 'E_LINK_UNREACHABLE' });
});

test('a stale socket, or a file in its place, is replaced at the start', async () => {
  const { dataDir, server, controls } = await open();
  await server.close();
  await writeFile(controlSocketPath(dataDir), 'left');
  const next = await ControlServer.open(env, controlSocketPath(dataDir), controls);
  closers.push(() => next.close());
  expect((await askRuntime<{ pods: PodSnapshot[] }>(dataDir, { kind: 'pods' })).pods).toHaveLength(3);
});

test('a path that Linux does not take is told in one sentence', () => {
  expect(() => controlSocketPath(`/${'d'.repeat(120)}`)).toThrow(/use a shorter --data-dir/);
  const longest = `/${'d'.repeat(SOCKET_PATH_BYTES_MAX - '/control.sock'.length - 1)}`;
  expect(Buffer.byteLength(controlSocketPath(longest))).toBe(SOCKET_PATH_BYTES_MAX);
});

test('a pod is meant by uid, name, namespace and name, or a beginning that only it has', async () => {
  const { dataDir, restarted } = await open();
  for (const pod of ['u1', 'gate-2', 'gates/lamp', 'la'])
    expect(await askRuntime(dataDir, { kind: 'restart', pod })).toMatchObject({ journalled: true });
  expect(restarted).toEqual(['u1', 'u2', 'u3', 'u3']);
  const several = askRuntime(dataDir, { kind: 'restart', pod: 'gate' });
  await expect(several).rejects.toMatchObject({
    code: 'E_INPUT_INVALID',
    message: expect.stringContaining('gates/gate-2'),
  });
  await expect(askRuntime(dataDir, { kind: 'restart', pod: 'none' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  const container = askRuntime(dataDir, { kind: 'log', pod: 'lamp', container: 'other', follow: false });
  await expect(container).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  expect(restarted).toHaveLength(4);
});

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const bytes of stream) text += Buffer.from(bytes).toString('utf8');
  return text;
}

test('a log is read whole or by its last lines; one that is not there yet is empty', async () => {
  const { dataDir } = await open();
  const never = new AbortController().signal;
  const read = (tailLines?: number) =>
    textOf(
      readLog(
        dataDir,
        { kind: 'log', pod: 'u1', follow: false, ...(tailLines === undefined ? {} : { tailLines }) },
        never,
      ),
    );
  expect(await read()).toBe('');
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`);
  await writeFile(join(dataDir, 'u1-main.log'), `${lines.join('')}no end`);
  expect(await read()).toBe(`${lines.join('')}no end`);
  expect(await read(0)).toBe('');
  expect(await read(1)).toBe('no end');
  expect(await read(3)).toBe('line 29998\nline 29999\nno end');
  expect(await read(20_000)).toBe(`${lines.slice(-19_999).join('')}no end`);
  expect(await read(1_000_000)).toBe(`${lines.join('')}no end`);
});

test('a followed log goes on over a truncation and ends with its reader or the runtime', async () => {
  const { dataDir, server } = await open();
  const path = join(dataDir, 'u1-main.log');
  await writeFile(path, 'one\n');
  const heard: string[] = [];
  const leave = new AbortController();
  const follow = async (signal: AbortSignal) => {
    for await (const bytes of readLog(dataDir, { kind: 'log', pod: 'u1', follow: true }, signal))
      heard.push(Buffer.from(bytes).toString());
  };
  const reading = follow(leave.signal);
  await until('the first line', () => heard.join('') === 'one\n');
  await appendFile(path, 'two\n');
  await until('the second', () => heard.join('') === 'one\ntwo\n');
  await truncate(path, 0);
  await appendFile(path, '3\n');
  await until('the third', () => heard.join('').endsWith('3\n'));
  leave.abort();
  await reading;
  const second = follow(new AbortController().signal);
  await until('the second reader', () => heard.length > 3);
  await server.close();
  await second;
});

test('what is no request, or too large, is refused, and the next one is answered', async () => {
  const { dataDir } = await open();
  const answers = await Promise.all(
    [
      'GET /v2/pods HTTP/1.1\r\nHost: x\r\n\r\n',
      'DELETE /v1/pods HTTP/1.1\r\nHost: x\r\n\r\n',
      'POST /v1/pods/u1/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
      'GET /v1/pods/%zz/log HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /v1/pods/u1/log?tail=-1 HTTP/1.1\r\nHost: x\r\n\r\n',
      `GET /v1/pods HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    ].map((text) => raw(controlSocketPath(dataDir), text)),
  );
  expect(answers.map((answer) => answer.split(' ')[1])).toEqual(['404', '404', '413', '400', '400', '431']);
  expect(await askRuntime(dataDir, { kind: 'pods' })).toHaveProperty('pods');
});

test('an update is ordered with its times, and the program ends for it once the answer is out', async () => {
  const orders: object[] = [];
  let left = 0;
  const { controls } = await open();
  const { dataDir } = await open({
    updates: {
      status: controls.updates.status,
      order: async (order) => {
        orders.push(order);
        return { version: '1.1.0', platform: 'linux-x64', bytes: 1, digest: 'ab' };
      },
      leave: () => {
        left += 1;
      },
    },
  });
  expect(await askRuntime(dataDir, { kind: 'update-status' })).toEqual(controls.updates.status);
  const order = { settleMs: 1_000, graceMs: 0, downgrade: true };
  expect(await askRuntime(dataDir, { kind: 'update', ...order })).toEqual({ version: '1.1.0', digest: 'ab' });
  await until('the end', () => left === 1);
  expect(orders).toEqual([order]);
  for (const query of ['', 'settle=1', 'settle=-1&grace=1', 'settle=1&grace=86400001', 'settle=x&grace=1'])
    expect(await raw(controlSocketPath(dataDir), `POST /v1/update?${query} HTTP/1.1\r\nHost: x\r\n\r\n`)).toContain(
      'E_INPUT_INVALID',
    );
  expect({ orders: orders.length, left }).toEqual({ orders: 1, left: 1 });
});

/** What comes back for these bytes until the server hangs up. */
function raw(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(path, () => socket.write(text));
    socket.on('data', (bytes) => chunks.push(bytes)).on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

test('a folder in the place of the socket is a fault of the store, told by code', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'stile-control-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  await mkdir(controlSocketPath(dataDir));
  const opening = ControlServer.open(env, controlSocketPath(dataDir), {} as Controls);
  await expect(opening).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
});
