/**
 * Goal: a hub that lost its disk is restored from a backup, and nothing that was acknowledged is missing afterwards.
 * Method: real processes. Objects and events come before the backup and after it; then the hub's directory is gone
 * and a restored one takes its place and its port.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeEvent } from '../../cloud/hub/hub-state.ts';
import { House } from '../house/house.ts';

const house = new House();

beforeAll(async () => {
  await house.startHub();
  await house.stile('pool', 'create', 'p');
  await house.join('b-1', 'p');
  mkdirSync(house.path('image'));
  writeFileSync(house.path('image', 'stile-image.json'), '{"entrypoint":["app.mjs"]}');
  writeFileSync(house.path('image', 'app.mjs'), 'setInterval(() => {}, 60_000);\n');
  await house.stile('image', 'push', house.path('image'), 'app:1');
  await applyPod('before');
  await running('before');
});

afterAll(() => house.close());

describe('a backup of a running hub', () => {
  let file = '';

  test('is one file, and only its owner can read it', async () => {
    const { stdout } = await house.stile('hub', 'backup', house.path('backups'));
    file = stdout.trim();
    expect(file).toMatch(/stile-hub-\d{8}T\d{6}Z\.tar$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('brings back a lost hub: terminals resync and send again what it had acknowledged since', async () => {
    await applyPod('after');
    await running('after');
    const acknowledged = await events();
    const pidsBefore = (await house.podPids()).sort();
    expect(acknowledged.length).toBeGreaterThan(0);

    await house.hub!.kill('SIGKILL');
    await rename(house.path('hub'), house.path('lost'));
    await house.stile('hub', 'restore', file, '--data-dir', house.path('hub'));
    await house.startHub();
    await running('before');

    const keyOf = ({ node, epoch, seq }: NodeEvent) => `${node}/${epoch}/${seq}`;
    await house.waitFor('the retained events to come again', async () => {
      const now = new Set((await events()).map(keyOf));
      return acknowledged.every((event) => now.has(keyOf(event)));
    });
    const restored = (await events()).map(keyOf);
    expect(new Set(restored).size).toBe(restored.length);
    // The pod that the backup does not know is not wanted any more; the other one's process never changed.
    await house.waitFor('the unknown pod to end', async () => (await house.podPids()).length === 1);
    expect(pidsBefore).toContain((await house.podPids())[0]);
  });

  test('is refused where something is already, and when it is none', async () => {
    const taken = await house.tryStile('hub', 'restore', file, '--data-dir', house.path('hub'));
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('is not empty');
    writeFileSync(house.path('none.tar'), 'this is no archive');
    const none = await house.tryStile('hub', 'restore', house.path('none.tar'), '--data-dir', house.path('new'));
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('E_INPUT_INVALID');
    expect(await readdir(house.path('new'))).toEqual([]);
  });
});

async function applyPod(name: string): Promise<void> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { runtimeClassName: 'js', terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'app:1' }] },
  };
  writeFileSync(house.path(`${name}.json`), JSON.stringify(pod));
  await house.stile('apply', '-f', house.path(`${name}.json`));
}

async function running(name: string): Promise<void> {
  await house.waitFor(`pod ${name} to run`, async () => {
    const { code, stdout } = await house.tryStile('get', 'pod', name, '-o', 'json');
    return code === 0 && (JSON.parse(stdout) as { status?: { phase?: string } }).status?.phase === 'Running';
  });
}

const events = async (): Promise<NodeEvent[]> =>
  (await house.fromHub<{ items: NodeEvent[] }>('/stile/v1/events?limit=5000')).items;
