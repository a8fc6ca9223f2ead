/** Goal: a hub that a restore left half made is not started by mistake, and is made whole by another one. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup, expectWholeHub, restore } from '../../../cloud/hub/backup.ts';
import { hubSchema } from '../../../cloud/hub/hub-schema.ts';
import { openAuthority } from '../../../cloud/identity/authority-files.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { testEnv } from '../identity/test-hub.ts';

const env = testEnv();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stile-restore-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('where a restore was cut off no hub starts, and another restore begins anew', async () => {
  const [hub, cut] = [join(directory, 'hub'), join(directory, 'cut')];
  await openAuthority(env, hub);
  const database = await Database.open(join(hub, 'hub.db'), hubSchema);
  mkdirSync(cut);
  writeFileSync(join(cut, 'restoring'), '');
  writeFileSync(join(cut, 'hub.db'), 'half a datab');
  await expect(expectWholeHub(cut)).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  await restore(env.random, Readable.from((await backup(hub, database)) as AsyncIterable<Uint8Array>), cut);
  await database.close();
  await expectWholeHub(cut);
  expect(readdirSync(cut).sort()).toEqual(['hub.db', 'pki']);
});

test('an archive that is no backup leaves an empty directory, in which a hub may start', async () => {
  const archive = pack();
  archive.entry({ name: 'letter.txt' }, 'dear');
  archive.finalize();
  const target = join(directory, 'target');
  await expect(restore(env.random, Readable.from(archive), target)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
  expect(readdirSync(target)).toEqual([]);
  await expectWholeHub(target);
});

test('a directory with anything else in it is left alone', async () => {
  writeFileSync(join(directory, 'photo.jpg'), 'me');
  await expect(restore(env.random, Readable.from([]), directory)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
  expect(readdirSync(directory)).toEqual(['photo.jpg']);
});

test('the copy of a backup that was cut off goes at the next start', async () => {
  mkdirSync(join(directory, 'backup-Ab12cd'));
  writeFileSync(join(directory, 'backup-Ab12cd', 'hub.db'), 'copy');
  await expectWholeHub(directory);
  expect(existsSync(join(directory, 'backup-Ab12cd'))).toBe(false);
});
