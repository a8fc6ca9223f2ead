/** A seed is the run: twice here and once in another process, under another heap limit, it gives the same trace. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { runSeed } from './run.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const size = { minutes: 3, nodeCount: 20 };

test('the same seed gives the same trace, here and in another process; another seed another one', {
  timeout: 120_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=256',
    main,
    ...['--seed', '7', '--minutes', String(size.minutes), '--nodes', String(size.nodeCount)],
  ]);
  const elsewhere = /^trace hash: *(\w+)$/m.exec(stdout)?.[1];
  const [one, two, other] = await withoutRealWorld(async () => [
    await runSeed({ seed: '7', ...size }),
    await runSeed({ seed: '7', ...size }),
    await runSeed({ seed: '8', ...size }),
  ]);
  expect(two).toEqual(one);
  expect(elsewhere).toBe(one!.traceHash);
  expect(other!.traceHash).not.toBe(one!.traceHash);
});
