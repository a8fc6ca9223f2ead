/** What a link carries while nothing happens. */
import { keys } from '../../../protocol/kubernetes.ts';
import { heartbeatProfiles } from '../../../protocol/limits.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { startMosquitto } from '../peers/mosquitto.ts';
import { ROUNDS_MIN } from '../run-bench.ts';
import { BenchHub, openFleet, POOL } from './bench-hub.ts';
import { carriedBytes } from './segment-counts.ts';

/** Of each sort; they began at different moments, so that a short look sees some of everything. */
const COUNT = 24;
const WIDTH = 4;
/** A whole number of periods of either profile. */
const LOOK_MS = 120_000;
/** One period of the prompt profile, and only once: every round is given the same. */
const LOOK_QUICK_MS = 31_000;
/** Between the last connect and the first look: what a greeting brings is over. */
const CALM_MS = 10_000;
const CALM_QUICK_MS = 500;
const METERED = 'metered';
const PROMPT_S = heartbeatProfiles.prompt.beatMs / 1_000;
const METERED_S = heartbeatProfiles.metered.beatMs / 1_000;
/** What the clients of mosquitto keep alive with, unless told otherwise. */
const MQTT_DEFAULT_S = 60;

export const idleLink: Bench = {
  name: 'idle-link',
  part: 'hub',
  title: 'A link on which nothing happens',
  method:
    `Bytes of both directions as the kernel counted them for ${COUNT} connections in ${LOOK_MS / 1_000} s, with the headers of IPv4 and TCP and bare acknowledgements, ` +
    `without the link layer: terminals of a pool of either heartbeat profile, prompt each ${PROMPT_S} s and metered each ${METERED_S} s. ` +
    `The peer is an MQTT connection to mosquitto over mutual TLS that is kept alive with the same periods, and for the last figure with ` +
    `${MQTT_DEFAULT_S} s, the usual one.`,
  rounds: ROUNDS_MIN,
  figures: [
    { name: 'prompt', unit: 'B/s', better: 'less', aim: { of: 'ratio', bound: 1.02 } },
    { name: 'metered', unit: 'B/s', better: 'less', aim: { of: 'ratio', bound: 1.02 } },
    { name: 'metered beside the usual keep alive', unit: 'B/s', better: 'less', aim: { of: 'ratio', bound: 0.5 } },
  ],
  async open(stage) {
    const hub = await BenchHub.start(stage, METERED);
    const annotations = { [keys.heartbeatProfile]: METERED };
    await hub.client.patch(`/apis/apps.openyurt.io/v1beta2/nodepools/${METERED}`, { metadata: { annotations } });
    const prompt = await hub.fleet(COUNT, POOL);
    const metered = await hub.fleet(COUNT, METERED);
    const fleets = { prompt, metered, ...(await keptAlive(stage)) };
    for (const fleet of Object.values(fleets)) await fleet.connect({ width: WIDTH });
    await pause(stage.quick ? CALM_QUICK_MS : CALM_MS);
    const watch = new Watch(fleets, stage.quick);
    const subject: Contestant = {
      name: 'Stile',
      async measure() {
        const { prompt = 0, metered = 0 } = await watch.look();
        return { prompt, ...(stage.quick ? {} : { metered, 'metered beside the usual keep alive': metered }) };
      },
    };
    if (!('mqttPrompt' in fleets)) return { subjects: [subject] };
    const peer: Contestant = {
      name: 'mosquitto',
      // All are idle at the same time, so one look is enough for both.
      async measure() {
        const { mqttPrompt = 0, mqttMetered = 0, mqttUsual = 0 } = watch.latest;
        const metered = { metered: mqttMetered, 'metered beside the usual keep alive': mqttUsual };
        return { prompt: mqttPrompt, ...(stage.quick ? {} : metered) };
      },
    };
    return { subjects: [subject], peer };
  },
};

async function keptAlive(stage: Stage): Promise<Record<string, Fleet>> {
  const mosquitto = await startMosquitto(stage);
  if (mosquitto === undefined) return {};
  const open = (keepAliveS: number) =>
    openFleet(
      stage,
      COUNT,
      { kind: 'mqtt', door: mosquitto.mutualTls, topic: 'idle', qos: 1, keepAliveS },
      `kept-${keepAliveS}`,
    );
  return {
    mqttPrompt: await open(PROMPT_S),
    mqttMetered: await open(METERED_S),
    mqttUsual: await open(MQTT_DEFAULT_S),
  };
}

class Watch {
  readonly #fleets: Readonly<Record<string, Fleet>>;
  readonly #quick: boolean;
  latest: Record<string, number> = {};

  constructor(fleets: Readonly<Record<string, Fleet>>, quick: boolean) {
    this.#fleets = fleets;
    this.#quick = quick;
  }

  /** Waits; resolves to bytes per second of one connection of each fleet. */
  async look(): Promise<Record<string, number>> {
    if (this.#quick && Object.keys(this.latest).length > 0) return this.latest;
    const ports = new Map<string, number[]>();
    for (const [name, fleet] of Object.entries(this.#fleets)) ports.set(name, await fleet.localPorts());
    const all = [...ports.values()].flat();
    const [before, beganMs] = [await carriedBytes(all), performance.now()];
    await pause(this.#quick ? LOOK_QUICK_MS : LOOK_MS);
    const [after, seconds] = [await carriedBytes(all), (performance.now() - beganMs) / 1_000];
    this.latest = {};
    for (const [name, own] of ports) {
      const bytes = own.reduce((sum, port) => sum + after.get(port)! - before.get(port)!, 0);
      this.latest[name] = bytes / own.length / seconds;
    }
    return this.latest;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
