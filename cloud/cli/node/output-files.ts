/** Files that commands write for their user. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AppError, asAppError } from '../../../protocol/errors.ts';
import { privateDirectory, writeDurably } from '../../../protocol/node/durable-file.ts';
import type { OutputFiles } from '../ports.ts';

export const outputFiles: OutputFiles = {
  async write(folder, name, content) {
    const path = join(resolve(folder), name);
    await privateDirectory(resolve(folder));
    await writeDurably(path, content);
    return path;
  },
  async expectFree(path) {
    const found = await stat(resolve(path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw asAppError(error, 'E_INPUT_INVALID', `cannot write ${path}`);
    });
    if (found !== undefined)
      throw new AppError('E_INPUT_INVALID', `${path} is there already: name another file with -o`);
    const folder = dirname(resolve(path));
    await access(folder, constants.W_OK).catch((error: unknown) => {
      throw asAppError(error, 'E_INPUT_INVALID', `cannot write into ${folder}: name another file with -o`);
    });
  },
  writePrivate: (path, text) => writeDurably(resolve(path), text, 0o600),
};
