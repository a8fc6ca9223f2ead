/**
 * A backup of a running hub, and a data directory made of one. The database is copied at one moment by SQLite itself;
 * authority, keys and blobs never change in place. A restored hub has a new incarnation: terminals take their views
 * up again and send what they retained, and what the hub knows already is not taken twice.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Pack, pack } from 'tar-stream';
import { type Random, randomHex } from '../../protocol/env.ts';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { privateDirectory, syncDirectory, writeDurably } from '../../protocol/node/durable-file.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import type { RestoredFrom } from './event-cursor.ts';
import { hubSchema } from './hub-schema.ts';

const DATABASE = 'hub.db';
/** What a backup consists of beside the database, below the data directory. */
const CONTENTS = ['pki', 'blobs/sha256', 'listen-port'];
/** Nothing else is taken out of an archive. */
const ALLOWED = /^(hub\.db|listen-port|pki\/[\w.-]+|blobs\/sha256\/[0-9a-f]{64})$/;

/** There while a directory is being restored: what is in it is no hub yet. */
const MARKER = 'restoring';
/** What `mkdtemp` makes of it holds the copy of the database while a backup is read. */
const SCRATCH = 'backup-';

/**
 * Before the hub in `dataDir` starts: drops what a backup left that was cut off.
 * Errors: `E_STORE_FAILED` where a restore was cut off, `E_STORE_DAMAGED` where the database of a hub is gone or empty:
 * half a hub would shut out its terminals or forget what they told it.
 */
export async function expectWholeHub(dataDir: string): Promise<void> {
  const names = await readdir(dataDir);
  if (names.includes(MARKER))
    throw new AppError(
      'E_STORE_FAILED',
      `the restore into ${dataDir} was cut off: run "stile hub restore" again, with this directory`,
    );
  const wasHub = (await sizeOf(join(dataDir, 'pki', 'authority.pem'))) > 0;
  // SQLite would take an empty file for a new database, and throw away the log that may hold all there was.
  if (wasHub && (await sizeOf(join(dataDir, DATABASE))) === 0)
    throw damagedHub(dataDir, new Error(`${DATABASE} is missing or empty`));
  for (const name of names)
    if (name.startsWith(SCRATCH)) await rm(join(dataDir, name), { recursive: true, force: true });
}

/** What to tell of a hub whose database cannot be read; nothing in the directory was changed. */
export function damagedHub(dataDir: string, cause: Error): AppError {
  return new AppError(
    'E_STORE_DAMAGED',
    `the database ${join(dataDir, DATABASE)} of this hub is damaged and was left as it is (${cause.message}): restore a backup into a new directory with "stile hub restore FILE --data-dir NEW" and start the hub there; its terminals find it again and send what they retained`,
    { cause },
  );
}

/** Bytes of a file; 0 when there is none. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** A tar stream of the hub in `dataDir`, whose open database is `database`. */
export async function backup(dataDir: string, database: Database): Promise<NodeJS.ReadableStream> {
  const scratch = await mkdtemp(join(dataDir, SCRATCH));
  const copy = join(scratch, DATABASE);
  try {
    await database.copyTo(copy);
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
  const archive = pack();
  void fill(archive, dataDir, copy)
    .then(
      () => archive.finalize(),
      (error: Error) => archive.destroy(error),
    )
    .finally(() => rm(scratch, { recursive: true, force: true }));
  // A stream of another make (streamx) that speaks the same protocol.
  return archive as unknown as NodeJS.ReadableStream;
}

/** As `restore`, of a file. */
export async function restoreFile(random: Random, file: string, dataDir: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw new AppError('E_INPUT_INVALID', `there is no backup file ${file}`);
  return restore(random, createReadStream(file), dataDir);
}

/**
 * Makes a new data directory of a backup's tar stream, under a new incarnation. A directory in which a restore was cut
 * off is begun anew. Errors: `E_INPUT_INVALID` for a directory that holds something else, or an archive that is no backup.
 */
export async function restore(random: Random, archive: Readable, dataDir: string): Promise<string> {
  const directory = resolve(dataDir);
  await privateDirectory(directory);
  const names = await readdir(directory);
  // The marker's own draft can be all that a cut left.
  if (!names.includes(MARKER) && names.some((name) => !name.startsWith(`${MARKER}.`)))
    throw new AppError('E_INPUT_INVALID', `${directory} is not empty: a hub is restored into a directory of its own`);
  const marker = join(directory, MARKER);
  await writeDurably(marker, 'A restore is under way, or was cut off. Run it again.\n');
  await emptyButMarker(directory);
  try {
    await unpack(archive, directory);
  } catch (error) {
    await emptyButMarker(directory);
    await rm(marker, { force: true });
    throw asAppError(error, 'E_INPUT_INVALID', 'this is no backup of a hub');
  }
  await syncDirectory(directory);
  const incarnation = await renew(random, join(directory, DATABASE));
  await rm(marker);
  await syncDirectory(directory);
  return incarnation;
}

async function emptyButMarker(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name !== MARKER) await rm(join(directory, name), { recursive: true, force: true });
}

async function unpack(archive: Readable, directory: string): Promise<void> {
  const entries = extract();
  const files = new Set<string>();
  const feeding = pipeline(archive, entries).catch((error: unknown) => entries.destroy(error as Error));
  for await (const entry of entries) {
    const { name, type } = entry.header;
    if (type !== 'file' || !ALLOWED.test(name))
      throw new AppError('E_INPUT_INVALID', `this is no backup of a hub: it holds ${JSON.stringify(name)}`);
    await privateDirectory(dirname(join(directory, name)));
    await writeDurably(join(directory, name), entry as unknown as AsyncIterable<Uint8Array>);
    files.add(name);
  }
  await feeding;
  if (!files.has(DATABASE) || !files.has('pki/authority.pem'))
    throw new AppError('E_INPUT_INVALID', 'this is no whole backup of a hub: database or authority are missing');
}

/** Gives the restored store an incarnation of its own, so that nobody takes its revisions for the lost ones. */
async function renew(random: Random, path: string): Promise<string> {
  const incarnation = randomHex(random, 16);
  const database = await Database.open(path, hubSchema);
  try {
    const [before] = await database.all("SELECT value FROM hub_meta WHERE key = 'incarnation'");
    const [last] = await database.all('SELECT coalesce(max(cursor), 0) AS cursor FROM node_event');
    // Consumers of events that stand no further than the backup need not begin anew.
    const origin: RestoredFrom = { incarnation: (before?.value as string) ?? '', cursor: last!.cursor as number };
    const keep = (key: string, value: string) => ({
      sql: 'INSERT INTO hub_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      params: [key, value],
    });
    await database.write([keep('incarnation', incarnation), keep('restoredFrom', JSON.stringify(origin))]);
  } finally {
    await database.close();
  }
  return incarnation;
}

async function fill(archive: Pack, dataDir: string, database: string): Promise<void> {
  await addFile(archive, DATABASE, database);
  for (const content of CONTENTS)
    for (const path of await filesBelow(join(dataDir, content))) await addFile(archive, relative(dataDir, path), path);
}

async function addFile(archive: Pack, name: string, path: string): Promise<void> {
  const { size } = await stat(path);
  const entry = archive.entry({ name, size, mode: 0o600 });
  await pipeline(createReadStream(path), entry);
}

/** The path itself when it is a file, all files directly in it when it is a directory, nothing when it is missing. */
async function filesBelow(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return [];
  if (found.isFile()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => join(path, name));
}
