/** A hub that dies and comes back: what the return of its terminals costs, with tickets and without. */
import type { Fleet } from '../../fleet/fleet.ts';
import type { Bench, Contestant } from '../bench.ts';
import { BenchHub, cpuMsDuring, quiet } from './bench-hub.ts';

const COUNT = 1_000;
const COUNT_QUICK = 50;
const WIDTH = 32;

export const resume: Bench = {
  name: 'resume',
  part: 'hub',
  title: 'Terminals that come back after kill -9 of the hub',
  method:
    `${COUNT} connected terminals; the hub is killed with SIGKILL and started on the same data. When it is quiet the terminals dial, ${WIDTH} ` +
    'at a time, with the TLS tickets that they have: the share that resumed, and processor time of the hub for each of them until it is ' +
    'quiet again. The peer is the same with the tickets thrown away, so that each return is a full handshake.',
  figures: [
    { name: 'resumed', unit: '%', better: 'more', aim: { of: 'median', bound: 95 } },
    { name: 'CPU for each', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 0.6 } },
  ],
  async open(stage) {
    const hub = await BenchHub.start(stage);
    const fleet = await hub.fleet(stage.quick ? COUNT_QUICK : COUNT);
    await fleet.connect({ width: WIDTH });
    return {
      subjects: [returning('Stile', hub, fleet, false)],
      peer: returning('full handshakes', hub, fleet, true),
    };
  },
};

function returning(name: string, hub: BenchHub, fleet: Fleet, forgetTickets: boolean): Contestant {
  return {
    name,
    async measure() {
      await hub.kill();
      await fleet.until('all to miss the hub', ({ live }) => live === 0);
      // Nobody dials until the hub has done what every start takes.
      await fleet.disconnect();
      await hub.start();
      await quiet(hub.pid);
      const before = await fleet.tally();
      const cpuMs = await cpuMsDuring(hub.pid, () => fleet.connect({ width: WIDTH, forgetTickets }));
      const { resumedHandshakes } = await fleet.tally();
      const resumed = (100 * (resumedHandshakes - before.resumedHandshakes)) / fleet.size;
      return { ...(forgetTickets ? {} : { resumed }), 'CPU for each': cpuMs / fleet.size };
    },
  };
}
