/**
 * `npm run hub-losses -- --rounds N --seed S` loses and regains the hub N times (`loss-rounds.ts`). Exit code 1 and the
 * command that replays it when a pod that had not changed became another process.
 */
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { LossRounds, losses } from './loss-rounds.ts';

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '50' }, seed: { type: 'string' } },
  });
  const rounds = Number(values.rounds);
  const seed = values.seed ?? String(process.hrtime.bigint() % 1_000_000n);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a number, not ${values.rounds}`);
  const house = new LossRounds(seed);
  process.stdout.write(`seed ${seed}\n`);
  try {
    await house.open();
    const before = await house.steady();
    let compared = 0;
    for (let index = 0; index < rounds; index += 1) {
      const { loss, changes, unchanged, ms } = await house.round(losses[index % losses.length]!);
      compared += unchanged;
      process.stdout.write(
        `${String(index + 1).padStart(3)}  ${loss.padEnd(11)}  ${String(unchanged).padStart(2)} pods stayed  ` +
          `${String(ms).padStart(5)} ms  ${changes.join(', ')}\n`,
      );
    }
    const after = await house.steady();
    if (!isDeepStrictEqual(after, before))
      throw new Error(`the steady pods became other processes: ${diff(before, after)}`);
    process.stdout.write(
      `${rounds} losses, ${house.dials} connections: ${compared} times a pod stayed, each time as the same process\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(
      `${(error as Error).message}\nreplay: npm run hub-losses -- --rounds ${rounds} --seed ${seed}\n`,
    );
    return 1;
  } finally {
    await house.close();
  }
}

const diff = (before: unknown, after: unknown): string => `${JSON.stringify(before)} to ${JSON.stringify(after)}`;

process.exitCode = await main(process.argv.slice(2));
