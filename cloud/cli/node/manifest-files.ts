/** Manifests from files, folders and standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, asAppError } from '../../../protocol/errors.ts';
import type { ManifestText } from '../manifest.ts';
import type { ManifestFiles } from '../ports.ts';

/** Bytes of one file or of standard input; a larger one is surely not a manifest. */
const MANIFEST_BYTES_MAX = 32 * 1024 * 1024;

export const manifestFiles: ManifestFiles = {
  async read(path, recursive) {
    if (path === '-') return [{ source: 'stdin', text: await readStandardInput() }];
    const found = await stat(path).catch((error: unknown) => {
      throw asAppError(error, 'E_INPUT_INVALID', `cannot read ${path}`);
    });
    if (!found.isDirectory()) return [await readManifest(path)];
    const files = await manifestsIn(path, recursive);
    if (files.length === 0)
      throw new AppError('E_INPUT_INVALID', `the folder ${path} has no file ending in .yaml, .yml or .json`);
    return Promise.all(files.map(readManifest));
  },
};

async function manifestsIn(folder: string, recursive: boolean): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = await Promise.all(
    entries
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map(async (entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return recursive ? manifestsIn(path, true) : [];
        return /\.(ya?ml|json)$/.test(entry.name) ? [path] : [];
      }),
  );
  return nested.flat();
}

async function readManifest(path: string): Promise<ManifestText> {
  try {
    const { size } = await stat(path);
    if (size > MANIFEST_BYTES_MAX)
      throw new AppError('E_INPUT_INVALID', `${path} has ${size} bytes; a manifest may have ${MANIFEST_BYTES_MAX}`);
    return { source: path, text: await readFile(path, 'utf8') };
  } catch (error) {
    throw asAppError(error, 'E_INPUT_INVALID', `cannot read ${path}`);
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MANIFEST_BYTES_MAX)
      throw new AppError('E_INPUT_INVALID', `standard input has more than ${MANIFEST_BYTES_MAX} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
