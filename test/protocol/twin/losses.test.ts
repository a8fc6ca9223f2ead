/** What becomes of a twin when one of the two stores is lost or put back, case by case. */
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { newTwin, patchedTwin, shownTwin, twinInNewEpoch, twinStateOf } from '../../../protocol/twin/node-twin.ts';
import { atHub, atNode, hubTwin, ID, settled, withHubDesired } from './twin-world.ts';

const desired = (members: Json): Json => ({ properties: { desired: members } });
const reported = (members: Json): Json => ({ properties: { reported: members } });
const inStep = () => settled(hubTwin('uid-1', { x: 0 }), newTwin(ID, 0, 0));

describe("the hub's store was put back", () => {
  it('and what it holds gets a version above the one that the node has seen', () => {
    const { twin, record } = inStep();
    const newest = settled(withHubDesired(withHubDesired(twin, { x: 1 }), { x: 2 }), record);
    expect(newest.record.desired.version).toBe(3);
    const end = settled(twin, newest.record);
    expect(end.record.desired).toMatchObject({ version: 4, value: { x: 0 } });
    expect(end.twin.status!.desired.version).toBe(4);
  });

  it('and has another desired under the very version of the node: the version does not come to mean both', () => {
    const { twin, record } = inStep();
    const before = settled(withHubDesired(twin, { x: 1 }), record);
    const other = withHubDesired(twin, { x: 'another' });
    expect(other.status!.desired.version).toBe(before.record.desired.version);
    const heard = atNode(before.record, other)!;
    expect(shownTwin(heard)).toEqual(shownTwin(before.record));
    const end = settled(other, before.record);
    expect(end.record.desired.value).toEqual({ x: 'another' });
    expect(end.record.desired.version).toBeGreaterThan(before.record.desired.version);
    expect(end.record.contested).toBeUndefined();
  });
});

describe("the node's store", () => {
  it('was lost: a write made afterwards has a number that the hub has not dealt with', () => {
    const { twin, record } = inStep();
    let { twin: hub, record: node } = { twin, record };
    for (let n = 1; n <= 3; n += 1) ({ twin: hub, record: node } = settled(hub, patchedTwin(node, desired({ n }), 1)));
    expect(hub.status!.applied).toBe(3);
    const anew = settled(hub, newTwin(ID, node.sequence, 0), 'epoch-2');
    const end = settled(anew.twin, patchedTwin(anew.record, desired({ n: 'new' }), 2), 'epoch-2');
    expect(end.twin.spec.desired).toEqual({ n: 'new', x: 0 });
  });

  it('was put back: neither is a write lost whose number was given out before, nor one taken twice', () => {
    const { twin, record: copy } = inStep();
    const lost = settled(twin, patchedTwin(copy, desired({ a: 1 }), 1));
    const back = twinInNewEpoch(copy);
    const written = patchedTwin(back, desired({ b: 1 }), 2);
    const end = settled(withHubDesired(lost.twin, { a: 5, x: 0 }), written, 'epoch-2');
    expect(end.twin.spec.desired).toEqual({ a: 5, b: 1, x: 0 });
  });

  it('was lost: its leaves count, what it does not know is taken back, and the version goes on', () => {
    const first = inStep();
    const told = settled(first.twin, patchedTwin(first.record, reported({ a: 'old', b: 'old' }), 1));
    const { version } = told.twin.status!.reported!;
    const anew = patchedTwin(newTwin(ID, 9, 0), reported({ a: 'new' }), 2);
    const asked = atHub(told.twin, atNode(anew, told.twin)!, 'epoch-2');
    expect(asked.status!.reported!.value).toEqual({ a: 'old', b: 'old' });
    expect(asked.status!.floor).toMatchObject({ version });
    expect(atHub(asked, atNode(anew, told.twin)!, 'epoch-2')).toBe(asked);
    const end = settled(asked, anew, 'epoch-2');
    expect(end.twin.status!.reported).toMatchObject({
      version: version + 1,
      epoch: 'epoch-2',
      value: { a: 'new', b: 'old' },
    });
    expect(end.twin.status!.floor).toBeUndefined();
  });
});

it('a write that lost stays lost when the hub goes back to what the write was made of', () => {
  const { twin, record } = inStep();
  const first = patchedTwin(record, desired({ a: 1 }), 1);
  const second = patchedTwin(first, desired({ x: 'node' }), 2);
  const meanwhile = atHub(withHubDesired(twin, { x: 'hub' }), second);
  const heard = atNode(second, meanwhile)!;
  expect(shownTwin(heard).properties.desired).toMatchObject({ a: 1, x: 'hub' });
  expect(twinStateOf(heard)!.desired).toBeUndefined();
  const end = settled(withHubDesired(meanwhile, { a: 1, x: 0 }), heard);
  expect(end.twin.spec.desired).toEqual({ a: 1, x: 0 });
});
