/** A process full of members of a fleet, told what to do by its parent (`fleet.ts`) over its IPC channel. */
import type { Env } from '../../protocol/env.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { type Crew, type CrewPlan, type Manner, openCrew } from './crew.ts';

export type Order =
  | { do: 'open'; plan: CrewPlan }
  | { do: 'connect'; manner: Manner }
  | { do: 'disconnect' }
  | { do: 'tally' }
  | { do: 'ports' };

export interface Numbered {
  number: number;
  order: Order;
}

export interface Done {
  number: number;
  result?: unknown;
  fault?: string;
}

const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
let crew: Crew | undefined;

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'open') {
    crew = await openCrew(env, order.plan);
    return undefined;
  }
  if (crew === undefined) throw new Error('no crew was opened');
  if (order.do === 'connect') return crew.connect(order.manner);
  if (order.do === 'disconnect') return crew.disconnect();
  if (order.do === 'ports') return crew.localPorts();
  return crew.tally;
}

process.on('message', ({ number, order }: Numbered) => {
  obey(order).then(
    (result) => process.send!({ number, result } satisfies Done),
    (error: unknown) => process.send!({ number, fault: String((error as Error)?.stack ?? error) } satisfies Done),
  );
});
// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit(0));
