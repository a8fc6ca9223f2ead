/**
 * A terminal that does nothing but update itself, as a process of its own for each phase:
 *
 *   order DATA_DIR KEY FILE   somebody brings FILE and the runtime takes it
 *   launch DATA_DIR           a start; prints `own`, or becomes a version
 *   version DATA_DIR          what a version is: healthy at once; prints `ran DIGEST`
 */
import { readFileSync } from 'node:fs';
import type { Env } from '../../../protocol/env.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { type Launched, launch, takeLaunched } from '../../../runtime/update/launch.ts';
import { updateKeys } from '../../../runtime/update/statement.ts';
import { Updates } from '../../../runtime/update/updates.ts';
import { VersionFiles } from '../../../runtime/update/version-files.ts';

const [phase, dataDir, key, file] = process.argv.slice(2) as [string, string, string?, string?];
const version = '0.1.0';
const clock = { now: () => systemClock.now(), monotonic: () => systemClock.monotonic(), sleep: async () => {} };
const env: Env = { clock, random: systemRandom, log: createLog('silent') };
const files = new VersionFiles(dataDir);

function open(launched: Launched | undefined): Promise<Updates> {
  const keys = key === undefined ? [] : updateKeys(readFileSync(key, 'utf8'), key);
  const nothing = async () => {};
  return Updates.open(
    env,
    { version, platform: `linux-${process.arch}`, launched, keys },
    {
      files,
      keepStore: nothing,
      forgetStore: nothing,
      isHubLive: () => false,
      podsReturned: nothing,
      condition: () => {},
      event: async () => true,
      leave: () => {},
    },
  );
}

const live = new AbortController().signal;
if (phase === 'order') {
  const updates = await open(undefined);
  await files.open();
  await files.bring(file!, readFileSync(`${file}.statement`, 'utf8'));
  await updates.order({ settleMs: 0, graceMs: 60_000, downgrade: false });
} else if (phase === 'launch') {
  const { PATH, STILE_KILL } = process.env;
  const environment = { PATH, STILE_KILL };
  await launch(env, { dataDir, version, command: ['/bin/true'], args: ['version', dataDir], environment });
  await (await open(undefined)).run(live);
  process.stdout.write('own\n');
} else {
  const launched = takeLaunched(process.env);
  await (await open(launched)).run(live);
  process.stdout.write(`ran ${launched?.digest}\n`);
}
