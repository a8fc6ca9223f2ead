/**
 * Where the machine code of SQLite comes from. In a checkout the package `sqlite3` finds its addon by itself. A packed
 * executable carries the addon as an asset; the dynamic linker takes files only, so it is written below the data
 * directory, which is the one place that a terminal writes to.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { getAsset, getRawAsset, isSea } from 'node:sea';
import { zstdDecompressSync } from 'node:zlib';
import type sqlite3 from 'sqlite3';
import { AppError, asAppError } from '../errors.ts';
import { privateDirectory, writeDurably } from './durable-file.ts';

/** The addon's file below a data directory. */
export const addonFile = 'node_sqlite3.node';
/** Assets of a packed executable: the addon, compressed (zstd), and the SHA-256 of its file in hex as text. */
export const addonAssets = { compressed: 'node_sqlite3.node.zst', sha256: 'node_sqlite3.node.sha256' } as const;

let loading: Promise<unknown> | undefined;
let loaded: unknown;

/**
 * The package `sqlite3` with its addon. `directory` is where a packed executable keeps the addon, and matters at the
 * first call only. Errors: `E_STORE_FAILED`.
 */
export async function loadSqlite3(directory: string): Promise<typeof sqlite3> {
  if (isSea()) {
    loading ??= loadAddon(directory);
    loaded = await loading;
  }
  return (await import('sqlite3')).default;
}

/** The addon's exports: the packed `sqlite3` asks here instead of searching the disk for its file. */
export function loadedAddon(): unknown {
  return loaded;
}

async function loadAddon(directory: string): Promise<unknown> {
  const file = await placeAddon(directory).catch((error: unknown) => {
    throw asAppError(error, 'E_STORE_FAILED', `cannot write the SQLite addon to ${directory}`);
  });
  const target: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(target, file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError(
      'E_STORE_FAILED',
      `cannot load SQLite (${reason}): its file system must allow execution, and glibc must be 2.34 or newer`,
      { cause: error },
    );
  }
  return target.exports;
}

/** Writes the addon unless the right one is there: what an older version or a torn write left is replaced. */
async function placeAddon(directory: string): Promise<string> {
  const file = join(directory, addonFile);
  const present = await readFile(file).catch(() => undefined);
  if (present !== undefined && sha256(present) === getAsset(addonAssets.sha256, 'utf8')) return file;
  // Whatever else is here was left by a start that was cut short.
  await rm(directory, { recursive: true, force: true });
  await privateDirectory(directory);
  await writeDurably(file, zstdDecompressSync(getRawAsset(addonAssets.compressed) as ArrayBuffer));
  return file;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
