/** From the power switch to a terminal that does its work, as far as the runtime can help it. */
import type { Bench } from '../bench.ts';
import { startEmptyHttpServer } from '../peers/bare-node.ts';
import { joinedTerminals } from './joined-terminal.ts';

export const start: Bench = {
  name: 'start',
  part: 'terminal',
  title: 'Start',
  method:
    'A joined terminal without pods and with its hub away, after a SIGKILL: from the spawn to its line `started`, when the ' +
    'store is open and it can be asked on the spot. The peer is a bare Node until its empty HTTP server listens.',
  figures: [{ name: 'to ready', unit: 'ms', better: 'less', aim: { of: 'median', bound: 150, subject: 'packed' } }],
  async open(stage) {
    const { house, all } = await joinedTerminals(stage, 0);
    await house.hub!.kill('SIGKILL');
    return {
      subjects: all.map((terminal) => ({
        name: terminal.name,
        measure: async () => {
          const ready = await terminal.start().line(/"msg":"started"/);
          await terminal.crash();
          return { 'to ready': ready };
        },
      })),
      peer: {
        name: 'bare Node',
        measure: async () => {
          const process = startEmptyHttpServer();
          stage.later(() => process.kill('SIGKILL'));
          const ready = await process.line(/listens/);
          await process.kill('SIGKILL');
          return { 'to ready': ready };
        },
      },
    };
  },
};
