/** `stile hub backup|restore`: the whole hub in one file, and a hub made of one. */
import { systemRandom } from '../../../protocol/node/random.ts';
import { timestampOf } from '../../store/object-rules.ts';
import type { ConnectionOptions, World } from '../ports.ts';

/** The file's path is the only line of stdout. */
export async function backUp(world: World, folder: string, options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  const { BACKUP_PATH } = await import('../../hub/backup-endpoint.ts');
  const name = `stile-hub-${timestampOf(world.clock.now()).replace(/[-:]/g, '')}.tar`;
  const path = await world.outputs.write(folder, name, await connection.download(BACKUP_PATH));
  world.terminal.tell('The file holds the key of the hub’s authority: keep it where only you can read it.');
  world.terminal.out(`${path}\n`);
}

export async function restoreHub(world: World, file: string, dataDir: string): Promise<void> {
  const { restoreFile } = await import('../../hub/backup.ts');
  const incarnation = await restoreFile(systemRandom, file, dataDir);
  world.terminal.tell(
    `Restored under the new incarnation ${incarnation}. Start it with the old --listen or --advertise`,
  );
  world.terminal.tell('addresses; terminals take up their views again and send what they retained.');
  world.terminal.out(`${dataDir}\n`);
}
