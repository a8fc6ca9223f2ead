/** Files that commands write for their user. */
import { join, resolve } from 'node:path';
import { privateDirectory, writeDurably } from '../../../protocol/node/durable-file.ts';
import type { OutputFiles } from '../ports.ts';

export const outputFiles: OutputFiles = {
  async write(folder, name, content) {
    const path = join(resolve(folder), name);
    await privateDirectory(resolve(folder));
    await writeDurably(path, content);
    return path;
  },
};
