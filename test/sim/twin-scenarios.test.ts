/**
 * Fault F8, edits made apart, and what seeds found out about twins: each alone in a small house without any other
 * fault. After each, both sides of every twin show the same.
 */
import { expect, test } from 'vitest';
import { twinKind } from '../../cloud/kinds/registry.ts';
import type { Json, Twin } from '../../protocol/kubernetes.ts';
import { Fleet, fleetDefaults } from './fleet.ts';
import { withoutRealWorld } from './guard.ts';
import { unrest } from './rest.ts';
import type { SimNode } from './sim-node.ts';
import { changeDesired } from './twin-operator.ts';
import { World } from './world.ts';

const minuteMs = 60_000;
const TEST_MS = 60_000;

class House {
  readonly fleet: Fleet;
  readonly #world: World;

  constructor(name: string) {
    this.#world = new World(name);
    const options = { ...fleetDefaults, nodeCount: 3, poolCount: 2, newerPercent: 0 };
    this.fleet = new Fleet(this.#world, options, [], (error) => {
      throw error;
    });
    this.fleet.images.push('gate:6');
    // What is written is the scenario's alone.
    this.fleet.busy = false;
    this.fleet.start();
  }

  get node(): SimNode {
    return this.fleet.served()[0]!;
  }

  pass(ms: number): Promise<void> {
    return this.#world.run(this.#world.nowMs + ms);
  }

  /** Resolves to what `work` gives, which needs time to pass. */
  async during<T>(work: Promise<T>): Promise<T> {
    await this.#world.settle(work, minuteMs);
    return work;
  }

  async twin(): Promise<Twin> {
    return (await this.fleet.hub.store!.get(twinKind, undefined, this.node.name)) as Twin;
  }

  atNode(properties: { [section: string]: Json }): Promise<unknown> {
    return this.during(this.node.terminal!.twins.patch(this.node.name, { properties }));
  }

  atHub(patch: { [member: string]: Json }): Promise<unknown> {
    return this.during(changeDesired(this.fleet.hub.store!, this.node.name, patch));
  }

  shown(): unknown {
    const { desired } = this.node.terminal!.twins.get(this.node.name)!.document.properties;
    const { $metadata: _, ...rest } = desired;
    return rest;
  }

  apart(): void {
    this.fleet.network.partition(this.node.name, 'hub', 'dead');
  }

  together(): void {
    this.fleet.network.heal(this.node.name, 'hub');
  }

  async rest(): Promise<void> {
    for (let looks = 0; looks < 60 && (await unrest(this.fleet)) !== undefined; looks += 1) await this.pass(10_000);
    expect(await unrest(this.fleet)).toBeUndefined();
  }
}

function play(name: string, scenario: (house: House) => Promise<void>): void {
  test(name, { timeout: TEST_MS }, () =>
    withoutRealWorld(async () => {
      const house = new House(name);
      await house.pass(minuteMs);
      await scenario(house);
      await house.rest();
    }),
  );
}

play(
  'F8: what both sides changed while apart is the hub’s, the rest is of both, and the conflict is told',
  async (house) => {
    await house.atHub({ mode: 'both', limit: 1 });
    await house.rest();
    house.apart();
    await house.atNode({ desired: { mode: 'node', colour: 'node' } });
    await house.atHub({ mode: 'hub', limit: 2 });
    expect(house.shown()).toMatchObject({ mode: 'node', limit: 1, colour: 'node', $pending: true });
    house.together();
    await house.rest();
    expect(house.shown()).toEqual({ mode: 'hub', limit: 2, colour: 'node', $version: 4 });
    const { spec, status } = await house.twin();
    expect(spec.desired).toEqual({ mode: 'hub', limit: 2, colour: 'node' });
    expect(status?.conflicts).toMatchObject([{ path: 'mode', winner: 'hub', lost: 'node' }]);
  },
);

play(
  'F8: a twin that was deleted and made again while apart is a new one: nothing of the old comes back',
  async (house) => {
    await house.atHub({ mode: 'old' });
    await house.rest();
    const { uid } = (await house.twin()).metadata;
    house.apart();
    await house.during(house.fleet.hub.store!.delete(twinKind, undefined, house.node.name));
    await house.atNode({ desired: { colour: 'old' }, reported: { level: 1 } });
    house.together();
    await house.rest();
    const { metadata, spec, status } = await house.twin();
    expect(metadata.uid).not.toBe(uid);
    expect([spec.desired, status?.desired.version, status?.reported?.value]).toEqual([{}, 1, {}]);
  },
);

play('F8: messages out of order, doubled and missing change nothing of the outcome', async (house) => {
  const { network } = house.fleet;
  const both = (profile: Parameters<typeof network.set>[2]) => {
    network.set(house.node.name, 'hub', profile);
    network.set('hub', house.node.name, profile);
  };
  both({ lossRate: 0.15, duplicateRate: 0.15, reorderRate: 0.15 });
  for (let turn = 1; turn <= 20; turn += 1) {
    await house.atNode({ desired: { colour: `node ${turn}` }, reported: { level: turn } });
    await house.atHub({ mode: `hub ${turn}` });
    await house.pass(1_000);
  }
  both({ lossRate: 0, duplicateRate: 0, reorderRate: 0 });
  await house.rest();
  expect(house.shown()).toMatchObject({ mode: 'hub 20', colour: 'node 20' });
  expect((await house.twin()).status?.reported?.value).toEqual({ level: 20 });
});

play('a terminal that was revoked and set up anew goes on with its twin and what it wrote meanwhile', async (house) => {
  await house.atNode({ reported: { level: 1 } });
  await house.rest();
  const before = await house.twin();
  house.fleet.operator.revoke(house.node.name);
  await house.pass(10_000);
  await house.atNode({ desired: { colour: 'node' }, reported: { level: 2 } });
  house.fleet.visit(house.node);
  await house.rest();
  const { metadata, spec, status } = await house.twin();
  expect(metadata.uid).toBe(before.metadata.uid);
  expect([spec.desired, status?.reported?.value]).toEqual([{ colour: 'node' }, { level: 2 }]);
  expect(status!.reported!.version).toBeGreaterThan(before.status!.reported!.version);
});

play(
  'a hub that was put back to before a deletion hears what the terminal reports of the twin that came back',
  async (house) => {
    for (let level = 1; level <= 5; level += 1) await house.atNode({ reported: { level } });
    await house.rest();
    const { hub } = house.fleet;
    const backup = hub.backup();
    const { uid } = (await house.twin()).metadata;
    await house.during(hub.store!.delete(twinKind, undefined, house.node.name));
    await house.rest();
    hub.die('power-cut');
    hub.restore(backup);
    void hub.boot();
    await house.pass(minuteMs);
    await house.atNode({ reported: { place: 'here' } });
    await house.rest();
    const { metadata, status } = await house.twin();
    expect(metadata.uid).toBe(uid);
    expect(status?.reported?.value).toMatchObject({ place: 'here' });
  },
);
