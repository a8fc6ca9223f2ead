/**
 * Files that survive a power cut: written beside their place, synced, renamed, and the directory synced too. What a
 * machine cannot lose (keys, identity) is kept twice, so that one torn or zeroed file loses nothing.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { asAppError } from '../errors.ts';

/** Replaces `path` atomically; resolves when it would survive a power cut. Errors: `E_STORE_FAILED`. */
export async function writeDurably(
  path: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw asAppError(error, 'E_STORE_FAILED', `cannot write ${path}`);
  }
}

/** As `writeDurably`, with a second copy; the two are never being written at the same time. */
export async function writeTwice(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  await writeDurably(copyOf(path), content, mode);
  await writeDurably(path, content, mode);
}

/** Removes `path` and its copy; nothing happens when there is neither. Errors: `E_STORE_FAILED`. */
export async function removeTwice(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await rm(copyOf(path), { force: true });
    await syncDirectory(dirname(path));
  } catch (error) {
    throw asAppError(error, 'E_STORE_FAILED', `cannot remove ${path}`);
  }
}

/**
 * The contents of `path` and of its copy, those that can be read: a bad block under one does not lose the other.
 * Empty when there is neither. Errors: `E_STORE_FAILED` when something is there and none of it can be read.
 */
export async function readCopies(path: string): Promise<string[]> {
  const copies = await Promise.allSettled([readIfPresent(path), readIfPresent(copyOf(path))]);
  const contents = copies.map((copy) => (copy.status === 'fulfilled' ? copy.value : undefined));
  const readable = contents.filter((content) => content !== undefined);
  const failed = copies.find((copy) => copy.status === 'rejected');
  if (readable.length === 0 && failed !== undefined) throw failed.reason;
  return readable;
}

/** Undefined when there is no such file. Errors: `E_STORE_FAILED`. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asAppError(error, 'E_STORE_FAILED', `cannot read ${path}`);
  }
}

/** Makes renames and removals in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the content of `path` durable. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * A directory for its owner alone, and those above it that are missing; resolves when it would survive a power cut,
 * for whatever is synced in a directory is lost with its name. Errors: `E_STORE_FAILED`.
 */
export async function privateDirectory(path: string): Promise<void> {
  try {
    const whole = resolve(path);
    const first = await mkdir(whole, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = whole; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
  } catch (error) {
    throw asAppError(error, 'E_STORE_FAILED', `cannot make the directory ${path}`);
  }
}

function copyOf(path: string): string {
  return `${path}.copy`;
}
