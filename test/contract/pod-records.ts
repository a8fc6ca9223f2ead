/** What every `PodRecords` must do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PodRecord, PodRecords } from '../../runtime/workloads/ports.ts';

export interface PodRecordsHarness {
  records: PodRecords;
  /** The records as the next life of the runtime sees them. */
  reopen(): Promise<PodRecords>;
  close(): Promise<void>;
}

export function describePodRecords(name: string, open: () => Promise<PodRecordsHarness>): void {
  describe(`pod records: ${name}`, () => {
    let harness: PodRecordsHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    test('an empty store has no records', async () => {
      expect(await harness.records.load()).toEqual([]);
    });

    test('what was saved is there in the next life, every member of it', async () => {
      const [one, two] = [exampleRecord('uid-1'), exampleRecord('uid-2')];
      await Promise.all([harness.records.save(one), harness.records.save(two)]);
      const loaded = await (await harness.reopen()).load();
      expect(loaded.sort((a, b) => (a.uid < b.uid ? -1 : 1))).toEqual([one, two]);
    });

    test('of one pod the last record saved stays', async () => {
      await harness.records.save(exampleRecord('uid-1'));
      const { process: _ended, ...container } = exampleRecord('uid-1').containers[0]!;
      const last = { ...exampleRecord('uid-1'), stoppingSinceMs: 5, containers: [container] };
      await harness.records.save(last);
      expect(await (await harness.reopen()).load()).toEqual([last]);
    });

    test('a record does not change with the object that was saved or loaded', async () => {
      const record = exampleRecord('uid-1');
      await harness.records.save(record);
      record.containers[0]!.restartCount = 99;
      const [loaded] = await harness.records.load();
      expect(loaded).toEqual(exampleRecord('uid-1'));
      loaded!.podIP = 'changed';
      expect(await harness.records.load()).toEqual([exampleRecord('uid-1')]);
    });

    test('a removed record is gone, and removing what is not there is harmless', async () => {
      await harness.records.save(exampleRecord('uid-1'));
      await harness.records.remove('uid-1');
      await harness.records.remove('uid-1');
      expect(await (await harness.reopen()).load()).toEqual([]);
    });
  });
}

/** A record with every member. */
export function exampleRecord(uid: string): PodRecord {
  const terminated = {
    exitCode: 143,
    signal: 15,
    reason: 'Error',
    message: 'größer\n',
    finishedAt: '2030-01-01T00:00:00Z',
  };
  return {
    uid,
    namespace: 'gates',
    name: `gate-${uid}`,
    specHash: '0123456789abcdef',
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `gate-${uid}`, namespace: 'gates', uid, annotations: { 'stile.dev/note': 'ü' } },
      spec: { containers: [{ name: 'gate', image: 'gate:1', ports: [{ containerPort: 80 }] }] },
    },
    containers: [
      {
        name: 'gate',
        instanceId: 'aa55',
        restartCount: 2,
        phase: 'running',
        process: { pid: 4_194_303, startTicks: 2 ** 40, bootId: 'e0a1' },
        state: { running: { startedAt: '2030-01-01T00:00:01Z' } },
        lastState: { terminated },
        notBeforeMs: 1_893_456_000_000,
        backoffMs: 20_000,
        imageDigest: `sha256:${'0'.repeat(64)}`,
      },
    ],
    podIP: '127.64.0.1',
    startTime: '2030-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2030-01-01T00:00:01Z' }],
  };
}
