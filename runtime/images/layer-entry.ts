/**
 * What one entry of a layer's tar means, decided before any file is touched. A layer is written by strangers: its
 * names stay below the image's root or the image is refused. Pure.
 */
import { invalid } from '../../protocol/image.ts';

/** As `tar-stream` gives it, only what matters. */
export interface LayerHeader {
  name: string;
  type?: string | null | undefined;
  linkname?: string | null | undefined;
  mode?: number | undefined;
  size?: number | undefined;
}

/** Paths are relative to the root, without `.` and `..`; '' is the root itself. */
export type LayerStep =
  | { kind: 'directory'; path: string; mode: number }
  | { kind: 'file'; path: string; mode: number }
  /** `target` is relative to the link's own directory. */
  | { kind: 'symlink'; path: string; target: string }
  | { kind: 'hardlink'; path: string; source: string }
  /** Removes what lower layers put at `path`. */
  | { kind: 'whiteout'; path: string }
  /** Removes what lower layers put into `path`. */
  | { kind: 'opaque'; path: string }
  | { kind: 'nothing' };

const PATH_BYTES_MAX = 4_096;
const PATH_DEPTH_MAX = 128;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** Errors: `E_IMAGE_INVALID`. */
export function layerStep(header: LayerHeader): LayerStep {
  const path = insidePath(header.name);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const parent = path.slice(0, Math.max(0, path.length - name.length - 1));
  if (name === OPAQUE) return { kind: 'opaque', path: parent };
  if (name.startsWith(WHITEOUT)) return whiteout(parent, name.slice(WHITEOUT.length));
  switch (header.type ?? 'file') {
    case 'directory':
      // Its owner, which is us, must be able to work in it, whatever the image says.
      return { kind: 'directory', path, mode: permissions(header.mode, 0o755) | 0o700 };
    case 'file':
    case 'contiguous-file':
      if (path === '') throw invalid('a layer has a file in place of its root');
      return { kind: 'file', path, mode: permissions(header.mode, 0o644) | 0o400 };
    case 'symlink':
      if (path === '') throw invalid('a layer has a link in place of its root');
      return { kind: 'symlink', path, target: linkTarget(path, header.linkname ?? '') };
    case 'link':
      return { kind: 'hardlink', path, source: insidePath(header.linkname ?? '') };
    case 'pax-header':
    case 'pax-global-header':
      return { kind: 'nothing' };
    default:
      throw invalid(
        `a layer has ${JSON.stringify(path)}, a ${header.type}: only files, directories and links can be used`,
      );
  }
}

function whiteout(parent: string, name: string): LayerStep {
  if (name === '' || name === '.' || name === '..') throw invalid('a layer removes a name that cannot be');
  return { kind: 'whiteout', path: parent === '' ? name : `${parent}/${name}` };
}

/** Set-user-id and the like are dropped: the image's users do not exist here. */
function permissions(mode: number | undefined, otherwise: number): number {
  return (mode ?? otherwise) & 0o777;
}

/** A leading `/` or `./` is common and harmless; a `..` is never needed. */
function insidePath(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > PATH_BYTES_MAX)
    throw invalid('a layer has an entry whose name is empty, too long or contains a zero');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`a layer has ${JSON.stringify(name)}, which leads out of the image`);
  if (parts.length > PATH_DEPTH_MAX) throw invalid(`a layer has a path of more than ${PATH_DEPTH_MAX} parts`);
  return parts.join('/');
}

/**
 * Absolute targets mean the image's own root, so they are rewritten relative to it. One that climbs above the root
 * is refused: on the terminal it would point at the terminal's own files.
 */
function linkTarget(path: string, target: string): string {
  if (target === '' || target.includes('\0') || Buffer.byteLength(target) > PATH_BYTES_MAX)
    throw invalid(`a layer has a link ${JSON.stringify(path)} to nowhere`);
  const directory = path.split('/').slice(0, -1);
  const steps = target.split('/').filter((part) => part !== '' && part !== '.');
  let depth = target.startsWith('/') ? 0 : directory.length;
  for (const step of steps) {
    depth += step === '..' ? -1 : 1;
    if (depth < 0)
      throw invalid(
        `a layer has a link ${JSON.stringify(path)} to ${JSON.stringify(target)}, which leads out of the image`,
      );
  }
  if (!target.startsWith('/')) return target;
  return [...directory.map(() => '..'), ...steps].join('/') || '.';
}
