import { describe, expect, it } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { limits } from '../../../protocol/limits.ts';
import { encodeObject } from '../../../protocol/object.ts';
import {
  newTwin,
  patchedTwin,
  replacedTwin,
  sectionsChanged,
  shownTwin,
  type TwinRecord,
  twinStateOf,
} from '../../../protocol/twin/node-twin.ts';
import { readTwinState } from '../../../protocol/twin/twin-state.ts';
import { atHub, atNode, hubTwin, ID, settled } from './twin-world.ts';

const at = Date.UTC(2026, 2, 1, 8);
const known = (desired = {}): TwinRecord => atNode(newTwin(ID, 0, 0), hubTwin('uid-1', desired))!;
const reporting = (reported: Json, nowMs = at) => patchedTwin(known(), { properties: { reported } }, nowMs);

/** Nested objects, `levels` of them, each with the next as its only member. */
function nested(levels: number): Json {
  let value: Json = 1;
  for (let level = 0; level < levels; level += 1) value = { o: value };
  return value;
}

describe('the shown document', () => {
  it('has a version and the time of each member, as the Azure IoT twin has them', () => {
    const first = patchedTwin(
      newTwin(ID, 0, 0),
      { properties: { reported: { door: { mode: 'open' }, list: [{}] } } },
      at,
    );
    const second = patchedTwin(first, { properties: { reported: { door: { ms: 5 } } } }, at + 60_000);
    expect(shownTwin(second).properties.reported).toEqual({
      door: { mode: 'open', ms: 5 },
      list: [{}],
      $version: 3,
      $metadata: {
        $lastUpdated: '2026-03-01T08:01:00.000Z',
        door: {
          $lastUpdated: '2026-03-01T08:01:00.000Z',
          mode: { $lastUpdated: '2026-03-01T08:00:00.000Z' },
          ms: { $lastUpdated: '2026-03-01T08:01:00.000Z' },
        },
        list: { $lastUpdated: '2026-03-01T08:00:00.000Z' },
      },
    });
  });

  it('says that a local write of desired is pending until the hub has dealt with it', () => {
    const record = known({ a: 1 });
    const written = patchedTwin(record, { properties: { desired: { b: 2 } } }, at);
    expect(shownTwin(written).properties.desired).toMatchObject({ a: 1, b: 2, $version: 1, $pending: true });
    const { record: answered } = settled(hubTwin('uid-1', { a: 1 }), written);
    expect(shownTwin(answered).properties.desired).toMatchObject({ a: 1, b: 2, $version: 2 });
    expect(shownTwin(answered).properties.desired).not.toHaveProperty('$pending');
  });

  it('can be written back as it was read, which changes nothing', () => {
    const record = patchedTwin(reporting({ a: { b: [1] } }), { properties: { desired: { c: 1 } } }, at);
    const shown = shownTwin(record) as unknown as Json;
    expect(replacedTwin(record, shown, at + 1)).toBe(record);
    expect(patchedTwin(record, shown, at + 1)).toBe(record);
  });

  it('writes of what is there change neither sequence nor version nor times', () => {
    const record = reporting({ a: 1 });
    expect(patchedTwin(record, { properties: { reported: { a: 1, x: null } } }, at + 5)).toBe(record);
    expect(patchedTwin(record, {}, at + 5)).toBe(record);
  });

  it('counts one sequence for each visible change', () => {
    const record = known();
    const one = patchedTwin(record, { properties: { reported: { a: 1 }, desired: { b: 1 } } }, at);
    expect(one.sequence).toBe(record.sequence + 1);
    expect(sectionsChanged(record, one)).toEqual(['desired', 'reported']);
  });

  it('has no year that a wrong clock could break', () => {
    for (const nowMs of [-5, 0.5, Number.MAX_SAFE_INTEGER])
      expect(() => shownTwin(reporting({ a: 1 }, nowMs))).not.toThrow();
  });
});

describe('writing', () => {
  it('null removes a section or a member; PUT replaces all', () => {
    const record = patchedTwin(reporting({ a: 1, b: 2 }), { properties: { desired: { c: 1 } } }, at);
    const value = (twin: TwinRecord) => twin.reported.value;
    expect(value(patchedTwin(record, { properties: { reported: null } }, at))).toEqual({});
    expect(value(patchedTwin(record, { properties: null }, at))).toEqual({});
    expect(value(replacedTwin(record, { properties: { reported: { z: 1 } } }, at))).toEqual({ z: 1 });
    const emptied = replacedTwin(record, {}, at);
    expect(shownTwin(emptied).properties.desired).not.toHaveProperty('c');
  });

  it('a name that means something to an object is a name like others', () => {
    const { value } = reporting({ toString: 1, constructor: { valueOf: 2 } }).reported;
    expect(JSON.stringify(value)).toBe('{"constructor":{"valueOf":2},"toString":1}');
  });

  const refused: [name: string, patch: Json, path: string][] = [
    ['no object', 5, 'the patch'],
    ['another section', { properties: { tags: {} } }, 'properties'],
    ['another member', { tags: {} }, 'the patch'],
    ['a section that is no object', { properties: { reported: [1] } }, 'properties.reported'],
    ['an empty name', { properties: { reported: { a: { '': 1 } } } }, 'properties.reported.a'],
    ['a name of ours', { properties: { reported: { a: { $version: 1 } } } }, 'properties.reported.a.$version'],
    ['a name of ours below the section', { properties: { desired: { $x: 1 } } }, 'properties.desired.$x'],
    ['__proto__', { properties: { reported: JSON.parse('{"__proto__":1}') } }, 'properties.reported.__proto__'],
    ['a null in an array', { properties: { reported: { a: [1, null] } } }, 'properties.reported.a[1]'],
    ['half a surrogate pair', { properties: { reported: { a: '\ud800' } } }, 'properties.reported.a'],
    ['a long text', { properties: { reported: { a: 'ä'.repeat(2_049) } } }, 'properties.reported.a'],
    ['a long name', { properties: { reported: { ['k'.repeat(1_025)]: 1 } } }, 'properties.reported'],
    ['too deep', { properties: { reported: nested(12) } }, `properties.reported${'.o'.repeat(11)}`],
  ];

  it.each(refused)('refuses %s and names the path', (_name, patch, path) => {
    expect(() => patchedTwin(known(), patch, at)).toThrow(
      expect.objectContaining({ code: 'E_INPUT_INVALID', details: { path }, message: expect.stringContaining(path) }),
    );
  });

  it('takes a document at every limit, which travels both ways, and refuses one byte more', () => {
    const full: { [key: string]: Json } = { deep: nested(10) };
    for (let n = 0; n < 3_200; n += 1) full[`k${n}`] = n % 10;
    const room = limits.twinSectionBytesMax - JSON.stringify({ ...full, z: '' }).length;
    const filled = (length: number) => ({ ...full, z: 'x'.repeat(length) });
    const record = patchedTwin(reporting(filled(room)), { properties: { desired: filled(room) } }, at);
    const hub = atHub(hubTwin('uid-1', {}), record);
    expect(hub.status!.reported!.value).toEqual(filled(room));
    expect(encodeObject({ ...hub, status: { ...hub.status!, floor: hub.status!.reported! } }).length).toBeLessThan(
      limits.objectBytesMax,
    );
    expect(() => reporting(filled(room + 1))).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

describe('a state from a node', () => {
  const good = JSON.parse(
    JSON.stringify(twinStateOf(patchedTwin(reporting({ a: { b: 1 } }), { properties: { desired: { c: 1 } } }, at))),
  ) as { [key: string]: Json };

  it('is read as it was told, without what it must not have', () => {
    expect(readTwinState({ ...good, more: 1 })).toEqual(good);
  });

  const bad: [string, Json][] = [
    ['nothing', null],
    ['no uid', { ...good, uid: '' }],
    ['a version that is no number', { ...good, seen: '7' }],
    ['a negative version', { ...good, reported: { version: -1, value: {}, metadata: { '': 0 } } }],
    ['a member without a time', { ...good, reported: { version: 1, value: { a: 1 }, metadata: { '': 0 } } }],
    ['a leaf with a tree', { ...good, reported: { version: 1, value: { a: 1 }, metadata: { '': 0, a: { '': 1 } } } }],
    ['a name of ours', { ...good, reported: { version: 1, value: { $a: 1 }, metadata: { '': 0, $a: 0 } } }],
    ['an edit without a number', { ...good, desired: { base: {}, mine: {}, timeMs: 0 } }],
  ];

  it.each(bad)('with %s is refused', (_name, value) => {
    expect(() => readTwinState(value)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

describe('local writes that lose', () => {
  it('are named in the conflicts, the newest sixteen', () => {
    let hub = hubTwin('uid-1', {});
    let { record } = settled(hub, newTwin(ID, 0, 0));
    for (let n = 0; n < 20; n += 1) {
      const away = patchedTwin(record, { properties: { desired: { a: `node ${n}` } } }, at);
      hub = { ...hub, spec: { ...hub.spec, desired: { a: `hub ${n}` } } };
      hub = {
        ...hub,
        status: { ...hub.status!, desired: { ...hub.status!.desired, version: hub.status!.desired.version + 1 } },
      };
      ({ twin: hub, record } = settled(hub, away));
    }
    expect(hub.status!.conflicts).toHaveLength(16);
    expect(hub.status!.conflicts!.at(-1)).toEqual({
      path: 'a',
      winner: 'hub',
      lost: 'node 19',
      time: expect.any(String),
    });
    expect(hub.status!.applied).toBe(20);
  });

  it('a merge that would pass a limit is not made, and the terminal is told so', () => {
    const text = 'x'.repeat(4_000);
    const many = (prefix: string) => Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`${prefix}${n}`, text]));
    const { record } = settled(hubTwin('uid-1', {}), newTwin(ID, 0, 0));
    const away = patchedTwin(record, { properties: { desired: many('n') } }, at);
    const { twin, record: end } = settled(hubTwin('uid-1', many('h')), away);
    expect(twin.spec.desired).toEqual(many('h'));
    expect(twin.status!.conflicts).toEqual([{ path: '', winner: 'hub', time: expect.any(String) }]);
    expect(end.sent).toBeUndefined();
  });
});
