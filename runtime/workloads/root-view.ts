/**
 * A container's view of its image: a directory of links into the unpacked image in which each mountPath is a link to
 * its volume. There is no mount namespace in the classes `host` and `js`, so this is how `./etc/gate/keys.json`, seen
 * from the root, is the file of a volume mounted at /etc/gate.
 *
 * Directories on the way to a mountPath and to the working directory are real ones in the view; everything else is one
 * link per entry, so a view costs a handful of links however large the image is.
 */
import { mkdir, readdir, realpath, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Container } from '../../protocol/kubernetes.ts';
import { invalid } from './container-environment.ts';
import { emptyAs, giveTree, makeDirectoryAs } from './pod-owner.ts';

export interface ViewMount {
  /** Components of the mountPath. */
  parts: string[];
  /** Absolute path of the volume, or of what subPath names in it. */
  target: string;
}

interface ViewNode {
  target?: string;
  children: Map<string, ViewNode>;
}

/** Makes `view` anew: what a container wrote outside its volumes ends with it, as in Kubernetes. */
export async function buildRootView(
  view: string,
  imageRoot: string,
  mounts: readonly ViewMount[],
  workingDirectory: readonly string[],
): Promise<void> {
  await rm(view, { recursive: true, force: true });
  await fill(view, imageRoot, await realpath(imageRoot), treeOf(mounts, workingDirectory));
  // The working directory may lie inside a volume.
  await mkdir(join(view, ...workingDirectory), { recursive: true });
}

/**
 * The same for a pod with a user of its own. The new view is made where only root reaches, given to the user and then
 * moved to its place; what the old one held is removed as that user.
 */
export async function buildOwnedView(
  view: string,
  imageRoot: string,
  mounts: readonly ViewMount[],
  workingDirectory: readonly string[],
  user: number,
): Promise<void> {
  const [draft, old] = [`${view}.new`, `${view}.old`];
  await rm(draft, { recursive: true, force: true });
  await fill(draft, imageRoot, await realpath(imageRoot), treeOf(mounts, workingDirectory));
  await giveTree(draft, user);
  for (const path of [old, view]) {
    if (path === view) await rename(view, old).catch(ignoreMissing);
    await emptyAs(user, old);
    await rmdir(old).catch(ignoreMissing);
  }
  await rename(draft, view);
  // The working directory may lie inside a volume.
  await makeDirectoryAs(user, join(view, ...workingDirectory));
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** Where each mount of a container goes. Errors: `E_POD_INVALID`. */
export function viewMounts(container: Container, volumePath: (name: string) => string | undefined): ViewMount[] {
  const mounts = (container.volumeMounts ?? []).map(({ name, mountPath, subPath = '', ...rest }) => {
    const volume = volumePath(name);
    if (volume === undefined) throw invalid(`container ${container.name} mounts volume ${name}, which the pod lacks`);
    if ('subPathExpr' in rest) throw invalid(`container ${container.name}: subPathExpr is not supported; use subPath`);
    const parts = pathParts(mountPath, `mountPath ${mountPath}`);
    if (parts.length === 0) throw invalid(`container ${container.name}: a volume cannot be mounted at /`);
    return { parts, target: join(volume, ...pathParts(subPath, `subPath ${subPath}`)) };
  });
  for (const [index, inner] of mounts.entries()) {
    const outer = mounts.find((other, at) => at !== index && other.parts.every((part, i) => inner.parts[i] === part));
    if (outer === undefined) continue;
    const paths = `/${inner.parts.join('/')} lies inside or upon /${outer.parts.join('/')}`;
    throw invalid(`container ${container.name}: mountPath ${paths}; without a mount namespace that is impossible`);
  }
  return mounts;
}

/** Components of a path below a root; `..` is refused. `what` names it in the error. */
export function pathParts(path: string, what: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.some((part) => part.startsWith('..') || part.includes('\0'))) throw invalid(`${what} must not contain ..`);
  return parts;
}

function treeOf(mounts: readonly ViewMount[], workingDirectory: readonly string[]): ViewNode {
  const root: ViewNode = { children: new Map() };
  for (const { parts, target } of mounts) descend(root, parts).target = target;
  descend(root, workingDirectory);
  return root;
}

/** The node at `parts`, made where it is missing; a mount on the way ends it. */
function descend(root: ViewNode, parts: readonly string[]): ViewNode {
  let node = root;
  for (const part of parts) {
    if (node.target !== undefined) return node;
    const next: ViewNode = node.children.get(part) ?? { children: new Map() };
    node.children.set(part, next);
    node = next;
  }
  return node;
}

async function fill(view: string, image: string | undefined, realImageRoot: string, node: ViewNode): Promise<void> {
  await mkdir(view, { recursive: true, mode: 0o700 });
  for (const name of image === undefined ? [] : await readdir(image)) {
    if (!node.children.has(name)) await symlink(join(image!, name), join(view, name));
  }
  for (const [name, child] of node.children) {
    const path = join(view, name);
    if (child.target !== undefined) await symlink(child.target, path);
    else await fill(path, await directoryInside(image, name, realImageRoot), realImageRoot, child);
  }
}

/** A directory of the image, links followed as long as they stay inside it. */
async function directoryInside(image: string | undefined, name: string, realImageRoot: string) {
  if (image === undefined) return undefined;
  const real = await realpath(join(image, name)).catch(() => undefined);
  if (real === undefined || !(real === realImageRoot || real.startsWith(realImageRoot + sep))) return undefined;
  return readdir(real).then(
    () => real,
    () => undefined,
  );
}
