/** The time floor and the count of epochs beside the identity, kept as that is: twice, each file replaced as a whole. */
import { join } from 'node:path';
import { privateDirectory, readCopies, writeTwice } from '../../protocol/node/durable-file.ts';
import { type Floor, type FloorKeeper, noFloor } from '../store/floor-journal.ts';

export function floorFile(dataDir: string): FloorKeeper {
  const path = join(dataDir, 'identity', 'time-floor');
  return {
    async read() {
      const copies = await readCopies(path).catch(() => []);
      const floors = copies.map(floorOf).sort((one, other) => other.epochs - one.epochs);
      const timeFloorMs = Math.max(0, ...floors.map((floor) => floor.timeFloorMs));
      return { ...(floors[0] ?? noFloor), timeFloorMs };
    },
    async write({ timeFloorMs, epoch, epochs }) {
      await privateDirectory(join(dataDir, 'identity'));
      await writeTwice(path, `${new Date(timeFloorMs).toISOString()}\n${epoch} ${epochs}\n`);
    },
  };
}

/** A torn copy says nothing. Earlier versions wrote the time alone. */
function floorOf(text: string): Floor {
  const [, time = '', epoch = '', epochs = '0'] = /^(\S+Z)\n(?:([0-9a-f]{1,32}) (\d{1,9})\n)?$/.exec(text) ?? [];
  return { timeFloorMs: Date.parse(time) || 0, epoch, epochs: Number(epochs) };
}
