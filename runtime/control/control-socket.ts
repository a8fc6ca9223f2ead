/** Where the runtime listens for the owner of its data directory. */
import { join } from 'node:path';
import { AppError } from '../../protocol/errors.ts';

/** `sun_path` of Linux has 108 bytes, the last of which ends the text (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;

/** `DATA_DIR/control.sock`. Errors: `E_INPUT_INVALID` when the path is longer than Linux takes. */
export function controlSocketPath(dataDir: string): string {
  const path = join(dataDir, 'control.sock');
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX)
    throw new AppError(
      'E_INPUT_INVALID',
      `the control socket ${path} has a path of ${bytes} bytes, Linux takes ${SOCKET_PATH_BYTES_MAX}: use a shorter --data-dir`,
    );
  return path;
}
