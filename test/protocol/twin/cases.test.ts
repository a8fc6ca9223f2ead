/** Goal: edits made apart come to the same bytes on both sides, whoever is heard first. The table is published. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mergePatch } from '../../../protocol/merge-patch.ts';
import type { Members } from '../../../protocol/twin/merge.ts';
import { newTwin, patchedTwin, shownTwin, type TwinRecord, twinStateOf } from '../../../protocol/twin/node-twin.ts';
import { caseTable, withCaseTable } from './case-table.ts';
import { type TwinCase, twinCases } from './cases.ts';
import { atHub, atNode, hubTwin, ID, settled, withHubDesired } from './twin-world.ts';

const bytes = (value: unknown): string => JSON.stringify(value);

function desiredShown(record: TwinRecord): Members {
  const { $version: _v, $metadata: _m, $pending: _p, ...value } = shownTwin(record).properties.desired;
  return value;
}

/** Hub and node in step, then the node's edit, made away from the hub. */
function apart({ base, node }: TwinCase, managed: boolean) {
  const inStep = settled(hubTwin('uid-1', base, { managed }), newTwin(ID, 0, 0));
  const away = patchedTwin(inStep.record, { properties: { desired: node ?? {} } }, 2_500);
  return { hub: inStep.twin, node: away };
}

const edited = (base: Members, { hub = {} }: TwinCase): Members => mergePatch(base, hub) as Members;

describe.each(twinCases)('$name', (row) => {
  it("merges to the same bytes when the hub's edit is there first", () => {
    const { hub, node } = apart(row, true);
    const { twin, record } = settled(withHubDesired(hub, edited(row.base, row)), node);
    expect(bytes(twin.spec.desired)).toBe(bytes(row.merged));
    expect(bytes(desiredShown(record))).toBe(bytes(row.merged));
  });

  it("merges to the same bytes when the node's edit is there first", () => {
    const { hub, node } = apart(row, true);
    const heard = atHub(hub, node);
    const { twin, record } = settled(withHubDesired(heard, edited(heard.spec.desired as Members, row)), node);
    expect(bytes(twin.spec.desired)).toBe(bytes(row.merged));
    expect(bytes(desiredShown(record))).toBe(bytes(row.merged));
  });

  it('is shown by the node as it will be, before the hub has heard of its edit', () => {
    const { hub, node } = apart(row, true);
    const informed = atNode(node, withHubDesired(hub, edited(row.base, row)))!;
    expect(bytes(desiredShown(informed))).toBe(bytes(row.merged));
  });

  it("gives the node's side where that wins", () => {
    const { hub, node } = apart(row, false);
    const { twin, record } = settled(withHubDesired(hub, edited(row.base, row)), node);
    expect(bytes(twin.spec.desired)).toBe(bytes(row.unmanaged ?? row.merged));
    expect(bytes(desiredShown(record))).toBe(bytes(row.unmanaged ?? row.merged));
  });

  it('comes to the same when every message is told twice', () => {
    const { hub, node } = apart(row, true);
    const changed = withHubDesired(hub, edited(row.base, row));
    const once = atHub(changed, node);
    expect(atHub(once, node)).toBe(once);
    const heard = atNode(node, once)!;
    expect(atNode(heard, once)).toBe(heard);
  });
});

describe('delete and recreate', () => {
  it('what was deleted does not come back, and what the node had pending for it is dropped', () => {
    const { hub, node } = apart({ name: '', base: { a: 1 }, node: { b: 2 }, merged: {} }, true);
    const reported = patchedTwin(node, { properties: { reported: { old: true } } }, 2_600);
    const deleted = { ...hub, metadata: { ...hub.metadata, deletionTimestamp: '2026-03-01T08:00:00Z' } };
    expect(atNode(reported, deleted)).toBeUndefined();
    const { twin, record } = settled(hubTwin('uid-2', { c: 3 }), reported);
    expect(twin.spec.desired).toEqual({ c: 3 });
    expect(twin.status!.desired.version).toBe(1);
    expect(twin.status!.reported!.value).toEqual({});
    expect(desiredShown(record)).toEqual({ c: 3 });
    expect(record.sequence).toBeGreaterThan(reported.sequence);
  });

  it('a state of the deleted twin that arrives late changes nothing of the new one', () => {
    const { node } = apart({ name: '', base: {}, node: { b: 2 }, merged: {} }, true);
    const recreated = hubTwin('uid-2', { c: 3 });
    expect(atHub(recreated, node)).toBe(recreated);
  });
});

describe('reorder and gap', () => {
  const start = () => settled(hubTwin('uid-1', { n: 0 }), newTwin(ID, 0, 0));

  it('an older Twin after a newer one changes nothing', () => {
    const { twin, record } = start();
    const older = withHubDesired(twin, { n: 1 });
    const newer = withHubDesired(older, { n: 2 });
    const heard = atNode(record, newer)!;
    expect(atNode(heard, older)).toBe(heard);
    expect(desiredShown(heard)).toEqual({ n: 2 });
  });

  it('a node that missed versions takes the newest', () => {
    const { twin, record } = start();
    const newest = [1, 2, 3].reduce((each, n) => withHubDesired(each, { n }), twin);
    expect(desiredShown(atNode(record, newest)!)).toEqual({ n: 3 });
  });

  it('an older state after a newer one is not taken, and one that skips versions is', () => {
    const { twin, record } = start();
    const report = (from: TwinRecord, n: number) => patchedTwin(from, { properties: { reported: { n } } }, 5_000);
    const first = report(record, 1);
    const third = report(report(first, 2), 3);
    const heard = atHub(twin, third);
    expect(heard.status!.reported).toMatchObject({ version: 4, value: { n: 3 } });
    const late = atHub(heard, first);
    expect(late.status).toMatchObject({ reported: heard.status!.reported, floor: { version: 4, value: { n: 3 } } });
    // Was it no late word, the node goes on from the floor; was it one, the next report of the same ends it.
    const next = atHub(late, atNode(third, late)!);
    expect(next.status).toMatchObject({ reported: { version: 5, value: { n: 3 } } });
    expect(next.status).not.toHaveProperty('floor');
  });

  it('writes that follow one another before the hub answers are all there in the end, each number once', () => {
    const { twin, record } = start();
    let node = record;
    for (let n = 1; n <= 5; n += 1) node = patchedTwin(node, { properties: { desired: { [`m${n}`]: n } } }, 5_000);
    expect(twinStateOf(node)!.desired).toMatchObject({ number: 1, mine: { m1: 1 } });
    const end = settled(twin, node);
    expect(end.twin.spec.desired).toEqual({ n: 0, m1: 1, m2: 2, m3: 3, m4: 4, m5: 5 });
    expect(end.twin.status!.applied).toBe(2);
    expect(shownTwin(end.record).properties.desired).not.toHaveProperty('$pending');
  });
});

it('the table is published as it is tested', () => {
  const readme = readFileSync(new URL('../../../protocol/twin/README.md', import.meta.url), 'utf8');
  expect(readme).toContain(caseTable());
  expect(withCaseTable(readme)).toBe(readme);
});
