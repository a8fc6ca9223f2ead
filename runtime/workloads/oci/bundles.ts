/**
 * What crun is given to run a container: below the pod's directory, made anew at each start, as Kubernetes discards a
 * container's writable layer.
 *
 *   oci/CONTAINER/config.json      the runtime-spec
 *   oci/CONTAINER/rootfs/          where the image and `upper` are mounted over each other
 *   oci/CONTAINER/upper/ work/     what the container writes outside its volumes
 *   oci/CONTAINER/hosts hostname   its /etc/hosts and /etc/hostname
 *
 * The mount is made in a mount namespace of `crun run` alone: nobody else sees it, and it ends with it, whatever ends it.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, Pod } from '../../../protocol/kubernetes.ts';
import { commandLine } from '../container-command.ts';
import { containerEnvironment, invalid } from '../container-environment.ts';
import type { DesiredPod, LocalImage, PodPlace, ResolvedCommand } from '../ports.ts';
import { pathParts } from '../root-view.ts';
import { clearMessage } from '../termination-message.ts';
import { type BindMount, containerMounts, hostsFile } from './container-mounts.ts';
import { bundleVariable } from './container-processes.ts';
import type { Crun } from './crun.ts';
import { rootName, runtimeSpec } from './runtime-spec.ts';
import { imageUserOf, type Security, securityOf } from './security.ts';

export interface BundlesConfig {
  crun: Crun;
  /** Path of a pod's network namespace. */
  networkNamespace(uid: string): string;
  /** PATH of crun and of the tools around it: unshare, mount. */
  hostPath: readonly string[];
}

/** One container and where its pod's files are. */
export interface BundleRequest {
  desired: DesiredPod;
  container: Container;
  image: LocalImage;
  place: PodPlace;
  /** Of the pod. */
  directory: string;
  /** File of its last words. */
  terminationMessage: string;
  volumePath(name: string): string | undefined;
}

const imagePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const hostnameLengthMax = 63;

/**
 * Options of the mount, the place to mount at, then what to become. Directories that crun makes on the way to a mount
 * are for all users of the container, whatever the runtime's umask is. Cgroups are hidden from crun, for it does not
 * start where version 1 and 2 are mixed, and has no business there.
 */
const mountedScript =
  'umask 022; if [ -d /sys/fs/cgroup ]; then mount -t tmpfs -o ro none /sys/fs/cgroup || exit 125; fi; ' +
  'mount -t overlay -o "$1" overlay "$2" || exit 125; shift 2; exec "$@"';

export class Bundles {
  readonly #config: BundlesConfig;

  constructor(config: BundlesConfig) {
    this.#config = config;
  }

  /** The command that becomes the container. Errors: `E_POD_INVALID`. */
  async make(request: BundleRequest): Promise<ResolvedCommand> {
    const { desired, container, image, place, directory, terminationMessage, volumePath } = request;
    const { pod } = desired;
    const bundle = join(directory, 'oci', container.name);
    const own = { hosts: join(bundle, 'hosts'), hostname: join(bundle, 'hostname'), terminationMessage };
    const mounts = containerMounts(pod, container, own, volumePath);
    const environment = environmentOf(request, mounts);
    const hostname = hostnameOf(pod);
    const workingDir = container.workingDir ?? image.config.workingDir;
    const spec = runtimeSpec({
      args: commandLine(container, image, environment),
      environment,
      workingDirectory: `/${pathParts(workingDir, `workingDir ${workingDir}`).join('/')}`,
      hostname,
      networkNamespace: this.#config.networkNamespace(pod.metadata.uid ?? ''),
      mounts,
      security: await securityIn(pod, container, image),
    });
    await this.#config.crun.prepare();
    await emptyBundle(bundle);
    await mkdir(join(terminationMessage, '..'), { recursive: true, mode: 0o700 });
    await clearMessage(terminationMessage);
    // Only the container can come to it, as whatever user.
    await chmod(terminationMessage, 0o666);
    await writeShown(own.hosts, hostsFile(pod, place.podIP, hostname));
    await writeShown(own.hostname, `${hostname}\n`);
    await writeFile(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
    return this.#command(bundle, image.rootDirectory, place);
  }

  /** The command that enters a container which runs. Errors: `E_POD_INVALID`. */
  async enter({ desired, container, image, place, directory }: BundleRequest, line: readonly string[]) {
    const bundle = join(directory, 'oci', container.name);
    const { noNewPrivileges } = await securityIn(desired.pod, container, image);
    const pidFile = join(bundle, `exec-${randomBytes(6).toString('hex')}.pid`);
    const flags = [...(noNewPrivileges ? ['--no-new-privs'] : []), '--pid-file', pidFile];
    const [file = '', ...args] = this.#config.crun.line('exec', ...flags, instanceOf(place), ...line);
    return {
      engine: false,
      file,
      args,
      cwd: bundle,
      env: this.#environment(bundle),
      pidFile,
    } satisfies ResolvedCommand;
  }

  #command(bundle: string, imageRoot: string, place: PodPlace): ResolvedCommand {
    const [upper, work, root] = ['upper', 'work', rootName].map((name) => join(bundle, name)) as [
      string,
      string,
      string,
    ];
    const layers = Object.entries({ lowerdir: imageRoot, upperdir: upper, workdir: work });
    const options = layers.map(([name, path]) => `${name}=${mountOption(path)}`).join(',');
    const crun = this.#config.crun.line('run', '--bundle', bundle, instanceOf(place));
    // `slave`: names of network namespaces that go from the machine go from here too.
    const own = ['--mount', '--propagation', 'slave'];
    const args = [...own, '/bin/sh', '-c', mountedScript, 'mounted', options, root, ...crun];
    return { engine: false, file: 'unshare', args, cwd: bundle, env: this.#environment(bundle) };
  }

  #environment(bundle: string): Record<string, string> {
    return { PATH: this.#config.hostPath.join(':'), [bundleVariable]: bundle };
  }
}

/** `STILE_INSIDE` marks all of a container's processes; `STILE_INSTANCE` is its `crun`'s alone. */
function environmentOf({ desired, container, image, place }: BundleRequest, mounts: readonly BindMount[]) {
  const lines = image.config.env.map((line): [string, string] => {
    const end = line.indexOf('=');
    return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)];
  });
  const { name, namespace = 'default' } = desired.pod.metadata;
  const base = {
    PATH: imagePath,
    HOSTNAME: hostnameOf(desired.pod),
    ...Object.fromEntries(lines),
    POD_NAME: name,
    POD_NAMESPACE: namespace,
    POD_IP: place.podIP,
    NODE_NAME: place.nodeName,
  };
  return containerEnvironment(desired, container, place, base, {
    STILE_ROOT: '',
    STILE_MOUNTS: JSON.stringify(Object.fromEntries(mounts.map(({ destination }) => [destination, destination]))),
    STILE_INSIDE: instanceOf(place),
  });
}

function hostnameOf({ spec, metadata }: Pod): string {
  return (spec.hostname ?? metadata.name).slice(0, hostnameLengthMax);
}

function instanceOf({ instanceId }: PodPlace): string {
  if (instanceId === undefined) throw new Error('a container of class oci needs its instance id');
  return instanceId;
}

async function securityIn(pod: Pod, container: Container, image: LocalImage): Promise<Security> {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec as Record<string, unknown>;
  const asked = Object.entries({ hostNetwork, hostPID, hostIPC, shareProcessNamespace }).find(([, value]) => value);
  if (asked !== undefined) throw invalid(`${asked[0]} is not supported in class oci; use runtimeClassName host`);
  const text = (name: string) => readFile(join(image.rootDirectory, 'etc', name), 'utf8').catch(() => '');
  return securityOf(pod, container, imageUserOf(image.config.user ?? '', await text('passwd'), await text('group')));
}

/** The container that had it is gone, or it would not be started. */
async function emptyBundle(bundle: string): Promise<void> {
  await rm(bundle, { recursive: true, force: true });
  await mkdir(bundle, { recursive: true, mode: 0o700 });
  // The upper directory becomes the container's root directory.
  for (const name of ['upper', 'work', rootName]) await mkdir(join(bundle, name), { mode: 0o755 });
  await chmod(join(bundle, 'upper'), 0o755);
}

async function writeShown(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}

/** A comma ends an option of overlay, a colon a lower directory. */
function mountOption(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}
