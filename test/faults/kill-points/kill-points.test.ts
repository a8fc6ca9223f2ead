/**
 * Goal: wherever the power is cut, runtime and hub start again, have every acknowledged record once, and are still who
 * they were. Method: README.md beside. `npm run kill-points` looks at many more points than this.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { SimRandom } from '../../sim/random.ts';
import { DiskModel, type Image } from './disk-model.ts';
import { readImage } from './image-files.ts';
import { choosePoints, cutDisks } from './kill-points.ts';
import { lookAt } from './look.ts';
import { compileRecorder, missingCompiler, type Recorded, record, scratchFolder } from './recorder.ts';
import { scenarios } from './scenarios/scenarios.ts';

const POINTS = 250;
const SEED = '1';
const driver = fileURLToPath(new URL('drive.ts', import.meta.url));
const missing = missingCompiler();
const scratch = scratchFolder();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test(`${POINTS} kill points lose and double nothing`, async (context) => {
  if (missing !== undefined) return context.skip(missing);
  const library = compileRecorder(scratch);
  const recordings = new Map<string, Recorded['operations']>();
  for (const { name } of scenarios) {
    const { operations, directory } = record(library, scratch, name, [driver, name, '{}', SEED]);
    recordings.set(name, operations);
    // What the recorder does not see would be missing on every disk that is looked at.
    const disk = new DiskModel();
    for (const operation of operations) disk.apply(operation);
    expect(comparable(disk.image('kept', new SimRandom(SEED))), name).toEqual(comparable(readImage(directory)));
  }
  const points = choosePoints(recordings, POINTS, SEED);
  expect(points.length).toBe(POINTS);
  const failures = await lookAt(points, { recordings, seed: SEED, scratch });
  const told = failures.slice(0, 5).map(({ id, reason }) => `${id}: ${reason}`);
  expect(told, `${failures.length} points failed`).toEqual([]);
});

test('a program that tells success before a sync is caught, recorded as it runs', (context) => {
  if (missing !== undefined) return context.skip(missing);
  const library = compileRecorder(scratch);
  const lost = (name: string, sync: string) => {
    const program = `import { appendFileSync, closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
      const [, directory] = process.argv;
      const file = openSync(directory + '/file', 'w');
      const names = openSync(directory, 'r');
      writeSync(file, 'whole');
      ${sync}
      appendFileSync(process.env.RECORDER_MARKS, '{"phase":"done","lane":"file","step":1}');`;
    const { operations } = record(library, scratch, name, ['--input-type=module', '-e', program, '{}']);
    const points = choosePoints(new Map([[name, operations]]), 100, SEED);
    const disks = [...cutDisks([...operations], points, SEED)].filter(({ marks }) => marks.length > 0);
    expect(disks.length, name).toBeGreaterThan(0);
    return disks.filter(({ image }) => comparable(image).get('file') !== 'whole').length;
  };
  // The last thing that happens must be a change of the disk, so that there are points after what was told.
  const after = "process.on('exit', () => { const end = openSync(directory + '/end', 'w'); writeSync(end, 'end'); });";
  expect(lost('careful', `fsyncSync(file); fsyncSync(names); ${after}`)).toBe(0);
  expect(lost('careless-bytes', `fsyncSync(names); ${after}`)).toBeGreaterThan(0);
  expect(lost('careless-names', `fsyncSync(file); ${after}`)).toBeGreaterThan(0);
});

function comparable(image: Image): Map<string, string> {
  const texts = [...image].map(([path, entry]): [string, string] => {
    const text = entry.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : JSON.stringify(entry);
    return [path, text];
  });
  return new Map(texts.sort(([one], [other]) => (one < other ? -1 : 1)));
}
