/**
 * The hidden sub-command `run-js MODULE [ARGUMENT...]`: the runtime's own engine runs the module of a pod of class
 * `js`. A packed executable re-enters its main script, so such a pod needs no Node of its own.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '../protocol/errors.ts';

/**
 * Resolves when the module has been evaluated, its top-level awaits included; what it started goes on. The module sees
 * `process.argv` as Node would have set it. Errors: `E_POD_START` when there is no such file; the module's own.
 */
export async function runJs(entry: string, args: string[]): Promise<void> {
  const file = resolve(entry);
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw new AppError('E_POD_START', `there is no module ${file} to run`);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
}
