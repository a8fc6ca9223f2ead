/** What goes wrong in the safety phase, drawn from the seed; and how all of it ends. */
import type { Fleet } from './fleet.ts';
import type { HubDiskState } from './hub-disk.ts';
import { calmLink } from './link.ts';
import type { SimRandom } from './random.ts';
import type { SimNode } from './sim-node.ts';
import { type Death, type Timer, WORLD_EPOCH_MS } from './world.ts';

/** Mean time between two faults. */
const FAULT_EVERY_MS = 1_500;
const hourMs = 3_600_000;
const YEAR_MS = 365 * 24 * hourMs;
/** Longer than a certificate lasts. */
const SHELF_MS_MAX = 480_000;

/** Relative frequencies. */
const weights = {
  nodeCrash: 6,
  nodePowerCut: 5,
  nodeDiskLost: 1,
  nodeStoreCopied: 2,
  nodeStoreDamaged: 1.5,
  nodeShelved: 0.7,
  identityStolen: 0.6,
  nodeDiskFull: 2,
  nodeClockJump: 3,
  partition: 5,
  oneWayCut: 2,
  reset: 4,
  halfOpen: 3,
  lossyLink: 4,
  slowLink: 2,
  processKilled: 3,
  nodeJoins: 1,
  poolPartition: 0.2,
  lossyNetwork: 0.3,
  hubCrash: 0.5,
  hubPowerCut: 0.5,
  hubRestart: 0.4,
  hubDiskFull: 0.4,
  hubClockJump: 0.4,
  hubBackup: 1,
  hubRestored: 0.25,
  hubLost: 0.1,
} as const;

export type FaultName = keyof typeof weights;

export class Faults {
  readonly #fleet: Fleet;
  readonly #random: SimRandom;
  readonly #counts = new Map<FaultName, number>();
  #backup: HubDiskState | undefined;
  /** Of faults to come and of those that end by themselves. */
  readonly #timers = new Set<Timer>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#random = fleet.world.random.fork('faults');
  }

  /** How often each fault came. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Faults come until `heal`. */
  begin(): void {
    this.#later(2 * FAULT_EVERY_MS, () => {
      const name = this.#draw();
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      this.#fleet.world.trace.line(this.#fleet.world.nowMs, 'faults', 'info', name);
      this.#kinds[name]();
      this.begin();
    });
  }

  /** Everything is right again: links, disks, clocks, power. What it broke has to mend itself. */
  heal(): void {
    const { network, hub, nodes, world, options } = this.#fleet;
    for (const timer of this.#timers) timer.cancel();
    network.healAll();
    network.setAll({ bytesPerSecond: options.bytesPerSecond });
    for (const { host, disk } of [hub, ...nodes]) {
      disk.full = false;
      host.wall.set(WORLD_EPOCH_MS + world.nowMs);
    }
    this.#boot(hub);
    for (const node of nodes) {
      if (!node.setUp) this.#fleet.visit(node);
      else this.#boot(node);
    }
    this.#fleet.dropErrands();
    this.#fleet.thefts.end();
    this.#fleet.operator.visitAll();
    this.#fleet.visitAfterLosses();
  }

  readonly #kinds: Record<FaultName, () => void> = {
    nodeCrash: () => this.#down(this.#node(), 'crash'),
    nodePowerCut: () => this.#down(this.#node(), 'power-cut'),
    nodeDiskLost: () => {
      const node = this.#node();
      node.loseDisk();
      this.#lasting(20_000, () => this.#fleet.visit(node));
    },
    nodeStoreCopied: () => {
      const node = this.#node();
      node.copyStore();
      this.#boot(node);
    },
    nodeStoreDamaged: () => {
      const node = this.#node();
      node.damageStore();
      this.#lasting(5_000, () => this.#boot(node));
    },
    nodeShelved: () => {
      const node = this.#node();
      node.die('power-cut');
      this.#later(SHELF_MS_MAX, () => this.#boot(node));
    },
    identityStolen: () => this.#fleet.thefts.steal(this.#node()),
    nodeDiskFull: () => this.#fill(this.#node()),
    nodeClockJump: () => this.#jump(this.#node()),
    partition: () => {
      const { name } = this.#node();
      this.#fleet.network.partition(name, 'hub', this.#random.pick(['dead', 'resume'] as const));
      this.#lasting(90_000, () => this.#fleet.network.heal(name, 'hub'));
    },
    oneWayCut: () => {
      const { name } = this.#node();
      const [from, to] = this.#random.chance(0.5) ? [name, 'hub'] : ['hub', name];
      this.#fleet.network.cut(from, to, this.#random.pick(['dead', 'resume'] as const));
      this.#lasting(60_000, () => this.#fleet.network.heal(name, 'hub'));
    },
    reset: () => this.#fleet.network.reset(this.#node().name, 'hub'),
    halfOpen: () => this.#fleet.network.sever(this.#node().name, 'hub'),
    lossyLink: () => {
      const rate = this.#random.between(0, 0.1);
      const bad = { lossRate: rate, duplicateRate: rate, reorderRate: rate, resetRate: rate / 10, refuseRate: rate };
      const good = { lossRate: 0, duplicateRate: 0, reorderRate: 0, resetRate: 0, refuseRate: 0 };
      this.#impair(this.#node(), bad, good);
    },
    slowLink: () => {
      const bad = { bytesPerSecond: this.#random.integer(500, 5_000), latencyMs: this.#random.integer(100, 2_000) };
      this.#impair(this.#node(), bad, {
        bytesPerSecond: this.#fleet.options.bytesPerSecond,
        latencyMs: calmLink.latencyMs,
      });
    },
    processKilled: () => {
      const { processes } = this.#node();
      const living = processes.living();
      if (living.length > 0) processes.end(this.#random.pick(living).identity.pid, { signal: 9 });
    },
    nodeJoins: () => void this.#fleet.addNode(),
    poolPartition: () => {
      const { network, nodes, options } = this.#fleet;
      const names = nodes.filter((_node, index) => index % options.poolCount === 0).map(({ name }) => name);
      for (const name of names) network.partition(name, 'hub', 'dead');
      this.#lasting(60_000, () => {
        for (const name of names) network.heal(name, 'hub');
      });
    },
    lossyNetwork: () => {
      const { network } = this.#fleet;
      network.setAll({ lossRate: 0.02, duplicateRate: 0.02, reorderRate: 0.02, resetRate: 0.002 });
      this.#lasting(10_000, () => network.setAll({ lossRate: 0, duplicateRate: 0, reorderRate: 0, resetRate: 0 }));
    },
    hubCrash: () => this.#down(this.#fleet.hub, 'crash'),
    hubPowerCut: () => this.#down(this.#fleet.hub, 'power-cut'),
    hubRestart: () => {
      const { hub } = this.#fleet;
      if (!hub.up) return;
      void hub.stop().then(() => this.#down(hub, 'crash'));
    },
    hubDiskFull: () => this.#fill(this.#fleet.hub),
    hubClockJump: () => this.#jump(this.#fleet.hub),
    hubBackup: () => {
      this.#backup = this.#fleet.hub.backup();
    },
    hubRestored: () => {
      const backup = this.#backup;
      if (backup === undefined) return;
      const { hub } = this.#fleet;
      hub.die('power-cut');
      hub.restore(backup);
      this.#lasting(20_000, () => this.#boot(hub));
    },
    hubLost: () => {
      const { hub } = this.#fleet;
      hub.die('power-cut');
      hub.loseStore();
      this.#lasting(20_000, () => this.#boot(hub));
    },
  };

  #down(machine: Machine, death: Death): void {
    machine.die(death);
    this.#lasting(20_000, () => this.#boot(machine));
  }

  #fill({ disk }: Machine): void {
    disk.full = true;
    this.#lasting(40_000, () => {
      disk.full = false;
    });
  }

  #jump({ host }: Machine): void {
    const byMs = this.#random.pick([60_000, hourMs, YEAR_MS]);
    if (this.#random.chance(0.1)) host.wall.set(0);
    else host.wall.jump(this.#random.between(-byMs, byMs));
  }

  #impair({ name }: SimNode, bad: Partial<typeof calmLink>, good: Partial<typeof calmLink>): void {
    const { network } = this.#fleet;
    const setBoth = (profile: Partial<typeof calmLink>) => {
      network.set(name, 'hub', profile);
      network.set('hub', name, profile);
    };
    setBoth(bad);
    this.#lasting(60_000, () => setBoth(good));
  }

  #boot(machine: Machine): void {
    if (machine.host.life === undefined) void machine.boot();
  }

  #node(): SimNode {
    return this.#random.pick(this.#fleet.nodes);
  }

  #draw(): FaultName {
    const rows = Object.entries(weights) as [FaultName, number][];
    let dice = this.#random.between(
      0,
      rows.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [name, weight] of rows) {
      dice -= weight;
      if (dice < 0) return name;
    }
    return rows[0]![0];
  }

  /** Ends a fault after a time of up to `maxMs`, most are short; healing may come first. */
  #lasting(maxMs: number, end: () => void): void {
    this.#later(maxMs * this.#random.next(), end);
  }

  #later(withinMs: number, callback: () => void): void {
    const { world } = this.#fleet;
    const timer = world.schedule(world.nowMs + this.#random.between(0, withinMs), () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}

type Machine = SimNode | Fleet['hub'];
