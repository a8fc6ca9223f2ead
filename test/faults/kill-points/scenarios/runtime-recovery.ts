/**
 * A store that is damaged, marked, or gone, and the start that puts the last good copy in its place, or a new store
 * where there is none: cut while that is done, it is done again. Whatever is cut, the pods that the copy knew are there,
 * and no store takes the place of another without saying so.
 */
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs';
import type { Env } from '../../../../protocol/env.ts';
import { upkeepOf } from '../../../../runtime/store/good-copy.ts';
import { NodeStore } from '../../../../runtime/store/node-store.ts';
import { openStore, storeFiles, suspectStore } from '../../../../runtime/store/recovery.ts';
import type { SqliteJournal } from '../../../../runtime/store/sqlite-journal.ts';
import type { PodRecord } from '../../../../runtime/workloads/ports.ts';
import { type Cut, expect, Lane, possibleStates, type Scenario } from '../scenario.ts';

const NODE = 'gate-1';
const PODS = 4;

export const runtimeRecovery: Scenario = {
  name: 'runtime/recovery',
  drive: async (drive) => {
    const { env, directory } = drive;
    const files = storeFiles(directory);
    const epochs = new Lane(drive, 'epoch');
    const copies = new Lane(drive, 'copied');
    const faults = new Lane(drive, 'fault');
    const events = new Lane(drive, 'event');
    let { store, journal } = await openParts(env, directory, undefined);
    for (let number = 0; number < PODS; number += 1) await store.commit([{ kind: 'pod', record: podRecord(number) }]);
    await epochs.step(journal.epoch, async () => {});
    await copies.step('whole', () => upkeepOf(journal, directory).copy(env.clock.now()));
    const ways = [
      () => spoil(files.live),
      () => suspectStore(env, directory, 'a read failed'),
      () => truncateSync(files.live, 0),
      () => {
        for (const suffix of ['', '-wal']) rmSync(files.live + suffix, { force: true });
      },
    ];
    for (const [index, way] of ways.entries()) {
      await store.close();
      // From here until the next epoch is told, either store may be the one that is there.
      faults.begin(index);
      await way();
      ({ store, journal } = await openParts(env, directory, NODE));
      await epochs.step(journal.epoch, async () => {});
      const { epoch, seq } = await store.append({ type: 'ticket', data: { index }, id: `t-${index}` });
      await events.step({ epoch, seq, index }, async () => {});
    }
    await store.close();
  },
  verify,
};

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const copied =
    possibleStates(marks, 'copied').includes('whole') &&
    marks.some((mark) => mark.lane === 'copied' && mark.phase === 'done');
  const told = marks.findLast(({ lane, phase }) => lane === 'epoch' && phase === 'begun')?.state;
  const { store, journal } = await openParts(env, directory, told === undefined ? undefined : NODE);
  try {
    if (told === undefined) return;
    const lastFault = marks.findLastIndex(({ lane }) => lane === 'fault');
    const lastEpoch = marks.findLastIndex(({ lane }) => lane === 'epoch');
    if (lastEpoch > lastFault) expect(journal.epoch === told, `the store ${told} was replaced by ${journal.epoch}`);
    const known = marks.some(({ lane, state }) => lane === 'epoch' && state === journal.epoch);
    expect(known || journal.recovery !== undefined, `the store was replaced by ${journal.epoch}, and nothing says so`);
    expect(!copied || journal.recovery?.reason !== 'StoreLost', 'a good copy was there and was not restored');
    for (let number = 0; number < PODS; number += 1) {
      const record = store.state.pods.get(podRecord(number).uid);
      expect(record?.podIP === podRecord(number).podIP, `the pod ${number} is not known any more`);
    }
    await verifyEvent(store, journal, marks);
    expect((await journal.faults('full')).length === 0, 'the store has faults');
  } finally {
    await store.close();
  }
  const again = await openParts(env, directory, NODE);
  await again.store.close();
  expect(again.journal.epoch === journal.epoch, 'the next start replaced the store again');
}

/** What was acknowledged in the epoch that is there; events of an earlier one may be what the damage cost. */
async function verifyEvent(store: NodeStore, journal: SqliteJournal, marks: Cut['marks']): Promise<void> {
  const event = marks.findLast(({ lane, phase }) => lane === 'event' && phase === 'begun')?.state;
  if (event === undefined) return;
  const { epoch, seq, index } = event as { epoch: string; seq: number; index: number };
  if (epoch !== journal.epoch) return;
  const [found] = await store.readEvents(epoch, seq, 1);
  expect((found?.data as { index?: number } | undefined)?.index === index, `the event ${seq} of ${epoch} is lost`);
}

async function openParts(
  env: Env,
  directory: string,
  node: string | undefined,
): Promise<{ store: NodeStore; journal: SqliteJournal }> {
  const journal = await openStore(env, directory, node);
  return { store: await NodeStore.open(env.clock, journal), journal };
}

/** As bad blocks do it: the beginning and some pages are noise. */
function spoil(path: string): void {
  const file = openSync(path, 'r+');
  for (const offset of [0, 8_192, 20_480]) writeSync(file, 'noise '.repeat(600), offset);
  closeSync(file);
}

function podRecord(number: number): PodRecord {
  return {
    uid: `uid-${number}`,
    namespace: 'default',
    name: `pod-${number}`,
    specHash: 'hash',
    pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: `pod-${number}` }, spec: { containers: [] } },
    containers: [],
    podIP: `127.1.0.${number + 1}`,
    startTime: '2026-11-23T10:00:00Z',
    conditions: [],
  };
}
