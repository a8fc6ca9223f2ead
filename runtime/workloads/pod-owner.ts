/**
 * Files of pods that have a user of their own. Rule: root never works by path inside a directory that a pod can write,
 * for the pod could put a link in its way; what has to be done there is done as the pod's user. Directories on the way
 * belong to root and may be passed, not listed (0711).
 */
import { execFile } from 'node:child_process';
import { chmod, chown, lchown, lstat, mkdir, opendir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** For a command as a pod's user; removing a large directory takes a while. */
const asUserMsMax = 120_000;

/** Makes what is missing of a directory of root's that others may pass. */
export async function makePassage(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
  await chmod(path, 0o711);
}

/** A directory of the pod's own below one of root's. */
export async function makeOwned(path: string, user: number): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await lchown(path, user, user);
}

/** Directories and links of a tree that only root can reach yet. Depth first: what is given away is not entered again. */
export async function giveTree(path: string, user: number): Promise<void> {
  if ((await lstat(path)).isDirectory())
    for await (const entry of await opendir(path)) await giveTree(join(path, entry.name), user);
  await lchown(path, user, user);
}

/** Files that stay root's and that the pod may read: its group gets what the owner may do, short of writing. */
export async function showTree(path: string, user: number): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  if (found.isDirectory()) for await (const entry of await opendir(path)) await showTree(join(path, entry.name), user);
  const owner = found.mode & 0o700;
  await chown(path, 0, user);
  await chmod(path, owner | ((owner & 0o500) >> 3));
}

export async function makeDirectoryAs(user: number, path: string): Promise<void> {
  await run('/bin/mkdir', ['-p', path], { uid: user, gid: user, timeout: asUserMsMax });
}

/** What is in a directory of the pod's; the directory itself stays when its parent is not the pod's. */
export async function emptyAs(user: number, path: string): Promise<void> {
  await run('/bin/rm', ['-rf', path], { uid: user, gid: user, timeout: asUserMsMax }).catch(() => {});
}

/**
 * Lets every user read an unpacked image, as its owner may. Done once: the root of a tree that is open has mode 0555.
 */
export async function openImage(root: string): Promise<void> {
  if (((await stat(root)).mode & 0o777) === openMode) return;
  await openBelow(root);
  await chmod(root, openMode);
}

const openMode = 0o555;

async function openBelow(directory: string): Promise<void> {
  for await (const entry of await opendir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isSymbolicLink()) continue;
    if (entry.isDirectory()) await openBelow(path);
    const { mode } = await lstat(path);
    const readable = (mode & 0o500) >> 3;
    await chmod(path, (mode & 0o777) | readable | (readable >> 3));
  }
}

/** The first directory on the way to `path` that other users may not pass; undefined when all may be passed. */
export async function firstClosed(path: string): Promise<string | undefined> {
  const parent = dirname(path);
  if (parent !== path) {
    const above = await firstClosed(parent);
    if (above !== undefined) return above;
  }
  const found = await stat(path);
  return found.isDirectory() && (found.mode & 0o001) === 0 ? path : undefined;
}
