/** A hub as a process, with a fleet of terminals that have joined it. */
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import type { Identity } from '../../../runtime/identity/identity.ts';
import { Fleet, type FleetPlan } from '../../fleet/fleet.ts';
import { joinAll } from '../../fleet/joining.ts';
import { nowMs } from '../../fleet/tally.ts';
import type { House } from '../../house/house.ts';
import { HubClient } from '../../house/hub-client.ts';
import { cpuMsOf } from '../../house/process-facts.ts';
import type { Stage } from '../bench.ts';

export const POOL = 'bench';
const QUIET_LOOK_MS = 100;
const QUIET_CPU_MS = 3;
const QUIET_MS_MAX = 30_000;

export class BenchHub {
  readonly house: House;
  readonly #stage: Stage;
  #client: HubClient;

  private constructor(stage: Stage, house: House) {
    this.#stage = stage;
    this.house = house;
    this.#client = new HubClient(house);
    stage.later(async () => this.#client.close());
  }

  static async start(stage: Stage, ...pools: string[]): Promise<BenchHub> {
    const house = stage.house();
    await house.startHub();
    for (const pool of [POOL, ...pools]) await house.stile('pool', 'create', pool);
    return new BenchHub(stage, house);
  }

  get pid(): number {
    return this.house.hub!.pid;
  }

  /** A client of the administrator's, of the hub as it runs now. */
  get client(): HubClient {
    return this.#client;
  }

  /** `size` terminals of `pool` that have joined and are not connected. */
  async fleet(size: number, pool = POOL): Promise<Fleet> {
    const token = await this.house.token(pool, '--uses', String(size));
    return openFleet(this.#stage, size, { kind: 'terminals', hubUrl: this.house.url, token }, pool);
  }

  /** Of a terminal that has joined and does nothing. */
  async identity(name: string): Promise<Identity> {
    const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
    const [identity] = await joinAll(env, {
      hubUrl: this.house.url,
      token: await this.house.token(POOL),
      names: [name],
    });
    return identity!;
  }

  async kill(): Promise<void> {
    await this.house.hub!.kill('SIGKILL');
  }

  /** On the same port and data; resolves when it listens. */
  async start(): Promise<void> {
    await this.house.startHub();
    await this.newClient();
  }

  /** Before a measurement: a connection that was idle for as long as the hub keeps one is about to be closed. */
  async newClient(): Promise<void> {
    await this.#client.close();
    this.#client = new HubClient(this.house);
  }

  /** Of its event loop since the last call, ms; nothing the first time. */
  async longestBlockMs(): Promise<number> {
    const { eventLoop } = await this.#client.get<{ eventLoop?: { longestBlockMs: number } }>('/stile/v1/health');
    return eventLoop?.longestBlockMs ?? 0;
  }
}

/** A fleet that is ended for the bench. */
export async function openFleet(stage: Stage, size: number, plan: FleetPlan, prefix?: string): Promise<Fleet> {
  const fleet = await Fleet.open(size, plan, prefix);
  stage.later(() => fleet.close());
  return fleet;
}

/** Processor time of process `pid` while `work` runs and until it is quiet again, ms. */
export async function cpuMsDuring(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = await cpuMsOf(pid);
  await work();
  return (await quiet(pid)) - before;
}

/** Resolves when process `pid` does next to nothing; to the processor time it had taken when that began, ms. */
export async function quiet(pid: number): Promise<number> {
  const endMs = performance.now() + QUIET_MS_MAX;
  let before = await cpuMsOf(pid);
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_LOOK_MS));
    const now = await cpuMsOf(pid);
    if (now - before < QUIET_CPU_MS) return before;
    before = now;
  }
  return before;
}

/** Wall-clock ms from now until every member of `fleet` took `count` changes after `work` began, and when it did. */
export async function lastChangeMs(fleet: Fleet, count: number, work: () => Promise<unknown>): Promise<number> {
  const { changes } = await fleet.tally();
  const beganMs = nowMs();
  const working = work();
  const tally = await fleet.until('the change to reach all', (now) => now.changes >= changes + count * fleet.size);
  await working;
  return tally.changedAtMs - beganMs;
}
