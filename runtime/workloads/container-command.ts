/** Which file a container runs, found in its view of the image first, then on the host. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { AppError } from '../../protocol/errors.ts';
import type { Container } from '../../protocol/kubernetes.ts';
import { expandReferences, invalid } from './container-environment.ts';
import type { LocalImage } from './ports.ts';

export interface CommandPlace {
  /** The container's view of its image. */
  view: string;
  cwd: string;
  /** Directories of the image that its PATH names, as paths in the view. */
  imagePath: readonly string[];
  hostPath: readonly string[];
}

/** `command` and `args` over the image's entrypoint and cmd, as Kubernetes combines them, references expanded. */
export function commandLine(container: Container, image: LocalImage, environment: Record<string, string>): string[] {
  const command = nonEmpty(container.command);
  const line = [
    ...(command ?? image.config.entrypoint),
    ...(nonEmpty(container.args) ?? (command === undefined ? image.config.cmd : [])),
  ];
  if (line.length === 0) {
    throw invalid(`image ${container.image} has no entrypoint; give container ${container.name} a command`);
  }
  return line.map((part) => expandReferences(part, environment));
}

/** Class `host`. Errors: `E_POD_START` when there is no such file, or none that may be executed. */
export async function findExecutable(name: string, place: CommandPlace): Promise<string> {
  let refused: string | undefined;
  for (const candidate of executableCandidates(name, place)) {
    if (!(await isFile(candidate))) continue;
    if (await isExecutable(candidate)) return candidate;
    refused ??= name;
  }
  if (refused === undefined) {
    throw new AppError('E_POD_START', `there is no "${name}" in the image, nor on this node's PATH`);
  }
  throw new AppError('E_POD_START', `"${name}" is not executable; make it so (chmod +x) before pushing the image`);
}

/** Class `js`: the first argument that names a module, and what stands behind it. Errors: `E_POD_INVALID`, `E_POD_START`. */
export async function findModule(
  line: readonly string[],
  place: CommandPlace,
): Promise<{ file: string; args: string[] }> {
  const at = line.findIndex(isModuleName);
  if (at < 0) throw invalid(`runtimeClassName js needs a module to run, *.js or *.mjs, in "${line.join(' ')}"`);
  const name = line[at]!;
  for (const file of isAbsolute(name) ? [join(place.view, name)] : [join(place.cwd, name), join(place.view, name)]) {
    if (await isFile(file)) return { file, args: line.slice(at + 1) };
  }
  throw new AppError('E_POD_START', `there is no module "${name}" in the image`);
}

export function namesModule(line: readonly string[]): boolean {
  return line.some(isModuleName);
}

function isModuleName(part: string): boolean {
  return /\.[cm]?js$/.test(part);
}

function executableCandidates(name: string, { view, cwd, imagePath, hostPath }: CommandPlace): string[] {
  if (isAbsolute(name)) return [join(view, name), name];
  const inImage = [join(cwd, name), join(view, name)];
  if (name.includes('/')) return inImage;
  return [...inImage, ...[...imagePath, ...hostPath].map((directory) => join(directory, name))];
}

function nonEmpty(list: string[] | undefined): string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
