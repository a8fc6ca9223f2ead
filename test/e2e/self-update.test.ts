/**
 * Goal: the runtime becomes another version of itself, and the one before it when that does not work, while its pods
 * do not notice. Each test goes on where the one before it ended.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { programVersion } from '../../protocol/program-version.ts';
import { House } from '../house/house.ts';
import { digestOf, UpdatingTerminal, workingVersion } from '../house/updating.ts';

const house = new House();
let terminal: UpdatingTerminal;
let podPids: number[];

beforeAll(async () => {
  await house.startHub();
  await house.stile('pool', 'create', 'hangzhou');
  terminal = new UpdatingTerminal(house, 'gate-1');
  await terminal.start('hangzhou');
  podPids = await terminal.startPod();
});
afterAll(async () => {
  await terminal.end();
  await house.close();
});

const good = workingVersion('another version');

it('becomes a version that works, and stays it after a crash', async () => {
  const status = await terminal.update('0.2.0', good);
  expect(status).toMatchObject({
    running: { digest: digestOf(good) },
    launcher: programVersion,
    floor: '0.2.0',
    last: { result: 'confirmed' },
  });
  expect(await house.podPids()).toEqual(podPids);
  await house.terminals.get('gate-1')!.child.kill('SIGKILL');
  await house.waitFor(
    'the version to be back',
    async () => (await terminal.status())?.running.digest === digestOf(good),
  );
  expect(await house.podPids()).toEqual(podPids);
});

it('comes back from a version that ends at once', async () => {
  const before = terminal.starts;
  const status = await terminal.update('0.3.0', '#!/bin/sh\nexit 1\n');
  expect(status).toMatchObject({
    running: { digest: digestOf(good) },
    floor: '0.2.0',
    last: { version: '0.3.0', result: 'rolled-back', reason: expect.stringContaining('started 3 times') },
  });
  // Three of the broken one, and the one that goes back.
  expect(terminal.starts).toBe(before + 4);
  expect(await house.podPids()).toEqual(podPids);
});

it('tells the operator of each', async () => {
  interface Told {
    items: { reason: string; message: string }[];
  }
  const told = async () => (await house.json<Told>('get', 'events', '-A')).items.map(({ reason }) => reason);
  const wanted = ['UpdateOrdered', 'UpdateConfirmed', 'UpdateRolledBack'];
  await house.waitFor('the events', async () => {
    const reasons = await told();
    return wanted.every((reason) => reasons.includes(reason));
  });
  const node = await house.json<{ status: { conditions: { type: string; reason: string }[] } }>(
    'get',
    'node',
    'gate-1',
  );
  expect(node.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'RuntimeUpdated', status: 'False', reason: 'UpdateRolledBack' }),
  );
});

it('leaves no version behind that it does not need', async () => {
  await house.terminals.get('gate-1')!.child.kill('SIGKILL');
  await house.waitFor('the file of the broken one to go', async () => {
    const files = await readdir(join(terminal.dataDir, 'versions'));
    return files.filter((name) => /^[0-9a-f]{64}$/.test(name)).join() === digestOf(good);
  });
});
