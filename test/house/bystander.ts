/**
 * A terminal that minds its own business while others misbehave: it is connected all the time and runs one pod. That
 * nothing disturbs it is seen from its session's counters, from process ids and from its own log.
 */
import { expect } from 'vitest';
import type { SessionReport } from '../../cloud/hub/hub-session.ts';
import type { Terminal } from './house.ts';
import { House } from './house.ts';
import { HubClient } from './hub-client.ts';
import { create, paths, pod, processOf, pushProgram, runningPods } from './workload.ts';

const NODE = 'bystander';
const POD = 'calm';

export class Bystander {
  readonly #house: House;
  readonly #client: HubClient;
  readonly #terminal: Terminal;
  readonly #hubPid: number;
  readonly #podPid: number;
  #session: SessionReport;

  private constructor(facts: {
    house: House;
    client: HubClient;
    terminal: Terminal;
    podPid: number;
    session: SessionReport;
  }) {
    this.#house = facts.house;
    this.#client = facts.client;
    this.#terminal = facts.terminal;
    this.#hubPid = facts.house.hub!.pid;
    this.#podPid = facts.podPid;
    this.#session = facts.session;
  }

  /** Joins `pool` and runs its pod; the house has a hub and that pool already. */
  static async join(house: House, client: HubClient, pool: string): Promise<Bystander> {
    const terminal = await house.join(NODE, pool);
    await pushProgram(house, 'calm:1');
    await create(client, paths.pods, pod(POD, { image: 'calm:1' }, { nodeName: NODE }));
    const [running] = await runningPods(house, client, POD, 1);
    return new Bystander({
      house,
      client,
      terminal,
      podPid: (await processOf(running!))!,
      session: await sessionOf(client),
    });
  }

  /** Same hub, same session, same runtime, same pod as at the beginning. */
  async expectUndisturbed(): Promise<void> {
    const session = await sessionOf(this.#client);
    expect(session.bytesSent).toBeGreaterThanOrEqual(this.#session.bytesSent);
    expect(session.bytesReceived).toBeGreaterThanOrEqual(this.#session.bytesReceived);
    this.#session = session;
    expect(this.#house.hub).toMatchObject({ pid: this.#hubPid, running: true });
    expect(this.#terminal.child.running).toBe(true);
    expect(this.#terminal.child.output().match(/"link live"/g)).toHaveLength(1);
    expect(this.#terminal.child.output()).not.toContain('"link lost"');
    const [calm] = await runningPods(this.#house, this.#client, POD, 1);
    expect(await processOf(calm!)).toBe(this.#podPid);
    expect(calm!.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  }
}

/** A house with a hub, a pool, a client of the hub and a bystander; `close` ends it all. */
export class WatchedHouse {
  readonly house: House;
  client!: HubClient;
  bystander!: Bystander;

  constructor() {
    this.house = new House();
  }

  async open(pool: string): Promise<void> {
    await this.house.startHub();
    this.client = new HubClient(this.house);
    await this.house.stile('pool', 'create', pool);
    this.bystander = await Bystander.join(this.house, this.client, pool);
  }

  async close(): Promise<void> {
    await this.client?.close();
    await this.house.close();
  }
}

export function sessionOf(client: HubClient, node = NODE): Promise<SessionReport> {
  return client.get<SessionReport>(`/stile/v1/nodes/${node}/session`);
}
