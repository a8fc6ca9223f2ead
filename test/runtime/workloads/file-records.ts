/** Pod records in one file each, for tests in which a real runtime is killed. */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodRecord, PodRecords } from '../../../runtime/workloads/ports.ts';

export class FileRecords implements PodRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(): Promise<PodRecord[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(names.map((name) => readFile(join(this.#directory, name), 'utf8')));
    return texts.map((text) => JSON.parse(text) as PodRecord);
  }

  async save(record: PodRecord): Promise<void> {
    const path = join(this.#directory, `${record.uid}.json`);
    await writeFile(`${path}.draft`, JSON.stringify(record), { flush: true });
    await rename(`${path}.draft`, path);
  }

  async remove(uid: string): Promise<void> {
    await rm(join(this.#directory, `${uid}.json`), { force: true });
  }
}
