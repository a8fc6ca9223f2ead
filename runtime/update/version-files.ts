/**
 * The directory of versions, below the data directory. Each change of it is one rename or removal, and durable:
 *
 *   DIGEST               an executable that was verified
 *   state.json           what runs, what is on trial, what became of the last one; twice
 *   starts.json          starts of a version since it was last healthy
 *   overdue              digest of one that was ended for not becoming healthy in time
 *   arriving[.statement] what somebody on the spot brought, not verified yet
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, asAppError } from '../../protocol/errors.ts';
import {
  readCopies,
  readIfPresent,
  syncDirectory,
  writeDurably,
  writeTwice,
} from '../../protocol/node/durable-file.ts';
import type { Starts, UpdateState, Version } from './decision.ts';
import { HEADER_BYTES, STATEMENT_BYTES_MAX } from './statement.ts';
import { parseStarts, parseState } from './update-state.ts';

/** Pods of users of their own run modules on this very file. */
const DIRECTORY_MODE = 0o711;
const EXECUTABLE_MODE = 0o755;
const BLOCK_BYTES = 1024 * 1024;

export class VersionFiles {
  readonly directory: string;
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.directory = join(dataDir, 'versions');
  }

  /** Where `digest` lies. */
  path(digest: string): string {
    return join(this.directory, digest);
  }

  /** Makes the directory. Errors: `E_STORE_FAILED`. */
  async open(): Promise<void> {
    try {
      if ((await mkdir(this.directory, { recursive: true })) === undefined) return;
      // Whatever the mask of the process.
      await chmod(this.directory, DIRECTORY_MODE);
      await syncDirectory(this.#dataDir);
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', `cannot make ${this.directory}`);
    }
  }

  /** `missing`: never updated; `damaged`: there was one, and neither of its copies can be understood. */
  async readState(): Promise<UpdateState | 'missing' | 'damaged'> {
    const copies = await readCopies(join(this.directory, 'state.json')).catch(({ cause }: Error) =>
      // What was given as data directory is a file: nothing was ever updated there, and the runtime itself refuses it.
      (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOTDIR' ? [] : [''],
    );
    if (copies.length === 0) return 'missing';
    return copies.map(parseState).find((state) => state !== undefined) ?? 'damaged';
  }

  /** Errors: `E_STORE_FAILED`. */
  async writeState(state: UpdateState): Promise<void> {
    await writeTwice(join(this.directory, 'state.json'), `${JSON.stringify(state)}\n`);
  }

  async readStarts(): Promise<Starts | undefined> {
    const text = await readIfPresent(join(this.directory, 'starts.json')).catch(() => undefined);
    return text === undefined ? undefined : parseStarts(text);
  }

  /** Errors: `E_STORE_FAILED`. */
  async writeStarts(starts: Starts): Promise<void> {
    await writeDurably(join(this.directory, 'starts.json'), `${JSON.stringify(starts)}\n`);
  }

  async readOverdue(): Promise<string | undefined> {
    return (await readIfPresent(join(this.directory, 'overdue')).catch(() => undefined))?.trim();
  }

  /** Errors: `E_STORE_FAILED`. */
  async writeOverdue(digest: string): Promise<void> {
    await writeDurably(join(this.directory, 'overdue'), `${digest}\n`);
  }

  /** Starts and overdue: nothing that was counted counts any more. */
  async forgetStarts(): Promise<void> {
    for (const name of ['starts.json', 'overdue']) await rm(join(this.directory, name), { force: true });
    await syncDirectory(this.directory);
  }

  /** Has the bytes that it should have, and may be executed; what they are is not looked at. */
  async isThere({ digest, bytes }: Version): Promise<boolean> {
    const found = await stat(this.path(digest)).catch(() => undefined);
    return found?.isFile() === true && found.size === bytes && (found.mode & 0o111) !== 0;
  }

  /** Reads all of it. */
  async isWhole(version: Version): Promise<boolean> {
    const found = await facts(this.path(version.digest), version.bytes).catch(() => undefined);
    return found?.digest === version.digest;
  }

  /** What somebody brought. Errors: `E_NOT_FOUND` when there is nothing. */
  async arriving(bytesMax: number): Promise<{ statement: string; bytes: number; digest(): Promise<FileFacts> }> {
    const path = join(this.directory, 'arriving');
    const statement = await readIfPresent(`${path}.statement`);
    const found = await stat(path).catch(() => undefined);
    if (statement === undefined || found === undefined)
      throw new AppError('E_NOT_FOUND', 'no update has arrived: use stile-runtime update FILE');
    return { statement, bytes: found.size, digest: () => facts(path, bytesMax) };
  }

  /** Puts a file and its statement there, both durable. Errors: `E_STORE_FAILED`, `E_INPUT_INVALID`. */
  async bring(executable: string, statement: string): Promise<void> {
    const path = join(this.directory, 'arriving');
    if (Buffer.byteLength(statement) > STATEMENT_BYTES_MAX)
      throw new AppError('E_INPUT_INVALID', `a statement has at most ${STATEMENT_BYTES_MAX} bytes`);
    await writeDurably(path, blocksOf(executable), EXECUTABLE_MODE);
    // Brought by root, it is run by the user of the service.
    await chmod(path, EXECUTABLE_MODE);
    await writeDurably(`${path}.statement`, statement, 0o644);
    await chmod(`${path}.statement`, 0o644);
  }

  /** What arrived becomes the version `digest`. Errors: `E_STORE_FAILED`. */
  async accept(digest: string): Promise<void> {
    try {
      await rename(join(this.directory, 'arriving'), this.path(digest));
      await rm(join(this.directory, 'arriving.statement'), { force: true });
      await syncDirectory(this.directory);
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', 'cannot keep the update');
    }
  }

  /** Removes executables that are none of `kept`; with `arrivals` also what is left of arrivals and writes that were cut. */
  async tidy(kept: readonly string[], arrivals: boolean): Promise<void> {
    const isStale = (name: string) =>
      digestForm.test(name) ? !kept.includes(name) : arrivals && (name.endsWith('.tmp') || arrivalForm.test(name));
    const stale = (await readdir(this.directory)).filter(isStale);
    for (const name of stale) await rm(join(this.directory, name), { force: true });
    if (stale.length > 0) await syncDirectory(this.directory);
  }
}

const digestForm = /^[0-9a-f]{64}$/;
const arrivalForm = /^arriving(\.statement)?$/;

export interface FileFacts {
  digest: string;
  bytes: number;
  header: Uint8Array;
}

/** Errors: `E_UPDATE_DAMAGED` for one of more than `bytesMax`. */
async function facts(path: string, bytesMax: number): Promise<FileFacts> {
  const hash = createHash('sha256');
  let bytes = 0;
  let header: Uint8Array = new Uint8Array();
  for await (const block of blocksOf(path)) {
    if (bytes === 0) header = block.slice(0, HEADER_BYTES);
    bytes += block.length;
    if (bytes > bytesMax) throw new AppError('E_UPDATE_DAMAGED', `the update has more than ${bytesMax} bytes`);
    hash.update(block);
  }
  return { digest: hash.digest('hex'), bytes, header };
}

/** The content of a file through one buffer: each block is to be used up before the next is asked for. */
async function* blocksOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw asAppError(error, 'E_INPUT_INVALID', 'cannot read the update');
  });
  try {
    const block = new Uint8Array(BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
