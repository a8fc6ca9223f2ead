/**
 * A backup of a hub and a hub restored from it. A backup file that is there is whole; a directory in which a restore
 * was cut off is refused by a hub that starts there, and is made whole by another restore.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { outputFiles } from '../../../../cloud/cli/node/output-files.ts';
import { backup, expectWholeHub, restore } from '../../../../cloud/hub/backup.ts';
import { hubSchema } from '../../../../cloud/hub/hub-schema.ts';
import { SqliteHubJournal } from '../../../../cloud/hub/sqlite-journal.ts';
import { openAuthority } from '../../../../cloud/identity/authority-files.ts';
import { BlobFiles } from '../../../../cloud/images/blob-files.ts';
import { configMapKind } from '../../../../cloud/kinds/registry.ts';
import { SqliteStore } from '../../../../cloud/store/sqlite.ts';
import { type Env, randomHex } from '../../../../protocol/env.ts';
import { codeOf } from '../../../../protocol/errors.ts';
import type { KubeObject } from '../../../../protocol/kubernetes.ts';
import { privateDirectory } from '../../../../protocol/node/durable-file.ts';
import { Database } from '../../../../protocol/node/sqlite.ts';
import {
  type Cut,
  type Drive,
  expect,
  expectState,
  isAcknowledged,
  Lane,
  possibleStates,
  type Scenario,
} from '../scenario.ts';
import { sampleImage } from './sample-image.ts';

const OBJECTS = 12;

export const hubBackup: Scenario = {
  name: 'hub/backup',
  drive: async (drive) => {
    const { env, directory } = drive;
    await buildHub(drive, join(directory, 'hub'));
    const database = await Database.open(join(directory, 'hub', 'hub.db'), hubSchema);
    const archive = await backup(join(directory, 'hub'), database);
    await new Lane(drive, 'backup').step('whole', () =>
      outputFiles.write(join(directory, 'backups'), 'one.tar', archive as AsyncIterable<Uint8Array>),
    );
    await database.close();
    const lane = new Lane(drive, 'restored');
    const incarnation = await restore(env.random, archiveIn(directory), join(directory, 'restored'));
    await lane.step(incarnation, async () => {});
  },
  verify,
};

/** The hub that is backed up, from the authority to a blob; what it holds is the same at each run. */
async function buildHub(drive: Drive, dataDir: string): Promise<void> {
  const { env } = drive;
  await privateDirectory(dataDir);
  const database = await Database.open(join(dataDir, 'hub.db'), hubSchema);
  const store = await SqliteStore.open(env, database, 'resource');
  const authority = await openAuthority(env, dataDir);
  await new Lane(drive, 'authority').step(authority.certificatePem, async () => {});
  const { incarnation } = await new SqliteHubJournal(database, randomHex(env.random, 16)).load();
  await new Lane(drive, 'incarnation').step(incarnation, async () => {});
  const blobs = await BlobFiles.open(dataDir);
  const image = await sampleImage(0);
  for (const [digest, bytes] of image.blobs) await blobs.receive(digest, once(bytes));
  for (let number = 0; number < OBJECTS; number += 1)
    await new Lane(drive, `object/${number}`).step(number, () => store.create(configMapKind, configMap(number)));
  await store.close();
  await database.close();
}

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const complete = isAcknowledged(marks, `object/${OBJECTS - 1}`);
  if (complete) {
    await expectWholeHub(join(directory, 'hub'));
    const left = (await readdir(join(directory, 'hub'))).filter((name) => name.startsWith('backup-'));
    expect(left.length === 0, `a backup left ${left} behind`);
    await expectHub(env, join(directory, 'hub'), marks);
  }
  const backups = await readdir(join(directory, 'backups')).catch((): string[] => []);
  expect(backups.includes('one.tar') || !isAcknowledged(marks, 'backup'), 'the backup is not there');
  if (!backups.includes('one.tar')) return;
  const restored = join(directory, 'restored');
  if (isAcknowledged(marks, 'restored')) {
    await expectWholeHub(restored);
    expectState(marks, 'restored', await expectHub(env, restored, marks));
    return;
  }
  // What a cut left is either no hub that could be started by mistake, or a whole one under a new name.
  const startable = await expectWholeHub(restored).then(
    () => true,
    (error: unknown) => {
      expect(codeOf(error) === 'E_STORE_FAILED' || (error as { code?: string }).code === 'ENOENT', String(error));
      return false;
    },
  );
  const names = await readdir(restored).catch((): string[] => []);
  if (startable && names.includes('hub.db')) return void (await expectRestored(env, restored, marks));
  expect(!startable || names.every((name) => name.startsWith('restoring.')), `half a hub could be started: ${names}`);
  await restore(env.random, archiveIn(directory), restored);
  await expectWholeHub(restored);
  await expectRestored(env, restored, marks);
}

async function expectRestored(env: Env, dataDir: string, marks: Cut['marks']): Promise<void> {
  const incarnation = await expectHub(env, dataDir, marks);
  expect(!possibleStates(marks, 'incarnation').includes(incarnation), 'the restored hub has the name of the lost one');
}

/** Opens the hub in `dataDir` and looks for all that it had; resolves to its incarnation. */
async function expectHub(env: Env, dataDir: string, marks: Cut['marks']): Promise<string> {
  const authority = await openAuthority(env, dataDir);
  expectState(marks, 'authority', authority.certificatePem);
  const blobs = await BlobFiles.open(dataDir);
  for (const digest of (await sampleImage(0)).blobs.keys())
    expect(blobs.size(digest) !== undefined, `the blob ${digest} is not there`);
  const database = await Database.open(join(dataDir, 'hub.db'), hubSchema);
  try {
    const store = await SqliteStore.open(env, database, 'resource');
    for (let number = 0; number < OBJECTS; number += 1) {
      const object = await store.get(configMapKind, 'default', `object-${number}`);
      expect(object !== undefined, `object ${number} is not there`);
    }
    await store.close();
    return (await new SqliteHubJournal(database, '').load()).incarnation;
  } finally {
    await database.close();
  }
}

const archiveIn = (directory: string) => createReadStream(join(directory, 'backups', 'one.tar'));

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function configMap(number: number): KubeObject {
  const metadata = { name: `object-${number}`, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: `${number} `.repeat(100) } } as KubeObject;
}
