/** What the local API must keep: the secrets behind its tokens, the port that pods were told, a note for the owner. */
import { join } from 'node:path';
import { type Random, randomHex } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { privateDirectory, readCopies, writeDurably, writeTwice } from '../../protocol/node/durable-file.ts';

export interface Access {
  /** Hexadecimal; part of the owner's token. */
  ownerSecret: string;
  /** Hexadecimal; signs the tokens of apps. */
  key: string;
  /** The TCP port that was chosen when none was asked for. */
  port?: number;
}

const SECRET_BYTES = 32;
/** `sun_path` of Linux has 108 bytes, the last of which ends the text (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** `DATA_DIR/api.sock`. Errors: `E_INPUT_INVALID` when the path is longer than Linux takes. */
export function apiSocketPath(dataDir: string): string {
  const path = join(dataDir, 'api.sock');
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX)
    throw new AppError(
      'E_INPUT_INVALID',
      `the local API's socket ${path} has a path of ${bytes} bytes, Linux takes ${SOCKET_PATH_BYTES_MAX}: use a shorter --data-dir`,
    );
  return path;
}

/**
 * The secrets of earlier starts, or new ones. They lie beside the identity and like it twice: were they lost, the
 * tokens of running pods would be worth nothing until those are restarted. Errors: `E_STORE_FAILED`.
 */
export async function loadAccess(random: Random, dataDir: string): Promise<Access> {
  const path = fileOf(dataDir);
  for (const copy of await readCopies(path)) {
    const access = parseAccess(copy);
    if (access !== undefined) return access;
  }
  const access: Access = { ownerSecret: randomHex(random, SECRET_BYTES), key: randomHex(random, SECRET_BYTES) };
  await saveAccess(dataDir, access);
  return access;
}

export async function saveAccess(dataDir: string, access: Access): Promise<void> {
  await privateDirectory(join(dataDir, 'identity'));
  await writeTwice(fileOf(dataDir), JSON.stringify(access));
}

/** `DATA_DIR/local-api.json`, mode 0600: how the owner reaches the API. `url` is there when it listens on TCP. */
export async function writeNote(dataDir: string, note: { url?: string; socket: string; token: string }): Promise<void> {
  await writeDurably(join(dataDir, 'local-api.json'), `${JSON.stringify(note, null, 2)}\n`);
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'identity', 'local-api');
}

function parseAccess(text: string): Access | undefined {
  try {
    const { ownerSecret, key, port } = JSON.parse(text) as Access;
    const secret = /^[0-9a-f]{64}$/;
    if (!secret.test(ownerSecret) || !secret.test(key)) return undefined;
    return { ownerSecret, key, ...(Number.isInteger(port) ? { port } : {}) };
  } catch {
    return undefined;
  }
}
