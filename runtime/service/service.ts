/** `stile-runtime install|uninstall`: the runtime as a service of systemd on this machine. */
import { isAbsolute, resolve } from 'node:path';
import { isSea } from 'node:sea';
import { AppError } from '../../protocol/errors.ts';
import {
  installService,
  prepareDataDirectory,
  uninstallService,
  watchdogSeconds,
} from '../../protocol/node/service-install.ts';
import { type ServiceUnit, serviceUnitText } from '../../protocol/service-unit.ts';
import type { InstallArguments, UninstallArguments } from '../sub-commands.ts';

const NAME = 'stile-runtime';
/** Pods end one beside the other, each within its own grace. */
const STOP_SECONDS = 300;

/** What was done, line by line, on stdout. Errors: those of `installService`, `E_USAGE`. */
export async function install(options: InstallArguments): Promise<void> {
  const { root, user } = options;
  if (root !== undefined && !isAbsolute(options.dataDir))
    throw new AppError('E_USAGE', `with --root the data directory is a path of the image: write /${options.dataDir}`);
  const dataDir = resolve(options.dataDir);
  const own = isSea() ? [process.execPath] : [process.execPath, resolve(process.argv[1]!)];
  const unit: ServiceUnit = {
    description: 'Stile runtime',
    command: [...own, '--data-dir', dataDir, ...options.passed],
    dataDir,
    ...(user === undefined ? {} : { user }),
    children: 'outlive',
    ...(options.containers ? { containers: true as const } : {}),
    stopSeconds: STOP_SECONDS,
    ...(await watchdogSeconds(root)),
  };
  if (options.dryRun) return void process.stdout.write(serviceUnitText(unit));
  const place = placeOf(root);
  await prepareDataDirectory(place, unit);
  await installService(place, unit);
}

export async function uninstall({ root }: UninstallArguments): Promise<void> {
  await uninstallService(placeOf(root));
}

function placeOf(root: string | undefined) {
  const tell = (line: string) => void process.stdout.write(`${line}\n`);
  return { name: NAME, ...(root === undefined ? {} : { root: resolve(root) }), tell };
}
