/** One change that concerns every terminal of a pool: how soon the last has it, and how soon all have said so. */
import type { Fleet } from '../../fleet/fleet.ts';
import { nowMs } from '../../fleet/tally.ts';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { startBareTlsServer } from '../peers/bare-node.ts';
import { startMosquitto } from '../peers/mosquitto.ts';
import { MqttClient } from '../peers/mqtt-client.ts';
import { quantile } from '../statistics.ts';
import { BenchHub, cpuMsDuring, lastChangeMs, openFleet, POOL, quiet } from './bench-hub.ts';

const COUNT = 5_000;
const COUNT_QUICK = 50;
const CHANGES = 8;
const CHANGES_QUICK = 2;
const WIDTH = 32;
const BYTES = 300;
const TOPIC = 'pool';
/** In one burst. */
const BURST = 10;

const change =
  `The NodePool of ${COUNT} connected terminals gets an annotation of ${BYTES} bytes that no compression can shorten, by a merge patch over HTTPS, ` +
  `${CHANGES} times with a pause until the hub is quiet. `;

export const hubFanOut: Bench = {
  name: 'hub-fan-out',
  part: 'hub',
  title: 'One change to a whole pool',
  method:
    `${change}"Last terminal" is from the request until the change is in the replica of the last one, its durability at the hub ` +
    `included, beside mosquitto: ${BYTES} bytes published with QoS 0 to as many subscribers over mutual TLS. "CPU" is the hub's until it is quiet, ` +
    `acknowledgements included, beside a bare server of node:tls that writes ${BYTES} bytes to as many connections and reads an answer of 16 from each. ` +
    `"A burst" is ${BURST} patches at once, until the last terminal has the last of them, in times of one change.`,
  figures: [
    { name: 'last terminal', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 0.8 } },
    { name: 'CPU', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 1.05 } },
    { name: 'a burst', unit: '×', better: 'less', aim: { of: 'median', bound: 1.25 } },
    { name: 'messages to each in a burst', unit: 'each', better: 'less' },
    { name: 'longest block', unit: 'ms', better: 'less', aim: { of: 'median', bound: 14 } },
  ],
  async open(stage) {
    const [count, changes] = sizes(stage);
    const pool = await Pool.open(stage, count);
    const subject: Contestant = {
      name: 'Stile',
      async measure() {
        const once = await pool.changes(changes);
        const burst = await pool.burst();
        return {
          'last terminal': once.lastMs,
          CPU: once.cpuMs,
          'a burst': burst.lastMs / once.lastMs,
          'messages to each in a burst': burst.messages,
          'longest block': once.longestBlockMs,
        };
      },
    };
    return { subjects: [subject], peer: await publishingAndBare(stage, count, changes) };
  },
};

export const acknowledgements: Bench = {
  name: 'acknowledgements',
  part: 'hub',
  title: 'One change to a whole pool, acknowledged',
  method:
    `${change}"All acknowledged" is from the request until the last terminal has written its acknowledgement, which says that the change ` +
    `is in its replica; beside mosquitto with QoS 1, until the last subscriber has written its PUBACK. "In a burst" is how many acknowledgements a ` +
    `terminal sends for ${BURST} patches at once.`,
  figures: [
    { name: 'all acknowledged', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 0.95 } },
    { name: 'in a burst', unit: 'each', better: 'less' },
  ],
  async open(stage) {
    const [count, changes] = sizes(stage);
    const pool = await Pool.open(stage, count);
    const mosquitto = await subscribers(stage, count, 1);
    const subject: Contestant = {
      name: 'Stile',
      async measure() {
        const { acknowledgedMs } = await pool.changes(changes);
        return { 'all acknowledged': acknowledgedMs, 'in a burst': (await pool.burst()).acknowledgements };
      },
    };
    if (mosquitto === undefined) return { subjects: [subject] };
    const peer: Contestant = {
      name: 'mosquitto',
      async measure() {
        const taken: number[] = [];
        for (let number = 0; number < changes; number += 1) {
          const { acknowledged } = await mosquitto.fleet.tally();
          const beganMs = nowMs();
          const working = mosquitto.publish();
          const done = await mosquitto.fleet.until(
            'all to acknowledge',
            (tally) => tally.acknowledged >= acknowledged + count,
          );
          taken.push(done.acknowledgedAtMs - beganMs);
          await working;
          await quiet(mosquitto.pid);
        }
        return { 'all acknowledged': quantile(taken, 0.5) };
      },
    };
    return { subjects: [subject], peer };
  },
};

const sizes = ({ quick }: Stage): [number, number] => (quick ? [COUNT_QUICK, CHANGES_QUICK] : [COUNT, CHANGES]);

/** A pool of connected terminals, to be changed. */
class Pool {
  readonly #hub: BenchHub;
  readonly #fleet: Fleet;
  #changed = 0;

  private constructor(hub: BenchHub, fleet: Fleet) {
    this.#hub = hub;
    this.#fleet = fleet;
  }

  static async open(stage: Stage, count: number): Promise<Pool> {
    const hub = await BenchHub.start(stage);
    const fleet = await hub.fleet(count);
    await fleet.connect({ width: WIDTH });
    await quiet(hub.pid);
    return new Pool(hub, fleet);
  }

  /** Medians of `count` changes one after the other. */
  async changes(count: number) {
    const last: number[] = [];
    const acknowledged: number[] = [];
    const cpu: number[] = [];
    await this.#hub.newClient();
    await this.#hub.longestBlockMs();
    for (let number = 0; number < count; number += 1) {
      const before = await this.#fleet.tally();
      const beganMs = nowMs();
      cpu.push(
        await cpuMsDuring(this.#hub.pid, async () => {
          last.push(await lastChangeMs(this.#fleet, 1, () => this.#patch()));
          await this.#allAcknowledged(before.acknowledged + this.#fleet.size);
        }),
      );
      acknowledged.push((await this.#fleet.tally()).acknowledgedAtMs - beganMs);
    }
    return {
      lastMs: quantile(last, 0.5),
      acknowledgedMs: quantile(acknowledged, 0.5),
      cpuMs: quantile(cpu, 0.5),
      longestBlockMs: await this.#hub.longestBlockMs(),
    };
  }

  /** Several changes at once, however many messages they become. */
  async burst() {
    const before = await this.#fleet.tally();
    const beganMs = nowMs();
    await Promise.all(Array.from({ length: BURST }, () => this.#patch()));
    await quiet(this.#hub.pid);
    const after = await this.#fleet.tally();
    const messages = (after.changes - before.changes) / this.#fleet.size;
    await this.#allAcknowledged(before.acknowledged + messages * this.#fleet.size);
    return {
      lastMs: after.changedAtMs - beganMs,
      messages,
      acknowledgements: (after.acknowledged - before.acknowledged) / this.#fleet.size,
    };
  }

  async #allAcknowledged(count: number): Promise<void> {
    await this.#fleet.until('all to acknowledge', ({ acknowledged }) => acknowledged >= count);
  }

  #patch(): Promise<unknown> {
    this.#changed += 1;
    const noise = crypto.getRandomValues(new Uint8Array((BYTES * 3) / 4));
    const annotations = { [`bench-${this.#changed % BURST}`]: Buffer.from(noise).toString('base64') };
    return this.#hub.client.patch(`/apis/apps.openyurt.io/v1beta2/nodepools/${POOL}`, { metadata: { annotations } });
  }
}

interface Subscribers {
  pid: number;
  fleet: Fleet;
  publish(): Promise<void>;
}

/** Undefined: there is no mosquitto here. */
async function subscribers(stage: Stage, count: number, qos: 0 | 1): Promise<Subscribers | undefined> {
  const mosquitto = await startMosquitto(stage);
  if (mosquitto === undefined) return undefined;
  const door = mosquitto.mutualTls;
  const fleet = await openFleet(stage, count, { kind: 'mqtt', door, topic: TOPIC, qos, keepAliveS: 0 });
  await fleet.connect({ width: WIDTH });
  await quiet(mosquitto.pid);
  const publisher = await MqttClient.connect(door, 'publisher');
  stage.later(async () => publisher.close());
  const payload = Buffer.alloc(BYTES, 'x');
  return {
    pid: mosquitto.pid,
    fleet,
    publish: async () => {
      if (qos === 0) publisher.send(TOPIC, payload);
      else await publisher.publish(TOPIC, payload);
    },
  };
}

async function publishingAndBare(stage: Stage, count: number, changes: number): Promise<Contestant> {
  const mosquitto = await subscribers(stage, count, 0);
  const bare = await startBareTlsServer(stage, BYTES);
  const clients = await openFleet(stage, count, { kind: 'tls', door: bare.door });
  await clients.connect({ width: WIDTH });
  return {
    name: mosquitto === undefined ? 'node:tls' : 'mosquitto, node:tls',
    async measure() {
      const last: number[] = [];
      const cpu: number[] = [];
      for (let number = 0; number < changes; number += 1) {
        if (mosquitto !== undefined) last.push(await lastChangeMs(mosquitto.fleet, 1, () => mosquitto.publish()));
        if (mosquitto !== undefined) await quiet(mosquitto.pid);
        const write = async () => bare.write();
        cpu.push(await cpuMsDuring(bare.pid, () => lastChangeMs(clients, 1, write)));
      }
      return { ...(last.length === 0 ? {} : { 'last terminal': quantile(last, 0.5) }), CPU: quantile(cpu, 0.5) };
    },
  };
}
