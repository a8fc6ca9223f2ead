/** `stile hub install|uninstall`: the hub as a service of systemd on this machine. */
import { isAbsolute, resolve } from 'node:path';
import { isSea } from 'node:sea';
import { AppError } from '../../../protocol/errors.ts';
import { installService, prepareDataDirectory, uninstallService } from '../../../protocol/node/service-install.ts';
import { type ServiceUnit, serviceUnitText } from '../../../protocol/service-unit.ts';
import type { World } from '../ports.ts';

export interface HubServiceOptions {
  dataDir: string;
  listen: string;
  advertise: string[];
  user?: string;
  root?: string;
  dryRun?: boolean;
}

const NAME = 'stile-hub';
/** The hub has nothing to wait for but its stores. */
const STOP_SECONDS = 30;

export async function installHub(world: World, options: HubServiceOptions): Promise<void> {
  const { user, root, dryRun } = options;
  const dataDir = absolute(options.dataDir, root);
  const unit: ServiceUnit = {
    description: 'Stile hub',
    command: [
      ...[
        ...(isSea() ? [process.execPath] : [process.execPath, resolve(process.argv[1]!)]),
        'hub',
        'serve',
        '--data-dir',
        dataDir,
        '--listen',
        options.listen,
      ],
      ...options.advertise.flatMap((address) => ['--advertise', address]),
    ],
    dataDir,
    ...(user === undefined ? {} : { user }),
    children: 'end',
    stopSeconds: STOP_SECONDS,
  };
  if (dryRun) return world.terminal.out(serviceUnitText(unit));
  const place = { name: NAME, ...(root === undefined ? {} : { root: resolve(root) }), tell: world.terminal.tell };
  await prepareDataDirectory(place, unit);
  await installService(place, unit);
}

export async function uninstallHub(world: World, { root }: Pick<HubServiceOptions, 'root'>): Promise<void> {
  const place = { name: NAME, ...(root === undefined ? {} : { root: resolve(root) }), tell: world.terminal.tell };
  await uninstallService(place);
}

/** In an image that is being built, a path of this shell means nothing. */
function absolute(dataDir: string, root: string | undefined): string {
  if (root !== undefined && !isAbsolute(dataDir))
    throw new AppError('E_USAGE', `with --root the data directory is a path of the image: write /${dataDir}`);
  return resolve(dataDir);
}
