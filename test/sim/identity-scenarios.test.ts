/** What seeds found out about identities, each alone in a small house without any other fault. */
import { expect, test } from 'vitest';
import { Fleet, fleetDefaults } from './fleet.ts';
import { withoutRealWorld } from './guard.ts';
import { unrest } from './rest.ts';
import type { SimNode } from './sim-node.ts';
import { WORLD_EPOCH_MS, World } from './world.ts';

const minuteMs = 60_000;
const JOINED_MS = minuteMs;
/** Longer than a certificate lasts. */
const LONG_MS = 8 * minuteMs;
const TEST_MS = 60_000;

interface House {
  world: World;
  fleet: Fleet;
  node: SimNode;
  pass(ms: number): Promise<void>;
}

/** Plays `scenario`; within ten minutes after it everything must be at rest. */
function play(name: string, scenario: (house: House) => Promise<void>): void {
  test(name, { timeout: TEST_MS }, async () => {
    await withoutRealWorld(async () => {
      const world = new World(name);
      const options = { ...fleetDefaults, nodeCount: 4, poolCount: 2, newerPercent: 0 };
      const fleet = new Fleet(world, options, [], (error) => {
        throw error;
      });
      fleet.images.push('gate:6');
      fleet.start();
      const pass = (ms: number) => world.run(world.nowMs + ms);
      await pass(JOINED_MS);
      await scenario({ world, fleet, node: fleet.served()[0]!, pass });
      for (let looks = 0; looks < 60 && (await unrest(fleet)) !== undefined; looks += 1) await pass(10_000);
      expect(await unrest(fleet)).toBeUndefined();
    });
  });
}

play('a terminal that was revoked and set up anew gets its whole view, though its own was emptied', async (house) => {
  const { fleet, node, pass } = house;
  fleet.operator.revoke(node.name);
  await pass(10_000);
  expect(node.terminal?.link.refused).toMatchObject({ code: 'E_IDENTITY_REFUSED' });
  expect(node.processes.living()).toEqual([]);
  fleet.visit(node);
});

play('terminals renew their certificates at a hub that lost its store', async ({ fleet, node, pass }) => {
  const before = node.identity?.current.certificatePem;
  fleet.hub.die('power-cut');
  fleet.hub.loseStore();
  void fleet.hub.boot();
  await pass(LONG_MS);
  expect(node.identity?.current.certificatePem).not.toBe(before);
});

play('a hub that wakes in 1970 shuts nobody out by the certificates that it signs', async ({ world, fleet, pass }) => {
  fleet.hub.host.wall.set(0);
  await pass(LONG_MS);
  fleet.visit(fleet.served()[1]!);
  await pass(minuteMs);
  fleet.hub.host.wall.set(WORLD_EPOCH_MS + world.nowMs);
});

play('a clock that went back lets no terminal renew again and again', async ({ fleet, node, pass }) => {
  fleet.hub.host.wall.jump(-60 * minuteMs);
  fleet.visit(node);
  await pass(10_000);
  const given = new Set<string | undefined>();
  for (let second = 0; second < 120; second += 1) {
    await pass(1_000);
    given.add(node.identity?.current.certificatePem);
  }
  expect(given.size).toBeLessThanOrEqual(2);
});

play('a terminal that was off for longer than its certificate lasts comes back by itself', async ({ node, pass }) => {
  const before = node.identity?.current.certificatePem;
  node.die('power-cut');
  await pass(LONG_MS);
  void node.boot();
  await pass(minuteMs);
  expect(node.identity?.current.certificatePem).not.toBe(before);
});

play(
  'of a stolen identity both are shut out, and the copy stays out when the right one is set up anew',
  async (house) => {
    const { fleet, node, pass } = house;
    const copy = fleet.addCopy(node, 1);
    await pass(2 * minuteMs);
    expect(fleet.hub.roster?.suspendedNodes()).toEqual([node.name]);
    fleet.operator.revoke(node.name);
    await pass(10_000);
    fleet.visit(node);
    await pass(2 * minuteMs);
    expect(copy.terminal?.link).toMatchObject({ live: false, refused: { code: 'E_IDENTITY_REFUSED' } });
    expect(node.terminal?.link.live).toBe(true);
  },
);

play('a copy that is found while the disk is full does not shut out who is set up anew', async (house) => {
  const { fleet, node, pass } = house;
  const copy = fleet.addCopy(node, 1);
  await pass(2_000);
  fleet.hub.disk.full = true;
  const suspended = () => fleet.hub.roster?.suspendedNodes() ?? [];
  for (let second = 0; second < 120 && suspended().length === 0; second += 1) await pass(1_000);
  expect(suspended()).toEqual([node.name]);
  fleet.hub.disk.full = false;
  copy.die('power-cut');
  fleet.visit(node);
  await pass(2 * minuteMs);
  expect(suspended()).toEqual([]);
  expect(node.terminal?.link.live).toBe(true);
});
