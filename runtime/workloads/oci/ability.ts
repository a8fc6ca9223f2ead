/** Whether a machine can run containers of class `oci`, and what to do where it cannot; pure. */
import { type AddressRange, overlapping, rangeText } from './pod-network.ts';

/** As far as it can be told by looking. */
export interface ContainerFacts {
  root: boolean;
  /** Absolute paths of the programs that are there. */
  programs: Partial<Record<ContainerProgram, string>>;
  /** `ip` is that of busybox. */
  smallIp: boolean;
  /** Rights that the runtime lacks although it is root. */
  lacking: readonly string[];
  /** The runtime sees the mounts of the machine, not its own. */
  machineMounts: boolean;
  /** Namespaces that this kernel has. */
  namespaces: readonly string[];
  overlay: boolean;
  /** The data directory lies in an overlay itself, and another cannot be laid on top. */
  stacked: boolean;
  interfaces: readonly { name: string; address: string; prefixLength: number }[];
}

export const containerPrograms = ['crun', 'ip', 'unshare', 'mount'] as const;
export type ContainerProgram = (typeof containerPrograms)[number];
export const neededNamespaces = ['ipc', 'mnt', 'net', 'pid', 'uts'] as const;
/** By their number in capabilities(7). */
export const neededCapabilities = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21 } as const;

const packageOf: Record<ContainerProgram, string> = {
  crun: 'crun',
  ip: 'iproute2',
  unshare: 'util-linux',
  mount: 'util-linux or mount',
};

/** The first thing that is missing, with its remedy, as part of a sentence; undefined when pods of class oci can run. */
export function containersFault(facts: ContainerFacts, range: AddressRange): string | undefined {
  if (!facts.root) return 'stile-runtime is not root, and containers need it to be';
  for (const program of containerPrograms) {
    if (facts.programs[program] === undefined) return `there is no ${program}: install ${packageOf[program]}`;
  }
  if (facts.smallIp) return "busybox's ip has no network namespaces: install iproute2";
  if (facts.lacking.length > 0) return `stile-runtime was not given ${facts.lacking.join(' and ')}`;
  if (!facts.machineMounts) {
    const why = 'network namespaces would end with it (systemd: ProtectSystem and the like)';
    return `stile-runtime has mounts of its own, and ${why}: install it with --containers`;
  }
  const missing = neededNamespaces.filter((name) => !facts.namespaces.includes(name));
  if (missing.length > 0) return `this kernel has no namespaces of kind ${missing.join(', ')}`;
  if (!facts.overlay) return 'this kernel has no overlay file system: load the module overlay';
  if (facts.stacked) return 'the data directory is in an overlay file system: put it on a file system of its own';
  const clash = overlapping(range, facts.interfaces);
  if (clash !== undefined) return `${rangeText(range)} is in use by ${clash}: choose another --pod-network`;
  return undefined;
}
