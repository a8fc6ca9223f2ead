/** The power comes back, the hub does not: until every pod runs again. */
import type { Bench } from '../bench.ts';
import { startChildren } from '../peers/bare-node.ts';
import { joinedTerminals, podCommand } from './joined-terminal.ts';

const PODS = 10;

export const offlineRestart: Bench = {
  name: 'offline-restart',
  part: 'terminal',
  title: 'Offline restart',
  method:
    'Runtime and pods are killed at the same moment, the hub is gone. From the spawn of the runtime until its control socket ' +
    'tells ten running pods (asked each 10 ms): each has its record and a durable intent by then. The peer is a bare Node that ' +
    'spawns the same ten programs and keeps no record.',
  figures: [{ name: 'to 10 pods', unit: 'ms', better: 'less', aim: { of: 'median', bound: 10_000 } }],
  async open(stage) {
    const { house, all } = await joinedTerminals(stage, PODS);
    await house.hub!.kill('SIGKILL');
    return {
      subjects: all.map((terminal) => ({
        name: terminal.name,
        measure: async () => {
          terminal.start();
          const running = await terminal.podsRunning(PODS);
          await terminal.losePower();
          return { 'to 10 pods': running };
        },
      })),
      peer: {
        name: 'bare Node',
        measure: async () => {
          const process = startChildren(PODS, podCommand);
          stage.later(() => process.kill('SIGTERM'));
          const running = await process.line(/all run/);
          await process.kill('SIGTERM');
          return { 'to 10 pods': running };
        },
      },
    };
  },
};
