/** What the kernel says of a process from outside: memory, files, threads, children, bytes towards a disk. */
import { readdir, readFile } from 'node:fs/promises';

/** Bytes. Source: proc_pid_smaps(5), of `smaps_rollup`. */
export interface Memory {
  /** Resident, pages shared with others counted in full. */
  rss: number;
  /** Resident, each shared page divided by how many share it. */
  pss: number;
  /** Written by this process and nobody else's: what it takes away from the machine for good. */
  privateDirty: number;
  /**
   * Of no file, whoever shares it. Private_Dirty falls by half while a process starts a child, for until its exec the child
   * shares everything; this does not.
   */
  anonymous: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
  return {
    rss: kibibytes(text, 'Rss'),
    pss: kibibytes(text, 'Pss'),
    privateDirty: kibibytes(text, 'Private_Dirty'),
    anonymous: kibibytes(text, 'Anonymous'),
  };
}

export async function openFilesOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

export async function threadsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/task`)).length;
}

/** Ms of processor time that its threads took, in user and kernel mode; of a thread that ended nothing is known. Source: proc(5), `schedstat`. */
export async function cpuMsOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const taken = await Promise.all(
    threads.map(async (thread) => {
      const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').catch(() => '0');
      return Number(text.split(' ')[0]) / 1e6;
    }),
  );
  return taken.reduce((sum, ms) => sum + ms, 0);
}

/** `write_bytes`: what went towards a disk. Files of a tmpfs, pipes and sockets count nothing. Source: proc_pid_io(5). */
export async function writtenBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/io`, 'latin1');
  const counted = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  if (counted === undefined) throw new Error(`this kernel does not count what process ${pid} writes`);
  return Number(counted);
}

/** Children and their children; one that ends meanwhile counts or not. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const lists = await Promise.all(
    (await readdir(`/proc/${pid}/task`).catch(() => [])).map((thread) =>
      readFile(`/proc/${pid}/task/${thread}/children`, 'latin1').catch(() => ''),
    ),
  );
  const children = lists.flatMap((list) => list.split(' ').filter((word) => word !== '')).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

function kibibytes(text: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`smaps_rollup has no ${field}`);
  return Number(found) * 1024;
}
