/** What systemd is told, by a `systemd-notify` that writes down what it was asked. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { tellServiceManager } from '../../protocol/node/service-manager.ts';
import { pause, until } from '../runtime/workloads/real-world.ts';

const env = { clock: systemClock, random: systemRandom, log: createLog('silent', {}) };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-notify-'));
  const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $1" >> ${directory}/told\n`;
  await writeFile(join(directory, 'systemd-notify'), script, { mode: 0o755 });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const told = async () => (await readFile(join(directory, 'told'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
const path = () => `${directory}:/usr/bin:/bin`;

test('ready once, then a sign of life three times in each period, until it is stopped', async () => {
  const manager = tellServiceManager(env, { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '150000', PATH: path() })!;
  await until('some signs', async () => (await told()).length >= 5);
  await manager.stop();
  const all = await told();
  expect(all[0]).toBe('/n --ready');
  expect(new Set(all.slice(1))).toEqual(new Set(['/n WATCHDOG=1']));
  await pause(200);
  expect(await told()).toEqual(all);
});

test('without a watchdog only ready; where nobody asks, nothing', async () => {
  const manager = tellServiceManager(env, { NOTIFY_SOCKET: '/n', PATH: path() })!;
  await until('ready', async () => (await told()).length > 0);
  await pause(50);
  await manager.stop();
  expect(await told()).toEqual(['/n --ready']);
  expect(tellServiceManager(env, { WATCHDOG_USEC: '150000' })).toBeUndefined();
});
