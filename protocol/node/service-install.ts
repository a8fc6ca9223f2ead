/** Brings a systemd unit to this machine, or to the root of an image that is being built, and takes it away again. */
import { execFile } from 'node:child_process';
import { access, chmod, chown, constants, mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError, asAppError } from '../errors.ts';
import { type ServiceUnit, serviceUnitText } from '../service-unit.ts';
import { readIfPresent, writeDurably } from './durable-file.ts';

export interface ServicePlace {
  /** Without `.service`. */
  name: string;
  /** Given: writes below it and starts nothing. */
  root?: string;
  /** One line for each thing that was done. */
  tell(line: string): void;
}

const COMMAND_MS_MAX = 360_000;
const PROGRAM_DIRECTORIES = ['/usr/bin', '/bin', '/usr/local/bin'];
const run = promisify(execFile);

/** Seconds after which a silent service is restarted, where systemd-notify can tell that it is not. */
export async function watchdogSeconds(root = ''): Promise<{ watchdogSeconds?: number }> {
  return (await isThere('systemd-notify', root)) ? { watchdogSeconds: 180 } : {};
}

/**
 * Writes and enables the unit; starts it, or starts it anew when it was there with other content.
 * Errors: `E_INPUT_INVALID` without systemd, `E_STORE_FAILED` for what cannot be written or started.
 */
export async function installService(place: ServicePlace, unit: ServiceUnit): Promise<void> {
  const text = serviceUnitText(unit);
  const { directory, file, link } = pathsOf(place);
  if (place.root === undefined) await requireSystemd();
  await attempt(`cannot write ${file}`, async () => {
    await mkdir(unitLinkDirectory(directory), { recursive: true });
    const before = await readIfPresent(file);
    if (before === text) place.tell(`kept ${file}: it is as it should be`);
    else {
      await writeDurably(file, text, 0o644);
      place.tell(`${before === undefined ? 'wrote' : 'replaced'} ${file}`);
    }
    if (place.root === undefined) return;
    await rm(link, { force: true });
    await symlink(join('..', `${place.name}.service`), link);
    place.tell(`enabled it by ${link}; nothing was started`);
  });
  if (place.root !== undefined) return;
  await systemctl(place, 'daemon-reload');
  await systemctl(place, 'enable', `${place.name}.service`);
  await systemctl(place, 'restart', `${place.name}.service`);
}

/**
 * Makes the data directory: a unit with `ReadWritePaths` does not start without it. Errors: `E_INPUT_INVALID` for a
 * user that the machine does not have, `E_STORE_FAILED`.
 */
export async function prepareDataDirectory(place: ServicePlace, { dataDir, user }: ServiceUnit): Promise<void> {
  if (place.root === undefined) await requireSystemd();
  const owner = user === undefined ? undefined : await ownerOf(user, place.root ?? '/');
  const path = join(place.root ?? '/', dataDir);
  await attempt(`cannot make ${path}`, async () => {
    const made = await mkdir(path, { recursive: true });
    // One that is there may be open to the users of pods, as its runtime made it.
    if (made !== undefined) await chmod(path, 0o700);
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    place.tell(`${made === undefined ? 'kept' : 'made'} ${path}${user === undefined ? '' : `, of ${user}`}`);
  });
}

/** Source: passwd(5). */
async function ownerOf(user: string, root: string): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile(join(root, 'etc/passwd'), 'utf8').catch(() => '')).split('\n');
  const fields = lines.map((line) => line.split(':')).find(([name]) => name === user);
  if (fields === undefined)
    throw new AppError('E_INPUT_INVALID', `there is no user ${user}: make it first, e.g. useradd --system ${user}`);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** Stops, disables and removes the unit; the data directory stays. Errors: as of `installService`. */
export async function uninstallService(place: ServicePlace): Promise<void> {
  const { file, link } = pathsOf(place);
  if (place.root === undefined) await requireSystemd();
  if ((await readIfPresent(file)) === undefined) place.tell(`there is no ${file}`);
  else {
    if (place.root === undefined) await systemctl(place, 'disable', '--now', `${place.name}.service`);
    await attempt(`cannot remove ${file}`, async () => {
      await rm(link, { force: true });
      await rm(file, { force: true });
    });
    place.tell(`removed ${file}`);
    if (place.root === undefined) await systemctl(place, 'daemon-reload');
  }
  place.tell('the data directory stays');
}

function pathsOf({ name, root = '' }: ServicePlace): { directory: string; file: string; link: string } {
  const directory = join(root === '' ? '/' : root, 'etc/systemd/system');
  const file = join(directory, `${name}.service`);
  return { directory, file, link: join(unitLinkDirectory(directory), `${name}.service`) };
}

function unitLinkDirectory(directory: string): string {
  return join(directory, 'multi-user.target.wants');
}

/** Source: sd_booted(3). */
async function requireSystemd(): Promise<void> {
  const booted = await stat('/run/systemd/system').catch(() => undefined);
  if (booted === undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      'this machine does not run systemd: start the program from its own init, or use --root DIR to prepare an image',
    );
}

async function isThere(program: string, root: string): Promise<boolean> {
  for (const directory of PROGRAM_DIRECTORIES) {
    const found = await access(join(root, directory, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

async function systemctl(place: ServicePlace, ...args: string[]): Promise<void> {
  await attempt(`systemctl ${args.join(' ')} failed`, () => run('systemctl', args, { timeout: COMMAND_MS_MAX }));
  place.tell(`systemctl ${args.join(' ')}`);
}

async function attempt(sentence: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw asAppError(error, 'E_STORE_FAILED', sentence);
  }
}
