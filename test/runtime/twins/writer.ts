/**
 * Run by twins-kill.test.ts, which kills it: `node writer.ts DIRECTORY`. Writes the twin of `gate-1` as fast as it can,
 * several durable writes at a time and fast ones between them, and prints a line for each that was answered.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import { Twins } from '../../../runtime/twins/twins.ts';

const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
const journal = await SqliteJournal.open(join(process.argv[2]!, 'state.db'), 'e1'.repeat(16));
const store = await NodeStore.open(env.clock, journal);
const twins = new Twins(env, { nodeName: 'gate-1' }, { store, putState: () => {} }, (error) => {
  throw error;
});
await twins.start();
// A line at once, by a call that does not come back before the bytes are with the kernel: a kill takes none of them.
const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`);
const { sequence, document } = twins.get('gate-1')!;
say({ started: true, sequence, reported: document.properties.reported });
// Shown is as good as answered: an observer has it.
twins.onChange((change) => say({ shown: change.sequence, reported: change.next!.properties.reported }));

async function writeOn(lane: number): Promise<void> {
  const first = (document.properties.reported[`lane${lane}`] as number | undefined) ?? 0;
  for (let n = first + 1; ; n += 1) {
    const durable = (n + lane) % 3 !== 0;
    await twins.patch('gate-1', { properties: { reported: { [`lane${lane}`]: n } } }, { durable });
    if (durable) say({ lane, n });
  }
}
await Promise.all([0, 1, 2, 3].map(writeOn));
