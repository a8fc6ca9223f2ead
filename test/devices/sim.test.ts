/** Simulated devices behave: they take time, refuse, fail and jam, and leave nothing behind. */
import { afterEach, expect, test } from 'vitest';
import type { DeviceConnection, DeviceListener } from '../../devices/driver.ts';
import { readProfile } from '../../devices/profile.ts';
import { barrier } from '../../devices/sim/barrier.ts';
import { type Machine, Settings } from '../../devices/sim/machine.ts';
import { models, simDriver } from '../../devices/sim/sim-driver.ts';
import { turnstile } from '../../devices/sim/turnstile.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';

const never = new AbortController().signal;

/** Plays commands and pauses on a machine alone; returns what it told. */
function play<State>(
  machine: Machine<State>,
  address: Record<string, string>,
  course: (string | number)[],
  chance = 0.5,
) {
  let state = machine.start(new Settings(address));
  let nowMs = 0;
  const told: string[] = [];
  for (const part of course) {
    if (typeof part === 'number') {
      const endMs = nowMs + part;
      for (let dueMs = machine.dueMs(state); dueMs !== undefined && dueMs <= endMs; dueMs = machine.dueMs(state)) {
        const step = machine.elapsed(state, { nowMs: dueMs, chance });
        state = step.state;
        told.push(...step.outputs.map(textOf));
      }
      nowMs = endMs;
      continue;
    }
    const [name = '', text] = part.split('=');
    const value = text === undefined ? undefined : (JSON.parse(text) as Json);
    const { state: next, outputs, verdict } = machine.command(state, name, value, { nowMs, chance });
    state = next;
    told.push(...outputs.map(textOf), typeof verdict === 'string' ? verdict : `failed: ${verdict.failed}`);
  }
  return { told, outcome: machine.outcome(state) };
}

const textOf = (output: { reading: string; value: Json } | { event: string; data: Json }): string =>
  'event' in output ? `!${output.event}` : `${output.reading}=${JSON.stringify(output.value)}`;

test('a barrier opens and closes in its time and counts', () => {
  const { told } = play(barrier, { travelMs: '100' }, ['open', 99, 1, 'open', 'close', 100]);
  const up = ['position="opening"', 'going', 'position="open"'];
  expect(told).toEqual([...up, 'done', 'position="closing"', 'going', 'position="closed"', 'cycles=1']);
});

test('a barrier does not close on what stands below it, and goes up again', () => {
  const { told, outcome } = play(barrier, { travelMs: '100' }, [
    'open',
    100,
    'close',
    50,
    'obstacle=true',
    100,
    'close',
  ]);
  expect(told.slice(-5)).toEqual([
    ...['obstacle=true', 'position="opening"', 'done', 'position="open"'],
    'failed: something stands below the arm',
  ]);
  expect(outcome).toBe('done');
});

test('a barrier that jams says so and wants a reset', () => {
  const { told } = play(barrier, { travelMs: '100', jamRate: '0.6' }, ['open', 100, 'open', 'reset', 'open']);
  expect(told).toEqual([
    ...['position="opening"', 'going', 'position="jammed"', '!jam'],
    ...['failed: the arm is jammed: free it, then reset', 'position="closed"', 'done', 'position="opening"', 'going'],
  ]);
});

test('a turnstile lets one through', () => {
  const { told } = play(turnstile, { releaseMs: '500', passMs: '100' }, ['push', 'admit', 99, 1, 'push']);
  expect(told).toEqual([
    ...['!forced', 'failed: it is locked', 'lock="released"', 'done'],
    ...['!passage', 'passages=1', 'lock="locked"', '!forced', 'failed: it is locked'],
  ]);
});

test('a turnstile locks by itself when nobody goes', () => {
  const { told } = play(turnstile, { releaseMs: '500', missRate: '0.6' }, ['admit', 500]);
  expect(told).toEqual(['lock="released"', 'done', 'lock="locked"', '!unused']);
});

test.each(Object.entries(models))('a %s refuses what it does not know, and reads what it lists', (_name, machine) => {
  const state = machine.start(new Settings({}));
  const verdict = machine.command(state, 'fly', true, { nowMs: 0, chance: 0.5 }).verdict;
  expect(verdict).toEqual({ failed: expect.stringContaining('knows no fly true') });
  expect(Object.keys(machine.readings(state)).every((name) => machine.resources.includes(name))).toBe(true);
});

const opened: DeviceConnection[] = [];
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.close();
});

async function open(address: Record<string, string>) {
  const machine = models[address.model!]!;
  const profile = readProfile({
    deviceResources: machine.resources.map((name) => ({
      name,
      tag: ['jam', 'scan', 'misread', 'passage', 'forced', 'unused'].includes(name) ? 'event' : '',
      properties: { valueType: 'String', readWrite: 'RW' },
    })),
    deviceCommands: machine.commands.map((name) => ({
      name,
      readWrite: 'W',
      resourceOperations: [{ deviceResource: machine.resources[0]! }],
    })),
  });
  const told: string[] = [];
  const listener: DeviceListener = {
    reading: (reading, value) => told.push(textOf({ reading, value })),
    event: (event, data) => told.push(textOf({ event, data })),
    reachable: (up) => told.push(up ? 'up' : 'down'),
  };
  const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
  const connection = await simDriver.open(env, { id: 'default.it', profile, address }, listener);
  opened.push(connection);
  return { connection, told };
}

test('a command resolves when it has happened, and tells what it found', async () => {
  const { connection, told } = await open({ model: 'barrier', travelMs: '30', latencyMs: '1' });
  expect(told).toEqual(['up', 'position="closed"', 'obstacle=false', 'cycles=0']);
  expect(await connection.invoke('open', {}, never)).toMatchObject({ position: 'open' });
  await connection.write('position', 'closed', never);
  expect(await connection.read('cycles', never)).toBe(1);
});

test('a later command takes over from the one that is going', async () => {
  const { connection } = await open({ model: 'barrier', travelMs: '50' });
  const first = connection.invoke('open', {}, never).catch((error: Error) => error.message);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await connection.invoke('close', {}, never);
  expect(await first).toBe('default.it: a later command took over');
});

test('who does not wait any more, and who closes, leaves nothing behind', async () => {
  const { connection } = await open({ model: 'barrier', travelMs: '60000' });
  const leaving = new AbortController();
  const left = connection.invoke('open', {}, leaving.signal).catch((error: { code: string }) => error.code);
  const closed = connection.invoke('open', {}, never).catch((error: { code: string }) => error.code);
  await new Promise((resolve) => setTimeout(resolve, 5));
  leaving.abort();
  expect(await left).toBe('E_CANCELLED');
  await connection.close();
  expect(await closed).toBe('E_CANCELLED');
});

test('a device that fails says so', async () => {
  const { connection } = await open({ model: 'scanner', failRate: '1' });
  await expect(connection.read('scans', never)).rejects.toMatchObject({ code: 'E_DEVICE_FAILED' });
});

test('a scanner reads codes by itself', async () => {
  const { told } = await open({ model: 'scanner', everyMs: '5' });
  await expect.poll(() => told.filter((line) => line === '!scan').length).toBeGreaterThan(3);
});

test('what the model does not have is refused at the door', async () => {
  const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
  const listener = { reading: () => {}, event: () => {}, reachable: () => {} };
  const profile = readProfile({
    deviceResources: [{ name: 'wings', properties: { valueType: 'Bool', readWrite: 'R' } }],
  });
  const setting = (model: string) => ({ id: 'default.it', profile, address: { model } });
  await expect(simDriver.open(env, setting('barrier'), listener)).rejects.toThrow('a simulated barrier has no wings');
  for (const model of ['tree', 'constructor'])
    await expect(simDriver.open(env, setting(model), listener)).rejects.toThrow(
      'is one of barrier, turnstile, scanner',
    );
});
