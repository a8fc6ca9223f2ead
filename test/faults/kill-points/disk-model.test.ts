/**
 * Goal: the disk that kill points are made of loses what a disk may lose and keeps what it must, so that a program
 * that forgets a sync is caught. Method: programs of a few operations, and every disk that a cut may leave of them.
 */
import { describe, expect, test } from 'vitest';
import { SimRandom } from '../../sim/random.ts';
import { DiskModel, type Survival } from './disk-model.ts';
import { choosePoints, cutDisks, idOf } from './kill-points.ts';
import type { Operation } from './recording.ts';

const open = (fd: number, path: string): Operation => ({ kind: 'open', fd, path, truncates: false });
const write = (fd: number, text: string, offset = 0): Operation => ({
  kind: 'write',
  fd,
  offset,
  bytes: Buffer.from(text),
});
const sync = (fd: number): Operation => ({ kind: 'sync', fd });
const close = (fd: number): Operation => ({ kind: 'close', fd });
const rename = (from: string, to: string): Operation => ({ kind: 'rename', from, to });
const told: Operation = { kind: 'mark', text: JSON.stringify({ phase: 'done', lane: 'x', step: 1 }) };
/** Of the directory itself. */
const syncNames = [open(9, ''), sync(9), close(9)];

/** Path to text, as one cut after `operations` leaves it. */
function left(operations: readonly Operation[], survival: Survival, seed = 1): Record<string, string> {
  const disk = new DiskModel();
  for (const operation of operations) disk.apply(operation);
  const image = disk.image(survival, new SimRandom(seed));
  return Object.fromEntries(
    [...image].map(([path, entry]) => [path, entry.kind === 'file' ? Buffer.from(entry.bytes).toString() : entry.kind]),
  );
}

/** All texts that `path` may have once the program has told its success, over many cuts; undefined: it is not there. */
function afterSuccess(program: readonly Operation[], path: string): Set<string | undefined> {
  const recordings = new Map([['program', [...program, told, ...syncNames]]]);
  const points = choosePoints(recordings, 500, '1').filter(({ scenario }) => scenario === 'program');
  const found = new Set<string | undefined>();
  for (const { image, marks } of cutDisks(recordings.get('program')!, points, '1')) {
    if (marks.length === 0) continue;
    const entry = image.get(path);
    found.add(entry?.kind === 'file' ? Buffer.from(entry.bytes).toString() : undefined);
  }
  return found;
}

describe('bytes', () => {
  const written = [open(3, 'a'), ...syncNames, write(3, 'one'), sync(3), write(3, 'two', 3)];

  test('what was synced is there, what was not may be', () => {
    expect(left(written, 'kept')).toEqual({ a: 'onetwo' });
    expect(left(written, 'dropped')).toEqual({ a: 'one' });
  });

  test('unsynced writes come through in any order', () => {
    const two = [...written, write(3, '!', 6)];
    const seen = new Set(Array.from({ length: 60 }, (_, seed) => left(two, 'some', seed).a));
    expect([...seen]).toContain('one\0\0\0!');
    expect([...seen]).toContain('onetwo');
    expect([...seen]).toContain('one');
  });

  test('a large write is torn between sectors, and the one under way within them', () => {
    const sectors = [open(3, 'a'), ...syncNames, write(3, 'x'.repeat(2_048))];
    const torn = Array.from({ length: 80 }, (_, seed) => left(sectors, 'some', seed).a!);
    expect(torn.some((text) => text.includes('\0') && text.includes('x'.repeat(512)))).toBe(true);
    const disk = new DiskModel();
    for (const operation of sectors.slice(0, -1)) disk.apply(operation);
    const lengths = Array.from({ length: 60 }, (_, seed) => {
      const entry = disk.image('kept', new SimRandom(seed), sectors.at(-1)).get('a');
      return entry?.kind === 'file' ? entry.bytes.length : 0;
    });
    expect(lengths.some((length) => length > 0 && length % 512 === 0)).toBe(true);
    expect(lengths.some((length) => length % 512 !== 0)).toBe(true);
  });

  test('what was cut off is zeros when a file grows again', () => {
    const shorter: Operation = { kind: 'truncate', fd: 3, size: 1 };
    expect(left([...written, shorter, write(3, '!', 4)], 'kept')).toEqual({ a: 'o\0\0\0!' });
  });
});

describe('names', () => {
  test('a name is there once its directory was synced, whatever was synced of the file', () => {
    const program = [open(3, 'a'), write(3, 'one'), sync(3)];
    expect(left(program, 'dropped')).toEqual({});
    expect(left([...program, ...syncNames], 'dropped')).toEqual({ a: 'one' });
  });

  test('a rename is one step, and a later one is not undone by an earlier', () => {
    const program = [open(3, 'a'), write(3, 'one'), sync(3), ...syncNames, rename('a', 'b')];
    for (let seed = 0; seed < 20; seed += 1)
      expect([{ a: 'one' }, { b: 'one' }]).toContainEqual(left(program, 'some', seed));
    expect(left([...program, ...syncNames, rename('b', 'c')], 'dropped')).toEqual({ b: 'one' });
  });

  test('of a move between directories the sync of one is enough', () => {
    const directories: Operation[] = [{ kind: 'mkdir', path: 'from' }, { kind: 'mkdir', path: 'to' }, ...syncNames];
    const move = [open(3, 'from/a'), write(3, 'one'), sync(3), rename('from/a', 'to/a')];
    const moved = [...directories, ...move, open(4, 'to'), sync(4)];
    expect(left(moved, 'dropped')).toEqual({ from: 'directory', to: 'directory', 'to/a': 'one' });
    for (let seed = 0; seed < 20; seed += 1) expect(Object.keys(left(moved, 'some', seed))).not.toContain('from/a');
  });

  test('a directory whose name was not synced takes what is in it along', () => {
    const program: Operation[] = [{ kind: 'mkdir', path: 'd' }, open(3, 'd/a'), write(3, 'one'), sync(3), open(4, 'd')];
    expect(left([...program, sync(4)], 'dropped')).toEqual({});
    expect(left([...program, sync(4), ...syncNames], 'dropped')).toEqual({ d: 'directory', 'd/a': 'one' });
  });
});

describe('programs that break their word are caught, in the order of what they forget', () => {
  const draft = [open(3, 'draft'), write(3, 'whole')];
  const place = [close(3), rename('draft', 'file')];

  test('everything synced: the file is always there and whole', () => {
    expect(afterSuccess([...draft, sync(3), ...place, ...syncNames], 'file')).toEqual(new Set(['whole']));
  });

  test('no sync of the bytes: empty or torn files', () => {
    expect(afterSuccess([...draft, ...place, ...syncNames], 'file')).toContain('');
  });

  test('no sync of the directory: the file is missing', () => {
    expect(afterSuccess([...draft, sync(3), ...place], 'file')).toContain(undefined);
  });

  test('success told before the sync', () => {
    expect(afterSuccess([open(3, 'file'), ...syncNames, write(3, 'whole'), told, sync(3)], 'file')).toContain('');
  });
});

test('points have ids of their own and are the same for the same seed', () => {
  const recordings = new Map([['program', [open(3, 'a'), write(3, 'one'), told, sync(3), ...syncNames]]]);
  const points = choosePoints(recordings, 80, '7');
  expect(points.length).toBe(80);
  expect(new Set(points.map(idOf)).size).toBe(80);
  expect(choosePoints(recordings, 80, '7')).toEqual(points);
  const images = () => [...cutDisks(recordings.get('program')!, points, '7')].map(({ image }) => [...image]);
  expect(images()).toEqual(images());
});
