/**
 * Writes the files of a volume so that a reader sees all of the old or all of the new content, and a power cut leaves
 * one of the two. Layout as the kubelet's, which programs watch for:
 *
 *   ..HASH/            the files, synced before anything points to them
 *   ..data -> ..HASH   flipped by one rename
 *   NAME -> ..data/NAME
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type VolumeFiles = ReadonlyMap<string, { mode: number; bytes: Uint8Array }>;

/** A no-op when `directory` has exactly these files. `mode`: of directories. */
export async function writeAtomicVolume(directory: string, files: VolumeFiles, mode = 0o700): Promise<void> {
  const generation = `..${hashOf(files)}`;
  const before = await readlink(join(directory, '..data')).catch(() => undefined);
  if (before !== generation) {
    await mkdir(directory, { recursive: true, mode });
    await chmod(directory, mode);
    // A directory of that name which nothing points to is an unfinished write of an earlier life.
    await rm(join(directory, generation), { recursive: true, force: true });
    await writeFiles(join(directory, generation), files, mode);
    await replaceLink(join(directory, '..data'), generation);
  }
  // Also when nothing changed: a power cut may have come between the flip and the links.
  const names = new Set([...files.keys()].map((path) => path.split('/')[0]!));
  for (const name of names) await replaceLink(join(directory, name), `..data/${name}`);
  if (before !== generation) await sync(directory);
  for (const name of await readdir(directory)) {
    if (name === '..data' || name === generation || names.has(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Points `path` to `target`, whatever link or file was there; never missing in between. */
export async function replaceLink(path: string, target: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  // No file of a volume or an image view may begin with two dots, so this name is free.
  const draft = join(dirname(path), '..draft');
  await rm(draft, { recursive: true, force: true });
  await symlink(target, draft);
  await rename(draft, path);
}

/** Makes names in a directory, or a file's bytes, survive a power cut. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeFiles(root: string, files: VolumeFiles, directoryMode: number): Promise<void> {
  const directories = new Set([root]);
  await mkdir(root, { mode: directoryMode });
  for (const [path, { mode, bytes }] of files) {
    const full = join(root, path);
    await mkdir(dirname(full), { recursive: true, mode: directoryMode });
    for (let above = dirname(full); !directories.has(above); above = dirname(above)) directories.add(above);
    const handle = await open(full, 'w', mode);
    try {
      await handle.writeFile(bytes);
      // The mode given to `open` is cut by the umask.
      await handle.chmod(mode & 0o777);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  for (const directory of directories) {
    await chmod(directory, directoryMode);
    await sync(directory);
  }
}

function hashOf(files: VolumeFiles): string {
  const hash = createHash('sha256');
  for (const path of [...files.keys()].sort()) {
    const { mode, bytes } = files.get(path)!;
    hash.update(`${path}\0${mode}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
}
