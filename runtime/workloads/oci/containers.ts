/** All that class `oci` needs of this machine, looked for and joined. */
import { join } from 'node:path';
import type { Clock } from '../../../protocol/env.ts';
import type { NoNetworks, PodNetworks, Processes } from '../ports.ts';
import { containersFault } from './ability.ts';
import { Bundles } from './bundles.ts';
import { containerFacts } from './container-facts.ts';
import { ContainerProcesses } from './container-processes.ts';
import { Crun } from './crun.ts';
import { HostNetwork } from './host-network.ts';
import { type AddressRange, ownerOf } from './pod-network.ts';

export interface ContainersConfig {
  dataDirectory: string;
  /** Undefined: switched off. */
  range: AddressRange | undefined;
  /** Directories where crun, ip, unshare and mount are looked for. */
  hostPath: readonly string[];
}

export interface Containers {
  networks: PodNetworks | NoNetworks;
  /** Missing where `networks` is a fault. */
  bundles?: Bundles;
  processes: Processes;
  /** Ends containers that are no instance of `known`. */
  endStrays(known: ReadonlySet<string>): Promise<unknown>;
}

/** What is in memory only, as are containers and namespaces. */
const stateRoot = '/run/stile';

/** Never rejects for what the machine lacks: that is told by `networks.fault`. */
export async function openContainers(
  clock: Clock,
  { dataDirectory, range, hostPath }: ContainersConfig,
  children: Processes,
): Promise<Containers> {
  if (range === undefined) return without('switched off by --pod-network none', children);
  const facts = await containerFacts(hostPath, dataDirectory);
  const owner = ownerOf(dataDirectory);
  const { crun: file = '', ip = '' } = facts.programs;
  const stateDirectory = join(stateRoot, owner, 'crun');
  const fault = containersFault(facts, range);
  if (fault !== undefined) return without(fault, children);
  const networks = new HostNetwork({ ip, range, owner });
  const crun = new Crun({ file, stateDirectory });
  const processes = new ContainerProcesses(children, crun, clock);
  return {
    networks,
    bundles: new Bundles({ crun, networkNamespace: (uid) => networks.namespacePath(uid), hostPath }),
    processes,
    endStrays: (known) => processes.endStrays(known),
  };
}

function without(fault: string, processes: Processes): Containers {
  return { networks: { fault }, processes, endStrays: async () => {} };
}
