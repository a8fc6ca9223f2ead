/** The time floor beside the identity, kept as that is: twice, each file replaced as a whole. */
import { join } from 'node:path';
import { privateDirectory, readCopies, writeTwice } from '../../protocol/node/durable-file.ts';
import type { FloorKeeper } from '../store/floor-journal.ts';

export function floorFile(dataDir: string): FloorKeeper {
  const path = join(dataDir, 'identity', 'time-floor');
  return {
    async read() {
      const copies = await readCopies(path).catch(() => []);
      return Math.max(0, ...copies.map(floorOf));
    },
    async write(timeFloorMs) {
      await privateDirectory(join(dataDir, 'identity'));
      await writeTwice(path, `${new Date(timeFloorMs).toISOString()}\n`);
    },
  };
}

/** 0 for what is no time: a torn copy says nothing. */
function floorOf(text: string): number {
  return Date.parse(/^\S+Z\n$/.exec(text)?.[0].trim() ?? '') || 0;
}
