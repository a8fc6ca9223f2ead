/**
 * What a simulated machine has left. Fault model: a reading may fail; usage is what the test says, unknown pods use
 * nothing.
 */
import type { PodUsage, Readings } from '../../runtime/workloads/eviction.ts';
import type { Gauges } from '../../runtime/workloads/ports.ts';

const gib = 2 ** 30;

/** A machine with plenty of everything. */
export const plenty: Readings = {
  memoryBytes: gib,
  memoryAvailableBytes: gib / 2,
  diskBytes: 8 * gib,
  diskAvailableBytes: 4 * gib,
  inodes: 100_000,
  inodesAvailable: 90_000,
};

export class SimGauges implements Gauges {
  readings: Readings = plenty;
  /** By uid of the pod. */
  readonly use = new Map<string, PodUsage>();
  /** The next readings fail. */
  broken = false;

  async read(): Promise<Readings> {
    if (this.broken) throw new Error('the readings cannot be had');
    return this.readings;
  }

  async usage(pods: ReadonlyMap<string, readonly string[]>): Promise<Map<string, PodUsage>> {
    return new Map([...pods.keys()].map((uid) => [uid, this.use.get(uid) ?? { memoryBytes: 0, diskBytes: 0 }]));
  }
}
