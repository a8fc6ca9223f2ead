/** Images of disks as real directories. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from './disk-model.ts';

/** Modes are no part of the model: everything is its owner's alone. */
export function writeImage(image: Image, directory: string): void {
  mkdirSync(directory, { mode: 0o700 });
  for (const [path, entry] of image) {
    const place = join(directory, path);
    if (entry.kind === 'directory') mkdirSync(place, { mode: 0o700 });
    else if (entry.kind === 'symlink') symlinkSync(entry.target, place);
    else writeFileSync(place, entry.bytes, { mode: 0o600 });
  }
}

/** What `directory` holds, as an image. */
export function readImage(directory: string): Image {
  const image: Image = new Map();
  const visit = (path: string): void => {
    for (const each of readdirSync(join(directory, path), { withFileTypes: true })) {
      const below = path === '' ? each.name : `${path}/${each.name}`;
      if (each.isDirectory()) {
        image.set(below, { kind: 'directory' });
        visit(below);
      } else if (each.isSymbolicLink())
        image.set(below, { kind: 'symlink', target: readlinkSync(join(directory, below)) });
      else image.set(below, { kind: 'file', bytes: readFileSync(join(directory, below)) });
    }
  };
  visit('');
  return image;
}
