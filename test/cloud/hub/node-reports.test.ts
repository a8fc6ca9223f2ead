/** Events take effect once and in order, also when a second session of a node begins while the first is still heard. */
import { beforeEach, expect, test } from 'vitest';
import { applyHubChange, emptyHubState, type HubChange, type HubJournal } from '../../../cloud/hub/hub-state.ts';
import { NodeReports } from '../../../cloud/hub/node-reports.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import { AppError } from '../../../protocol/errors.ts';
import { testEnv } from '../../contract/resource-store.ts';

const NODE = 'gate-1';
const epoch = 'first';
const state = emptyHubState('hub-1');
let written: number[][];
/** The commits that are under way: how each ends. */
let commits: { resolve(): void; reject(error: unknown): void }[];
let reports: NodeReports;

beforeEach(() => {
  written = [];
  commits = [];
  state.watermarks.clear();
  const commit = async (changes: readonly HubChange[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    commits.push({ resolve, reject });
    await promise;
    for (const change of changes) {
      if (change.kind === 'events') written.push(change.events.map(({ seq }) => seq));
      applyHubChange(state, change);
    }
  };
  const journal = { commit } as unknown as HubJournal;
  reports = new NodeReports(testEnv(), new MemoryStore(testEnv()), journal, state);
});

const told = (first: number, count: number) => {
  const items = Array.from({ length: count }, () => ({ type: 'gate.entry', timeMs: 1, data: {}, id: undefined }));
  return reports.events(NODE, { epoch, first, items, watermark: first + count - 1 });
};
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('events that the session before was writing are not taken again', async () => {
  const before = told(1, 2);
  const after = told(1, 3);
  await turn();
  expect(commits).toHaveLength(1);
  commits[0]!.resolve();
  await before;
  await turn();
  commits[1]!.resolve();
  await after;
  expect(written).toEqual([[1, 2], [3]]);
});

test('events that the session before could not write are taken from the one that tells them again', async () => {
  const before = told(1, 2);
  const after = told(1, 2);
  await turn();
  commits[0]!.reject(new AppError('E_STORE_FAILED', 'cannot write: the disk is full'));
  await expect(before).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  await turn();
  commits[1]!.resolve();
  await after;
  expect(written).toEqual([[1, 2]]);
});
