/**
 * Goal: a hub whose database is damaged says so in one sentence with what to do, and changes nothing. Method: a hub as a process, its file spoilt in each way that disks spoil files.
 */
import { createHash } from 'node:crypto';
import {
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { expectSentence } from '../house/outcomes.ts';
import { create, paths } from '../house/workload.ts';

const PAGE_BYTES = 4096;
const house = new House();

beforeAll(async () => {
  await house.startHub();
  const client = new HubClient(house);
  const config = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { text: 'x'.repeat(2_000) },
  });
  for (let n = 0; n < 50; n += 1) await create(client, paths.configMaps, config(`c-${n}`));
  await client.close();
  await house.hub!.stop();
  cpSync(house.path('hub'), house.path('sound'), { recursive: true });
}, 60_000);
afterAll(() => house.close());

const damages: [name: string, spoil: (path: string) => void][] = [
  ['is no database', (path) => writeFileSync(path, 'no database at all '.repeat(1_000))],
  ['has a header of noise', (path) => overwrite(path, 0, 100)],
  ['has its pages overwritten', (path) => overwrite(path, PAGE_BYTES, statSync(path).size - PAGE_BYTES)],
  [
    'has lost its second half',
    (path) => truncateSync(path, Math.floor(statSync(path).size / 2 / PAGE_BYTES) * PAGE_BYTES),
  ],
  ['has no byte', (path) => truncateSync(path, 0)],
  ['is gone', (path) => rmSync(path)],
];

test.each(damages)('a hub whose database %s: it is told what to do, and nothing is changed', async (_, spoil) => {
  rmSync(house.path('hub'), { recursive: true });
  cpSync(house.path('sound'), house.path('hub'), { recursive: true });
  spoil(house.path('hub', 'hub.db'));
  const before = contents();
  const serve = ['hub', 'serve', '--data-dir', house.path('hub'), '--listen', '127.0.0.1:0', '--log-level', 'error'];
  expectSentence(await house.tryStile(...serve), { code: 'E_STORE_DAMAGED', says: 'stile hub restore' });
  expect(contents()).toEqual(before);
});

test('the same hub, once its file is back', async () => {
  cpSync(house.path('sound', 'hub.db'), house.path('hub', 'hub.db'));
  await house.startHub();
  const client = new HubClient(house);
  expect((await client.get<{ items: unknown[] }>(paths.configMaps)).items).toHaveLength(50);
  await client.close();
});

/** Every file by what is in it; SQLite's own index of a log is none. */
function contents(): Record<string, string> {
  const names = readdirSync(house.path('hub'), { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'));
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = `${parentPath}/${name}`;
      return [path, createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

function overwrite(path: string, fromByte: number, bytes: number): void {
  writeSync(openSync(path, 'r+'), Buffer.alloc(bytes, 0xa5), 0, bytes, fromByte);
}
