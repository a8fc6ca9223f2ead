/** Pod records that live as long as this object: for tests in which the runtime dies and the machine does not. */
import type { PodRecord, PodRecords } from '../../../runtime/workloads/ports.ts';

export class MemoryRecords implements PodRecords {
  readonly #records = new Map<string, PodRecord>();

  async load(): Promise<PodRecord[]> {
    return [...this.#records.values()].map((record) => structuredClone(record));
  }

  async save(record: PodRecord): Promise<void> {
    this.#records.set(record.uid, structuredClone(record));
  }

  async remove(uid: string): Promise<void> {
    this.#records.delete(uid);
  }
}
