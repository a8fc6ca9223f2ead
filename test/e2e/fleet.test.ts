import { expect, it } from 'vitest';
import { listedHub } from '../fleet/listed-hub.ts';

const NODES = 50;
const SECONDS = 4;

it('one client that lists everything costs no terminal its session and makes no node look away', async () => {
  const { tally, requests, objects, away } = await listedHub({ nodes: NODES, seconds: SECONDS, note: () => {} });
  expect(tally).toMatchObject({ members: NODES, live: NODES, lost: 0, refused: 0, failed: 0, fullHandshakes: NODES });
  expect(away).toEqual([]);
  // Nodes and their pods, each whole and in chunks.
  expect(objects).toBeGreaterThanOrEqual(4 * NODES);
  expect(requests).toBeGreaterThan(20);
});
