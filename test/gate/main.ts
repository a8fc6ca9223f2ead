/** `npm run gate -- --seconds N`: a rush hour of N seconds (`rush-hour.ts`). Exit code 1 when an entry was lost or doubled. */
import { parseArgs } from 'node:util';
import { House } from '../house/house.ts';
import { rushHour } from './rush-hour.ts';

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { seconds: { type: 'string', default: '60' } } });
  const seconds = Number(values.seconds);
  if (!Number.isSafeInteger(seconds) || seconds < 1) throw new Error(`--seconds takes a number, not ${values.seconds}`);
  const house = new House();
  try {
    await house.startHub();
    await house.stile('pool', 'create', 'hall');
    await house.join('gate-1', 'hall');
    const { rush, tickets } = await rushHour(house, 'gate-1', seconds);
    const lost = rush.accepted - new Set(tickets).size;
    const doubled = tickets.length - new Set(tickets).size;
    const ms = (value: number) => `${value.toFixed(1)} ms`;
    process.stdout.write(
      `${rush.accepted} let in without the hub, the runtime killed once: ${lost} lost, ${doubled} doubled; ` +
        `p50 ${ms(rush.p50)}, p99 ${ms(rush.p99)}, slowest ${ms(rush.most)} (the restart)\n`,
    );
    return lost === 0 && doubled === 0 ? 0 : 1;
  } finally {
    await house.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
