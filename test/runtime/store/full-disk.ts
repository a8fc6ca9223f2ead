/** Run inside a mount namespace by full-disk.test.ts: `node full-disk.ts DIRECTORY`, a tmpfs of 24 MB. Prints what happened. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../protocol/errors.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { diskFaultOf } from '../../../protocol/node/sqlite.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { openStore } from '../../../runtime/store/recovery.ts';
import { ReserveFile } from '../../../runtime/store/reserve-file.ts';
import { ReservedJournal } from '../../../runtime/store/reserved-journal.ts';
import { Twins } from '../../../runtime/twins/twins.ts';
import { exampleRecord } from '../../contract/pod-records.ts';

const directory = process.argv[2]!;
const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

async function open() {
  const reserve = new ReserveFile(directory);
  const journal = new ReservedJournal(env, {
    journal: await openStore(env, directory, undefined),
    reserve,
    faultOf: diskFaultOf,
  });
  return { reserve, journal, store: await NodeStore.open(env.clock, journal) };
}

const { reserve, journal, store } = await open();
const result: Record<string, unknown> = { held: await reserve.hold() };
const twins = new Twins(env, { nodeName: 'gate-1' }, { store, putState: () => {} }, (error) => {
  throw error;
});
await twins.start();
const twin = () => twins.patch('gate-1', { properties: { reported: { text: 'x'.repeat(4_000) } } });
const ballast = join(directory, 'ballast');
const file = openSync(ballast, 'w');
try {
  for (;;) writeSync(file, Buffer.alloc(4096));
} catch (error) {
  result.filled = (error as NodeJS.ErrnoException).code;
} finally {
  closeSync(file);
}
const event = () => store.append({ type: 'ticket', data: 'x'.repeat(8_000) });
result.event = await outcome(event());
result.twin = await outcome(twin());
result.record = await outcome(store.podRecords().save(exampleRecord('uid-1')));
result.fault = journal.fault;
result.eventWhileFull = await outcome(event());
rmSync(ballast);
const stop = new AbortController();
const running = journal.run(stop.signal);
for (let n = 0; n < 100 && journal.fault !== undefined; n += 1) await systemClock.sleep(20);
stop.abort();
await running;
result.recovered = journal.fault === undefined;
result.eventAfter = await outcome(event());
result.twinAfter = await outcome(twin());
await twins.stop();
result.refused = store.refusedEvents;
await store.close();
const again = await open();
result.kept = again.store.state.pods.size;
result.twinsKept = again.store.state.twins.size;
await again.store.close();
process.stdout.write(JSON.stringify(result));
