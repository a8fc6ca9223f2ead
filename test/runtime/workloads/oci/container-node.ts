/**
 * A node whose pods are containers, for tests as root where crun and a static busybox are installed. Each has a network
 * of its own, and `close` leaves nothing of it on the machine: no container, namespace, link, bridge or group.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { PodSpec } from '../../../../protocol/kubernetes.ts';
import { containersFault } from '../../../../runtime/workloads/oci/ability.ts';
import { containerFacts } from '../../../../runtime/workloads/oci/container-facts.ts';
import {
  type AddressRange,
  bridgeOf,
  namespacePrefix,
  networkNames,
  ownerOf,
  parseRange,
} from '../../../../runtime/workloads/oci/pod-network.ts';
import { podDirectoriesDefaults } from '../../../../runtime/workloads/pod-files.ts';
import type { DesiredPod, PodRecords } from '../../../../runtime/workloads/ports.ts';
import type { SupervisorConfig } from '../../../../runtime/workloads/supervisor.ts';
import { MemoryRecords } from '../memory-records.ts';
import { examplePod, NodeUnderTest } from '../node-under-test.ts';
import { until } from '../real-world.ts';

const run = promisify(execFile);
/** Debian's busybox-static. */
export const busybox = '/bin/busybox';
const applets = [
  'sh',
  'cat',
  'id',
  'ls',
  'sleep',
  'ip',
  'hostname',
  'wget',
  'httpd',
  'ping',
  'dd',
  'touch',
  'env',
  'kill',
  'tail',
];

/** Networks of tests that run at the same time on this machine do not meet. */
export function testRange(index = 0, pid = process.pid): AddressRange {
  const number = pid % 16_384;
  return parseRange(`10.${128 + (number >> 8)}.${number & 255}.${16 * index}/28`);
}

/** Why no container can run here; undefined when it can. */
export async function noContainers(): Promise<string | undefined> {
  if (!existsSync(busybox)) return `there is no ${busybox} (busybox-static)`;
  return containersFault(await containerFacts(podDirectoriesDefaults.hostPath, tmpdir()), testRange());
}

/** The data directory of a node whose image is busybox, and `files` besides. */
export async function makeNodeDirectory(files: Record<string, string> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stile-oci-'));
  await makeImage(join(directory, 'image'), files);
  return directory;
}

export async function makeImage(image: string, files: Record<string, string> = {}): Promise<void> {
  await mkdir(join(image, 'bin'), { recursive: true });
  await copyFile(busybox, join(image, 'bin', 'busybox'));
  for (const name of applets) await symlink('busybox', join(image, 'bin', name));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(image, path)), { recursive: true });
    await writeFile(join(image, path), text);
  }
  for (const path of [image, join(image, 'bin'), join(image, 'bin', 'busybox')]) await chmod(path, 0o755);
}

export function containerNode(
  directory: string,
  range: AddressRange,
  records: PodRecords = new MemoryRecords(),
  config: Partial<SupervisorConfig> = {},
): NodeUnderTest {
  const node = new NodeUnderTest(directory, records, { networkCheckMs: 50, networkRetryMs: 50, ...config });
  node.range = range;
  return node;
}

/** One container `main` that runs a script of busybox's shell; it ends at once when it is told to. */
export function containerPod(uid: string, script: string, spec: Partial<PodSpec> = {}): DesiredPod {
  return examplePod(uid, ['/bin/sh', '-c', `trap 'exit 0' TERM; ${script}`], { runtimeClassName: 'oci', ...spec });
}

/** The pod's own words: what `eth0` has, asked from inside its namespace. */
export async function networkOf(directory: string, uid: string): Promise<{ podIP: string; mac: string }> {
  const { namespace } = networkNames(ownerOf(directory), uid);
  const { stdout } = await run('ip', ['-n', namespace, '-json', 'address', 'show', 'dev', 'eth0']);
  const [link] = JSON.parse(stdout) as [{ address: string; addr_info: { family: string; local: string }[] }];
  return { podIP: link.addr_info.find(({ family }) => family === 'inet')!.local, mac: link.address };
}

/** A `crun run` whose container ended cleans up after it, and would make its state directory anew to do so. */
async function endCrun(directory: string): Promise<void> {
  await until('crun to end', async () => {
    let living = 0;
    for (const name of await readdir('/proc')) {
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      if (environment.includes(`STILE_BUNDLE=${directory}/`)) living += 1;
    }
    return living === 0;
  });
}

/** Ends and removes all that a node of `directory` has in the machine's memory, as a boot does, then the directory. */
export async function clearMachine(
  directory: string,
  range: AddressRange,
  { keepDirectory = false } = {},
): Promise<void> {
  const owner = ownerOf(directory);
  const state = join('/run/stile', owner);
  for (const id of await readdir(join(state, 'crun')).catch(() => [])) {
    await run('crun', ['--root', join(state, 'crun'), 'delete', '--force', id]).catch(() => {});
  }
  await endCrun(directory);
  await rm(state, { recursive: true, force: true });
  for (const name of await readdir('/run/netns').catch(() => [])) {
    if (name.startsWith(namespacePrefix(owner))) await run('ip', ['netns', 'delete', name]);
  }
  for (const link of await readdir('/sys/class/net')) {
    const master = await readlink(`/sys/class/net/${link}/master`).catch(() => '');
    if (master.endsWith(`/${bridgeOf(range)}`)) await run('ip', ['link', 'del', link]).catch(() => {});
  }
  await run('ip', ['link', 'del', bridgeOf(range)]).catch(() => {});
  if (!keepDirectory) await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
