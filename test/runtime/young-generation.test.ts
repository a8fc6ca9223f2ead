/** Goal: what the runtime makes and drops again does not grow its heap. Method: a process that makes and drops much. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MEBIBYTE = 2 ** 20;
const module = new URL('../../runtime/young-generation.ts', import.meta.url).href;
const wasteful = `
  let kept = [];
  for (let round = 0; round < 60; round += 1) {
    kept = [];
    for (let index = 0; index < 40_000; index += 1) kept.push({ index, text: 'x' + index });
  }
  const { getHeapSpaceStatistics } = await import('node:v8');
  console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);
`;

function youngBytes(first: string): number {
  const args = ['--input-type=module', '-e', `${first}\n${wasteful}`];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

test('the young generation stays as small as it starts, which it does not by itself', () => {
  const small = youngBytes(`(await import('${module}')).keepYoungGenerationSmall();`);
  expect(small).toBeLessThanOrEqual(4 * MEBIBYTE);
  expect(youngBytes('')).toBeGreaterThan(2 * small);
});
