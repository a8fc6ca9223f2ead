/** Cgroups of a simulated kernel. Fault model: the kernel may refuse a group; memory may have ended an instance. */
import { AppError } from '../../protocol/errors.ts';
import type { ContainerLimits } from '../../runtime/workloads/container-limits.ts';
import type { Cgroups } from '../../runtime/workloads/ports.ts';

export class SimCgroups implements Cgroups {
  readonly fault: string | undefined;
  readonly groups = new Map<string, ContainerLimits>();
  /** The kernel has no room for another group. */
  refusing = false;
  /** What ends next has been ended for its memory. */
  memoryRunsOut = false;

  constructor(fault?: string) {
    this.fault = fault;
  }

  async make(instanceId: string, limits: ContainerLimits): Promise<readonly string[]> {
    if (this.refusing) throw new AppError('E_POD_START', 'cannot limit the container: no space left on device');
    this.groups.set(instanceId, limits);
    return [`/cgroups/${instanceId}`];
  }

  async find(instanceId: string): Promise<readonly string[] | undefined> {
    return this.groups.has(instanceId) ? [`/cgroups/${instanceId}`] : undefined;
  }

  async end(instanceId: string): Promise<{ oomKilled: boolean }> {
    return { oomKilled: this.groups.delete(instanceId) && this.memoryRunsOut };
  }
}
