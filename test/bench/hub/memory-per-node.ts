/** What a connected terminal that says nothing keeps of the hub's memory. */
import type { Fleet } from '../../fleet/fleet.ts';
import { memoryOf } from '../../house/process-facts.ts';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { startBareTlsServer } from '../peers/bare-node.ts';
import { ROUNDS_MIN } from '../run-bench.ts';
import { BenchHub, openFleet, quiet } from './bench-hub.ts';

const COUNT = 5_000;
const COUNT_QUICK = 50;
const WIDTH = 32;

export const memoryPerNode: Bench = {
  name: 'memory-per-node',
  part: 'hub',
  title: 'Memory for each connected terminal',
  method:
    `RSS of a hub that was just started and knows ${COUNT} terminals, and again when all are connected and it is quiet: the difference, ` +
    'for each terminal. The peer is a bare server of node:tls with client certificates that keeps as many connections and nothing else.',
  rounds: ROUNDS_MIN,
  figures: [{ name: 'RSS', unit: 'KiB', better: 'less', aim: { of: 'ratio', bound: 1.15 } }],
  async open(stage) {
    const count = stage.quick ? COUNT_QUICK : COUNT;
    const hub = await BenchHub.start(stage);
    return { subjects: [connected(hub, await hub.fleet(count))], peer: await bareTls(stage, count) };
  },
};

function connected(hub: BenchHub, fleet: Fleet): Contestant {
  return {
    name: 'Stile',
    async measure() {
      await hub.kill();
      await hub.start();
      const kibibytes = await growth(hub.pid, fleet);
      await fleet.disconnect();
      return { RSS: kibibytes };
    },
  };
}

async function bareTls(stage: Stage, count: number): Promise<Contestant> {
  return {
    name: 'node:tls',
    async measure() {
      const server = await startBareTlsServer(stage, 1);
      const clients = await openFleet(stage, count, { kind: 'tls', door: server.door });
      const kibibytes = await growth(server.pid, clients);
      await clients.close();
      await server.stop();
      return { RSS: kibibytes };
    },
  };
}

/** Of the RSS of process `pid`, KiB for each member. */
async function growth(pid: number, fleet: Fleet): Promise<number> {
  await quiet(pid);
  const before = (await memoryOf(pid)).rss;
  await fleet.connect({ width: WIDTH, forgetTickets: true });
  await quiet(pid);
  return ((await memoryOf(pid)).rss - before) / 1024 / fleet.size;
}
