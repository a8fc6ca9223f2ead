/** What this machine has left, and what pods use of it: /proc and the file system of the data directory. */
import { lstat, opendir, readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodUsage, Readings } from './eviction.ts';
import type { Gauges } from './ports.ts';
import { readEnvironment } from './proc.ts';

/** Entries of a pod's directory that are counted at most: its size is then a lower bound. */
const entriesMax = 200_000;

export class MachineGauges implements Gauges {
  readonly #dataDirectory: string;

  constructor(config: { dataDirectory: string }) {
    this.#dataDirectory = config.dataDirectory;
  }

  async read(): Promise<Readings> {
    const [memory, disk] = await Promise.all([readFile('/proc/meminfo', 'latin1'), statfs(this.#dataDirectory)]);
    return {
      memoryBytes: memoryLine(memory, 'MemTotal'),
      memoryAvailableBytes: memoryLine(memory, 'MemAvailable'),
      diskBytes: disk.blocks * disk.bsize,
      diskAvailableBytes: disk.bavail * disk.bsize,
      inodes: disk.files,
      inodesAvailable: disk.ffree,
    };
  }

  async usage(pods: ReadonlyMap<string, readonly string[]>): Promise<Map<string, PodUsage>> {
    const owners = new Map([...pods].flatMap(([uid, instances]) => instances.map((instance) => [instance, uid])));
    const memory = await memoryByOwner(owners);
    const usage = new Map<string, PodUsage>();
    for (const uid of pods.keys()) {
      const diskBytes = await sizeOf(join(this.#dataDirectory, 'pods', uid));
      usage.set(uid, { memoryBytes: memory.get(uid) ?? 0, diskBytes });
    }
    return usage;
  }
}

function memoryLine(text: string, name: string): number {
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

/** Proportional set sizes, so that what processes share counts once. Source: proc_pid_smaps(5). */
async function memoryByOwner(owners: ReadonlyMap<string, string>): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = (await readEnvironment(Number(name)))?.toString('latin1') ?? '';
    const owner = owners.get(/\0STILE_(?:INSTANCE|INSIDE)=([0-9a-f]+)\0/.exec(environment)?.[1] ?? '');
    if (owner === undefined) continue;
    const rollup = await readFile(`/proc/${name}/smaps_rollup`, 'latin1').catch(() => '');
    found.set(owner, (found.get(owner) ?? 0) + memoryLine(rollup, 'Pss'));
  }
  return found;
}

/** Bytes that the files below a directory occupy; links are not followed, what vanishes meanwhile counts nothing. */
async function sizeOf(root: string): Promise<number> {
  let bytes = 0;
  let entries = 0;
  const waiting = [root];
  for (let path = waiting.pop(); path !== undefined && entries < entriesMax; path = waiting.pop()) {
    const directory = await opendir(path).catch(() => undefined);
    if (directory === undefined) continue;
    for await (const entry of directory) {
      entries += 1;
      const inner = join(path, entry.name);
      bytes += ((await lstat(inner).catch(() => undefined))?.blocks ?? 0) * 512;
      if (entry.isDirectory()) waiting.push(inner);
      if (entries >= entriesMax) break;
    }
  }
  return bytes;
}
