/**
 * The directories of pods, below the runtime's data directory:
 *
 *   pods/UID/sources.json          ConfigMaps and Secrets as last told, for a start without a view
 *   pods/UID/volumes/NAME/         one volume each
 *   pods/UID/root/CONTAINER/       the container's view of its image, made anew at each start
 *   pods/UID/scratch/CONTAINER/    home/ and tmp/
 *   pods/UID/logs/CONTAINER.log    and .log.1
 *   pods/UID/last/CONTAINER        its termination message, emptied at each start
 *   pods/UID/access/token          what its apps show the local API
 *   pods/UID/oci/CONTAINER/        of class `oci`: what crun starts it by (oci/bundles.ts)
 */
import { chmod, lchown, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, Pod, Volume } from '../../protocol/kubernetes.ts';
import { sync, writeAtomicVolume } from './atomic-volume.ts';
import { commandLine, findExecutable, findModule, namesModule } from './container-command.ts';
import { containerEnvironment, invalid } from './container-environment.ts';
import type { Bundles } from './oci/bundles.ts';
import { accessVariables, type PodAccess, writeToken } from './pod-access.ts';
import { containersOf } from './pod-decision.ts';
import { logTail, rotateLog } from './pod-logs.ts';
import { makeDirectoryAs, makeOwned, makePassage, openImage, showTree } from './pod-owner.ts';
import type { DesiredPod, LocalImage, PodFiles, PodPlace, ResolvedCommand } from './ports.ts';
import { buildOwnedView, buildRootView, pathParts, type ViewMount, viewMounts } from './root-view.ts';
import { clearMessage, messagePath, readMessage } from './termination-message.ts';
import { type VolumeContent, volumeContent } from './volume-content.ts';

export interface PodDirectoriesConfig {
  /** Absolute; `pods/` is made below it. */
  dataDirectory: string;
  /** A container's log is truncated above this; as much again is kept of the time before. */
  logBytesMax: number;
  /** Absolute directories below which `hostPath` volumes are allowed. */
  hostPaths: readonly string[];
  /** Where commands are looked for that the image lacks; also the end of each child's PATH. */
  hostPath: readonly string[];
  /** Missing: pods are told of no local API. */
  access?: PodAccess;
  /** Makes what class `oci` is started by; missing where it cannot run. */
  bundles?: Bundles;
}

export const podDirectoriesDefaults = {
  logBytesMax: 4 * 1024 * 1024,
  hostPaths: [],
  hostPath: ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'],
} as const satisfies Omit<PodDirectoriesConfig, 'dataDirectory' | 'access' | 'bundles'>;

export class PodDirectories implements PodFiles {
  readonly #config: PodDirectoriesConfig;

  constructor(config: PodDirectoriesConfig) {
    this.#config = config;
  }

  async prepare(desired: DesiredPod, user?: number): Promise<void> {
    const { pod } = desired;
    const directory = this.#directoryOf(uidOf(pod));
    // Users of containers are any; on the machine nobody but root passes the directories above.
    const contained = pod.spec.runtimeClassName === 'oci';
    for (const { name } of containersOf(pod)) checkName(name, 'container');
    const volumes = (pod.spec.volumes ?? []).map((volume): [string, VolumeContent] => [
      volume.name,
      volumeContent(desired, volume, this.#config.hostPaths),
    ]);
    for (const path of [directory, join(directory, 'logs'), join(directory, 'volumes')]) {
      await (user === undefined ? makeDirectory(path) : makePassage(path));
    }
    for (const [name, content] of volumes) {
      const path = join(directory, 'volumes', name);
      if (content.kind === 'files') await writeAtomicVolume(path, content.files, contained ? 0o755 : 0o700);
      if (content.kind === 'files' && user !== undefined) await showTree(path, user);
      if (content.kind === 'empty') await (user === undefined ? makeDirectory(path) : makeOwned(path, user));
      if (content.kind === 'empty' && contained) await chmod(path, 0o777);
    }
    await writeToken(this.#config.access, directory, uidOf(pod), user);
    await writeDurably(join(directory, 'sources.json'), sourcesText(desired));
  }

  async recall(uid: string): Promise<DesiredPod['files']> {
    const sources = await readSources(join(this.#directoryOf(uid), 'sources.json'));
    return new Map(
      Object.entries(sources).map(([key, entries]) => [
        key,
        new Map(Object.entries(entries).map(([name, value]) => [name, new Uint8Array(Buffer.from(value, 'base64'))])),
      ]),
    );
  }

  logFile(pod: Pod, container: string): string {
    return this.logFileOf(uidOf(pod), container);
  }

  logFileOf(uid: string, container: string): string {
    checkName(container, 'container');
    return join(this.#directoryOf(uid), 'logs', `${container}.log`);
  }

  logTail(pod: Pod, container: string, bytesMax: number): Promise<string> {
    return logTail(this.logFile(pod, container), bytesMax);
  }

  async terminationMessage(pod: Pod, container: string, bytesMax: number): Promise<string> {
    checkName(container, 'container');
    return readMessage(join(this.#directoryOf(uidOf(pod)), 'last', container), bytesMax);
  }

  async rotateLogs(pod: Pod): Promise<void> {
    for (const { name } of containersOf(pod)) await rotateLog(this.logFile(pod, name), this.#config.logBytesMax);
  }

  async remove(uid: string): Promise<void> {
    await rm(this.#directoryOf(uid), { recursive: true, force: true });
  }

  async resolve(
    desired: DesiredPod,
    container: Container,
    image: LocalImage,
    place: PodPlace,
  ): Promise<ResolvedCommand> {
    const bundled = this.#bundled(desired, container, image, place);
    if (bundled !== undefined) return bundled.bundles.make(bundled.request);
    const inside = this.#insideOf(desired.pod, container, image);
    const { directory, view, mounts, workingParts, scratch } = inside;
    const { user } = place;
    const own = [join(scratch, 'home'), join(scratch, 'tmp')];
    const message = join(directory, 'last', container.name);
    for (const { target } of mounts) await makeSubPath(target, join(directory, 'volumes'), user);
    if (user === undefined) {
      await makeDirectory(dirname(message));
      await clearMessage(message);
      await buildRootView(view, image.rootDirectory, mounts, workingParts);
      for (const path of own) await makeDirectory(path);
    } else {
      for (const path of [dirname(message), dirname(view), dirname(scratch), scratch]) await makePassage(path);
      await clearMessage(message);
      await lchown(message, user, user);
      await openImage(image.rootDirectory);
      await buildOwnedView(view, image.rootDirectory, mounts, workingParts, user);
      for (const path of own) await makeOwned(path, user);
    }
    return this.#commandIn(inside, desired, container, image, place);
  }

  async resolveInside(
    desired: DesiredPod,
    container: Container,
    image: LocalImage,
    place: PodPlace,
    command: readonly string[],
  ): Promise<ResolvedCommand> {
    const bundled = this.#bundled(desired, container, image, place);
    if (bundled !== undefined) return bundled.bundles.enter(bundled.request, command);
    const inside = this.#insideOf(desired.pod, container, image);
    return this.#commandIn(inside, desired, container, image, place, command);
  }

  /** Undefined for the classes that need no bundle. */
  #bundled(desired: DesiredPod, container: Container, image: LocalImage, place: PodPlace) {
    const { pod } = desired;
    if (pod.spec.runtimeClassName !== 'oci') return undefined;
    const { bundles } = this.#config;
    if (bundles === undefined) throw invalid('this node cannot run containers of class oci');
    const directory = this.#directoryOf(uidOf(pod));
    const terminationMessage = join(directory, 'last', container.name);
    const volumePath = (name: string) => this.#volumePath(pod, directory, name);
    return { bundles, request: { desired, container, image, place, directory, terminationMessage, volumePath } };
  }

  #insideOf(pod: Pod, container: Container, image: LocalImage): Inside {
    const directory = this.#directoryOf(uidOf(pod));
    const workingDir = container.workingDir ?? image.config.workingDir;
    const volumes = viewMounts(container, (name) => this.#volumePath(pod, directory, name));
    return {
      directory,
      view: join(directory, 'root', container.name),
      mounts: [...volumes, ...messageMount(container, volumes, join(directory, 'last', container.name))],
      workingParts: pathParts(workingDir, `workingDir ${workingDir}`),
      scratch: join(directory, 'scratch', container.name),
    };
  }

  /** `other`: a command of a probe or hook, taken as it is written, instead of the container's own. */
  async #commandIn(
    { view, mounts, workingParts, scratch }: Inside,
    desired: DesiredPod,
    container: Container,
    image: LocalImage,
    place: PodPlace,
    other?: readonly string[],
  ): Promise<ResolvedCommand> {
    const imageEnvironment = environmentOf(image);
    const imagePath = await existing(pathOf(imageEnvironment.PATH).map((path) => join(view, path)));
    const base = {
      ...imageEnvironment,
      PATH: [...imagePath, ...this.#config.hostPath].join(':'),
      HOME: join(scratch, 'home'),
      TMPDIR: join(scratch, 'tmp'),
      ...podVariables(desired.pod, place),
      ...accessVariables(this.#config.access, this.#directoryOf(uidOf(desired.pod)), uidOf(desired.pod)),
    };
    const environment = containerEnvironment(desired, container, place, base, {
      STILE_ROOT: view,
      STILE_MOUNTS: JSON.stringify(Object.fromEntries(mounts.map(mountEntry))),
    });
    const line = other ?? commandLine(container, image, environment);
    const cwd = join(view, ...workingParts);
    const commandPlace = { view, cwd, imagePath, hostPath: this.#config.hostPath };
    const owner = place.user === undefined ? {} : { user: place.user };
    if (desired.pod.spec.runtimeClassName === 'js' && (other === undefined || namesModule(other))) {
      // The engine of a packed runtime would obey it, and load what it names before the module.
      const { NODE_OPTIONS: _options, ...env } = environment;
      return { engine: true, ...(await findModule(line, commandPlace)), cwd, env, ...owner };
    }
    const file = await findExecutable(line[0]!, commandPlace);
    return { engine: false, file, args: line.slice(1), cwd, env: environment, ...owner };
  }

  #directoryOf(uid: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(uid)) throw invalid(`"${uid}" cannot be the uid of a pod`);
    return join(this.#config.dataDirectory, 'pods', uid);
  }

  #volumePath(pod: Pod, directory: string, name: string): string | undefined {
    const volume: Volume | undefined = pod.spec.volumes?.find((candidate) => candidate.name === name);
    if (volume === undefined) return undefined;
    const hostPath = (volume.hostPath as { path?: string } | undefined)?.path;
    return hostPath ?? join(directory, 'volumes', name);
  }
}

/** Where a container's own things are. */
interface Inside {
  directory: string;
  view: string;
  mounts: ViewMount[];
  workingParts: string[];
  scratch: string;
}

/** Where the termination message goes, unless a volume covers that path: then what is written there stays in it. */
function messageMount(container: Container, volumes: readonly ViewMount[], target: string): ViewMount[] {
  const path = messagePath(container);
  const parts = pathParts(path, `terminationMessagePath ${path}`);
  const covered = volumes.some((mount) => {
    const [short, long] = mount.parts.length < parts.length ? [mount.parts, parts] : [parts, mount.parts];
    return short.every((part, index) => long[index] === part);
  });
  return covered || parts.length === 0 ? [] : [{ parts, target }];
}

function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

/** Names become file names. */
function checkName(name: string, what: string): void {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) throw invalid(`"${name}" is no name of a ${what}`);
}

function podVariables(pod: Pod, { podIP, nodeName }: PodPlace): Record<string, string> {
  const { name, namespace = 'default' } = pod.metadata;
  return { POD_NAME: name, POD_NAMESPACE: namespace, POD_IP: podIP, NODE_NAME: nodeName };
}

function mountEntry({ parts, target }: ViewMount): [string, string] {
  return [`/${parts.join('/')}`, target];
}

/** `NAME=value` lines of the image's configuration. */
function environmentOf(image: LocalImage): Record<string, string> {
  return Object.fromEntries(
    image.config.env.flatMap((line) => {
      const end = line.indexOf('=');
      return end > 0 ? [[line.slice(0, end), line.slice(end + 1)]] : [];
    }),
  );
}

/** Directories of an image's PATH; of the usual one when the image says nothing. */
function pathOf(path: string | undefined): string[] {
  return path === undefined ? [...podDirectoriesDefaults.hostPath] : path.split(':').filter((part) => part !== '');
}

async function existing(directories: string[]): Promise<string[]> {
  const found = await Promise.all(directories.map((path) => stat(path).catch(() => undefined)));
  return directories.filter((_path, index) => found[index]?.isDirectory());
}

/** A subPath of our own volume that is not there yet becomes a directory, as the kubelet makes it. */
async function makeSubPath(target: string, volumes: string, user: number | undefined): Promise<void> {
  if (!target.startsWith(`${volumes}/`)) return;
  if ((await stat(target).catch(() => undefined)) !== undefined) return;
  await (user === undefined ? makeDirectory(target) : makeDirectoryAs(user, target));
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

function sourcesText({ files }: DesiredPod): string {
  const sources = [...files].map(([key, entries]): [string, Record<string, string>] => [
    key,
    Object.fromEntries([...entries].map(([name, value]) => [name, Buffer.from(value).toString('base64')])),
  ]);
  return JSON.stringify(Object.fromEntries(sources));
}

/** What is missing or damaged is as if it had never been told: the pod waits for the view instead of the runtime. */
async function readSources(path: string): Promise<Record<string, Record<string, string>>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, string>>;
  } catch {
    return {};
  }
}

/** Old or new after a power cut; a no-op when unchanged, to spare the flash. */
async function writeDurably(path: string, text: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
  const handle = await open(`${path}.draft`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.draft`, path);
  await sync(join(path, '..'));
}
