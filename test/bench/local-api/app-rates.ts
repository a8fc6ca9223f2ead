/** How much the local API does in a second when many ask at the same time. */
import { join } from 'node:path';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { startDurableLogServer } from '../peers/bare-node.ts';
import { Caller, ratePerSecond, type TerminalApi, terminalApis } from './terminal-api.ts';

const LANES = 32;
const text = 'x'.repeat(1_000);
/** Of all rounds together 64 MiB would be refused: nobody takes them off. */
const EVENTS_MAX = 3_000;

export const appRates: Bench = {
  name: 'app-rates',
  part: 'local API',
  title: 'Thirty-two connections of apps',
  method:
    'Over the Unix socket with the hub away, 32 connections, each with its next call when the one before is answered: a twin of ' +
    '1 KB read, written durably and fast, and events of 1 KB appended durably. The peer is bare Node: an HTTP server whose ' +
    'GET answers nothing at once, and whose POST, compared with what is durable, appends the body to a file and calls fdatasync.',
  figures: [
    { name: 'GET', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 0.85 } },
    { name: 'durable PATCH', unit: '1/s', better: 'more' },
    { name: 'fast PATCH', unit: '1/s', better: 'more' },
    { name: 'events', unit: '1/s', better: 'more' },
  ],
  async open(stage) {
    const count = stage.quick ? 500 : 5_000;
    const apis = await terminalApis(stage);
    const socket = join(stage.folder, 'bare.sock');
    await startDurableLogServer(stage, socket);
    const bare = callerOf(stage, socket, '');
    return {
      subjects: apis.map((api) => ratesOf(stage, api, count)),
      peer: {
        name: 'bare Node',
        measure: async () => {
          const get = await ratePerSecond(count, LANES, () => bare.succeed('GET', '/'));
          const durable = await ratePerSecond(count, LANES, () => bare.succeed('POST', '/', { data: text }));
          return { GET: get, 'durable PATCH': durable, events: durable };
        },
      },
    };
  },
};

function ratesOf(stage: Stage, { name, node, socket, token }: TerminalApi, count: number): Contestant {
  const caller = callerOf(stage, socket, token);
  const path = `/twins/${node}`;
  const patch = (number: number) => ({ properties: { reported: { text, number } } });
  const fast = { prefer: 'fast' };
  return {
    name,
    measure: async () => ({
      GET: await ratePerSecond(count, LANES, () => caller.succeed('GET', path)),
      'durable PATCH': await ratePerSecond(count, LANES, (number) => caller.succeed('PATCH', path, patch(number))),
      'fast PATCH': await ratePerSecond(count, LANES, (number) => caller.succeed('PATCH', path, patch(number), fast)),
      events: await ratePerSecond(Math.min(count, EVENTS_MAX), LANES, () =>
        caller.succeed('POST', '/events', { type: 'bench', data: text }),
      ),
    }),
  };
}

function callerOf(stage: Stage, socket: string, token: string): Caller {
  const caller = new Caller(socket, token, LANES);
  stage.later(async () => caller.close());
  return caller;
}
