/** Collects what `ability.ts` judges. Looks at the machine and changes nothing. */
import { constants } from 'node:fs';
import { access, readdir, readFile, readlink, realpath, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type ContainerFacts, containerPrograms, neededCapabilities } from './ability.ts';

/** OVERLAYFS_SUPER_MAGIC of linux/magic.h. */
const overlayMagic = 0x794c7630;

/** `path`: directories where programs are looked for. `dataDirectory`: absolute; it may not be there yet. */
export async function containerFacts(path: readonly string[], dataDirectory: string): Promise<ContainerFacts> {
  const programs: ContainerFacts['programs'] = {};
  for (const name of containerPrograms) {
    const file = await findProgram(name, path);
    if (file !== undefined) programs[name] = file;
  }
  const ip = programs.ip === undefined ? '' : await realpath(programs.ip);
  const filesystems = await readFile('/proc/filesystems', 'latin1').catch(() => '');
  return {
    root: process.geteuid?.() === 0,
    programs,
    smallIp: basename(ip) === 'busybox',
    lacking: await lackingCapabilities(),
    machineMounts: await machineMounts(),
    namespaces: await readdir('/proc/self/ns').catch(() => []),
    overlay: /^nodev\toverlay$/m.test(filesystems) || (await hasModule('overlay')),
    stacked: await inOverlay(dataDirectory),
    interfaces: Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses
        .filter(({ family }) => family === 'IPv4')
        .map(({ address, cidr }) => ({ name, address, prefixLength: Number(cidr?.split('/')[1] ?? 32) })),
    ),
  };
}

export async function findProgram(name: string, path: readonly string[]): Promise<string | undefined> {
  for (const directory of path.filter((part) => part.startsWith('/'))) {
    const file = join(directory, name);
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return file;
  }
  return undefined;
}

/** Source: proc_pid_status(5), CapEff. */
async function lackingCapabilities(): Promise<string[]> {
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '');
  const held = BigInt(`0x${/^CapEff:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(neededCapabilities).flatMap(([name, bit]) => ((held >> BigInt(bit)) & 1n ? [] : [name]));
}

/** Where the first process cannot be looked at, nothing speaks against it. */
async function machineMounts(): Promise<boolean> {
  const [own, first] = await Promise.all(
    ['self', '1'].map((pid) => readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined)),
  );
  return first === undefined || own === first;
}

/** Of the file system that the directory is in, or will be. */
async function inOverlay(directory: string): Promise<boolean> {
  for (let path = directory; ; path = dirname(path)) {
    const found = await statfs(path).catch(() => undefined);
    if (found !== undefined) return found.type === overlayMagic;
    if (path === dirname(path)) return false;
  }
}

/** `mount` loads it when it is asked for the first time. */
async function hasModule(name: string): Promise<boolean> {
  const release = (await readFile('/proc/sys/kernel/osrelease', 'latin1').catch(() => '')).trim();
  const list = await readFile(join('/lib/modules', release, 'modules.dep'), 'latin1').catch(() => '');
  return new RegExp(`/${name}\\.ko(\\.\\w+)?:`).test(list);
}
