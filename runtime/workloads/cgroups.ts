/**
 * Limits by the kernel: one cgroup (version 2) per container, below a slice of our own.
 *
 *   ROOT/stile.slice/INSTANCE     as root
 *   OWN/runtime, OWN/pods/INSTANCE   in a subtree that was delegated to us (systemd: Delegate=yes); the runtime moves
 *                                 into the first, for a group with controllers may have no processes of its own
 *
 * Source: docs.kernel.org, "Control Group v2".
 */
import { mkdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../protocol/errors.ts';
import { LegacyCgroupTree } from './cgroups-v1.ts';
import type { ContainerLimits } from './container-limits.ts';
import type { Cgroups } from './ports.ts';

export interface CgroupTreeConfig {
  /** Where version 2 is mounted. */
  mount: string;
  /** Controllers without which limits are not enforced. */
  controllers: readonly string[];
}

export const cgroupTreeDefaults = {
  mount: '/sys/fs/cgroup',
  controllers: ['memory', 'cpu', 'pids'],
} as const satisfies CgroupTreeConfig;

/** One period of the processor's quota, microseconds. */
const cpuPeriodUs = 100_000;
/** A group is busy until the kernel has reaped its last process. */
const removeTries = 20;
const removePauseMs = 25;

/** Version 2 where it has the controllers, else version 1 where that has them, else nothing, with the reason. */
export async function openCgroups(config: CgroupTreeConfig): Promise<Cgroups> {
  const tree = await CgroupTree.open(config);
  if (tree.fault === undefined) return tree;
  const mounts = await readFile('/proc/self/mounts', 'latin1').catch(() => '');
  return (await LegacyCgroupTree.open(mounts)) ?? tree;
}

export class CgroupTree implements Cgroups {
  readonly fault: string | undefined;
  readonly #pods: string;

  private constructor(pods: string, fault: string | undefined) {
    this.#pods = pods;
    this.fault = fault;
  }

  /** Never rejects: what is not there or not ours is told by `fault`. */
  static async open({ mount, controllers }: CgroupTreeConfig): Promise<CgroupTree> {
    try {
      return new CgroupTree(await claim(mount, controllers), undefined);
    } catch (error) {
      return new CgroupTree('', (error as Error).message);
    }
  }

  async make(instanceId: string, limits: ContainerLimits): Promise<readonly string[]> {
    const group = this.#groupOf(instanceId);
    try {
      await mkdir(group, { recursive: true });
      for (const [name, value] of settings(limits)) await set(group, name, value);
    } catch (error) {
      const { message } = error as Error;
      throw new AppError('E_POD_START', `cannot limit the container: ${message}`, { cause: error });
    }
    return [group];
  }

  async find(instanceId: string): Promise<readonly string[] | undefined> {
    const group = this.#groupOf(instanceId);
    return stat(group).then(
      () => [group],
      () => undefined,
    );
  }

  async end(instanceId: string): Promise<{ oomKilled: boolean }> {
    const group = this.#groupOf(instanceId);
    const events = await readFile(join(group, 'memory.events'), 'latin1').catch(() => '');
    await writeFile(join(group, 'cgroup.kill'), '1').catch(() => {});
    for (let attempt = 1; attempt <= removeTries; attempt += 1) {
      const gone = await rmdir(group).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
      if (gone) break;
      await sleep(removePauseMs);
    }
    return { oomKilled: Number(/^oom_kill (\d+)/m.exec(events)?.[1] ?? 0) > 0 };
  }

  #groupOf(instanceId: string): string {
    return join(this.#pods, instanceId);
  }
}

/** Files of a group and what to write into them. `memory.swap.max` is not there without swap accounting. */
function settings({ memoryBytes, cpuCores, cpuWeight, pids }: ContainerLimits): [name: string, value: string][] {
  const list: [string, string][] = [['pids.max', String(pids)]];
  if (memoryBytes !== undefined) {
    // The whole container dies, not the one process that asked last: half a program helps nobody.
    list.push(['memory.oom.group', '1'], ['memory.max', String(Math.floor(memoryBytes))], ['memory.swap.max', '0']);
  }
  if (cpuCores !== undefined) {
    list.push(['cpu.max', `${Math.max(1_000, Math.floor(cpuCores * cpuPeriodUs))} ${cpuPeriodUs}`]);
  }
  if (cpuWeight !== undefined) list.push(['cpu.weight', String(cpuWeight)]);
  return list;
}

async function set(group: string, name: string, value: string): Promise<void> {
  try {
    await writeFile(join(group, name), value, { flag: 'r+' });
  } catch (error) {
    if (name === 'memory.swap.max' && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new Error(`${name}: ${(error as Error).message}`);
  }
}

/** The directory below which containers get their groups. Rejects with a sentence. */
async function claim(mount: string, controllers: readonly string[]): Promise<string> {
  const there = await words(join(mount, 'cgroup.controllers'));
  if (there === undefined) {
    throw new Error(
      `there are no cgroups of version 2 at ${mount}; start the kernel with systemd.unified_cgroup_hierarchy=1`,
    );
  }
  const missing = controllers.filter((name) => !there.includes(name));
  if (missing.length > 0) {
    throw new Error(
      `cgroups of version 2 at ${mount} lack ${missing.join(', ')}: the kernel has them off or in version 1`,
    );
  }
  const own = /^0::(.*)$/m.exec(await readFile('/proc/self/cgroup', 'latin1'))?.[1] ?? '/';
  const base = process.geteuid?.() === 0 ? mount : join(mount, own);
  const pods = join(base, process.geteuid?.() === 0 ? 'stile.slice' : 'pods');
  try {
    if (base !== mount) {
      await mkdir(join(base, 'runtime'), { recursive: true });
      await writeFile(join(base, 'runtime', 'cgroup.procs'), String(process.pid));
    }
    await enable(base, controllers);
    await mkdir(pods, { recursive: true });
    await enable(pods, controllers);
    return pods;
  } catch (error) {
    throw new Error(`cgroups below ${base} are not ours (systemd: Delegate=yes): ${(error as Error).message}`);
  }
}

async function enable(group: string, controllers: readonly string[]): Promise<void> {
  const enabled = (await words(join(group, 'cgroup.subtree_control'))) ?? [];
  const wanted = controllers.filter((name) => !enabled.includes(name));
  if (wanted.length === 0) return;
  await writeFile(join(group, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
}

async function words(path: string): Promise<string[] | undefined> {
  const text = await readFile(path, 'latin1').catch(() => undefined);
  return text?.split(/\s+/).filter((word) => word !== '');
}
