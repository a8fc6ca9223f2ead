/**
 * Limits by the kernel where it has its controllers in cgroups of version 1 only: for each container one group in each
 * of three hierarchies, `MOUNT/stile.slice/INSTANCE`. As root alone; nobody delegates these.
 *
 * Less than version 2 gives: a container that is out of memory loses the process that asked for it, not all of them.
 * Source: docs.kernel.org, "Control Groups version 1", memory, cpu (CFS bandwidth) and pids.
 */
import { mkdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../protocol/errors.ts';
import type { ContainerLimits } from './container-limits.ts';
import type { Cgroups } from './ports.ts';

const controllers = ['memory', 'cpu', 'pids'] as const;
type Controller = (typeof controllers)[number];
type Groups = Record<Controller, string>;

/** One period of the processor's quota, microseconds. */
const cpuPeriodUs = 100_000;
/** A group is busy until the kernel has reaped its last process; what forks meanwhile is killed in the next round. */
const removeTries = 40;
const removePauseMs = 25;

export class LegacyCgroupTree implements Cgroups {
  readonly fault = undefined;
  readonly #slices: Groups;

  private constructor(slices: Groups) {
    this.#slices = slices;
  }

  /**
   * Undefined where a controller has no hierarchy of version 1, or we may not make groups in it. `mounts`: the text of
   * /proc/self/mounts.
   */
  static async open(mounts: string): Promise<LegacyCgroupTree | undefined> {
    const slices: Partial<Groups> = {};
    for (const controller of controllers) {
      const mount = mountOf(mounts, controller);
      if (mount === undefined || process.geteuid?.() !== 0) return undefined;
      const slice = join(mount, 'stile.slice');
      const made = await mkdir(slice, { recursive: true }).then(
        () => true,
        () => false,
      );
      if (!made) return undefined;
      slices[controller] = slice;
    }
    return new LegacyCgroupTree(slices as Groups);
  }

  async make(instanceId: string, limits: ContainerLimits): Promise<readonly string[]> {
    const groups = this.#groupsOf(instanceId);
    try {
      for (const group of Object.values(groups)) await mkdir(group, { recursive: true });
      for (const [controller, name, value] of settings(limits)) {
        await set(join(groups[controller], name), value);
      }
    } catch (error) {
      const { message } = error as Error;
      throw new AppError('E_POD_START', `cannot limit the container: ${message}`, { cause: error });
    }
    return Object.values(groups);
  }

  async find(instanceId: string): Promise<readonly string[] | undefined> {
    const groups = Object.values(this.#groupsOf(instanceId));
    const there = await Promise.all(groups.map((group) => stat(group).catch(() => undefined)));
    return there.includes(undefined) ? undefined : groups;
  }

  async end(instanceId: string): Promise<{ oomKilled: boolean }> {
    const groups = this.#groupsOf(instanceId);
    const control = await readFile(join(groups.memory, 'memory.oom_control'), 'latin1').catch(() => '');
    for (const group of Object.values(groups)) await remove(group);
    return { oomKilled: Number(/^oom_kill (\d+)/m.exec(control)?.[1] ?? 0) > 0 };
  }

  #groupsOf(instanceId: string): Groups {
    const { memory, cpu, pids } = this.#slices;
    return { memory: join(memory, instanceId), cpu: join(cpu, instanceId), pids: join(pids, instanceId) };
  }
}

/** Where a controller of version 1 is mounted, alone or with others. */
export function mountOf(mounts: string, controller: string): string | undefined {
  const fields = mounts.split('\n').map((line) => line.split(' '));
  return fields.find(([, , type, options = '']) => type === 'cgroup' && options.split(',').includes(controller))?.[1];
}

function settings(limits: ContainerLimits): [controller: Controller, name: string, value: string][] {
  const { memoryBytes, cpuCores, cpuWeight, pids } = limits;
  const list: [Controller, string, string][] = [['pids', 'pids.max', String(pids)]];
  if (memoryBytes !== undefined) {
    const bytes = String(Math.floor(memoryBytes));
    // Memory before memory and swap: the kernel keeps the second at least as large as the first.
    list.push(['memory', 'memory.limit_in_bytes', bytes], ['memory', 'memory.memsw.limit_in_bytes', bytes]);
  }
  if (cpuCores !== undefined) {
    const quotaUs = Math.max(1_000, Math.floor(cpuCores * cpuPeriodUs));
    list.push(['cpu', 'cpu.cfs_period_us', String(cpuPeriodUs)], ['cpu', 'cpu.cfs_quota_us', String(quotaUs)]);
  }
  // From the scale of version 2, 1 to 10000, back to shares.
  if (cpuWeight !== undefined) {
    list.push(['cpu', 'cpu.shares', String(2 + Math.floor(((cpuWeight - 1) * 262_142) / 9_999))]);
  }
  return list;
}

/** Swap is not accounted on every kernel. */
async function set(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, value, { flag: 'r+' });
  } catch (error) {
    if (path.endsWith('memory.memsw.limit_in_bytes') && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

async function remove(group: string): Promise<void> {
  for (let attempt = 1; attempt <= removeTries; attempt += 1) {
    const gone = await rmdir(group).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (gone) return;
    const pids = (await readFile(join(group, 'cgroup.procs'), 'latin1').catch(() => '')).split('\n');
    for (const pid of pids) if (pid !== '') kill(Number(pid));
    await sleep(removePauseMs);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
