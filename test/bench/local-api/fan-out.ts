/** A change of one twin, told to a hundred programs of the terminal. */
import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { type MqttDoor, startMosquitto } from '../peers/mosquitto.ts';
import { MqttClient } from '../peers/mqtt-client.ts';
import { quantile } from '../statistics.ts';
import { Caller, type TerminalApi, terminalApis } from './terminal-api.ts';

const READERS = 100;
/** A caller may have so many; the readers share them. */
const SOCKETS = 10;
const text = 'x'.repeat(300);

export const fanOut: Bench = {
  name: 'fan-out',
  part: 'local API',
  title: 'One change to a hundred readers',
  method:
    'A member of 300 bytes is written fast, with the hub away, until the last of 100 subscriptions on 10 WebSockets has it. The ' +
    'peer is mosquitto: 300 bytes published with QoS 1 and retained to 100 subscribers, each with a connection of its own.',
  figures: [
    { name: 'last reader p50', unit: 'ms', better: 'less' },
    { name: 'last reader p99', unit: 'ms', better: 'less' },
  ],
  async open(stage) {
    const count = stage.quick ? 50 : 300;
    const mosquitto = await startMosquitto(stage);
    const subjects: Contestant[] = [];
    for (const api of await terminalApis(stage)) subjects.push(await followersOf(stage, api, count));
    return {
      subjects,
      ...(mosquitto === undefined ? {} : { peer: await subscribersOf(stage, mosquitto.plain, count) }),
    };
  },
};

/** Counts what arrives; `all` resolves when every reader has the change. */
class Arrivals {
  #left = 0;
  #done = () => {};

  readonly note = (): void => {
    this.#left -= 1;
    if (this.#left === 0) this.#done();
  };

  all(): Promise<void> {
    this.#left = READERS;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}

async function followersOf(
  stage: Stage,
  { name, node, socket, token }: TerminalApi,
  count: number,
): Promise<Contestant> {
  const arrivals = new Arrivals();
  const first = arrivals.all();
  for (let number = 0; number < SOCKETS; number += 1) {
    const headers = { authorization: `Bearer ${token}` };
    const webSocket = new WebSocket(`ws+unix://${socket}:/ws`, { headers });
    stage.later(async () => webSocket.terminate());
    webSocket.on('message', (data) => {
      if (String(data).startsWith('{"subscription"')) arrivals.note();
    });
    await new Promise((resolve, reject) => webSocket.once('open', resolve).once('error', reject));
    for (let id = 0; id < READERS / SOCKETS; id += 1)
      webSocket.send(JSON.stringify({ id, method: 'subscribe', twin: node }));
  }
  await first;
  const writer = new Caller(socket, token, 1);
  stage.later(async () => writer.close());
  let written = 0;
  const write = () => {
    written += 1;
    const patch = { properties: { reported: { change: `${written}${text}` } } };
    return writer.succeed('PATCH', `/twins/${node}`, patch, { prefer: 'fast' });
  };
  return { name, measure: () => lastReader(count, arrivals, write) };
}

async function subscribersOf(stage: Stage, door: MqttDoor, count: number): Promise<Contestant> {
  const arrivals = new Arrivals();
  for (let number = 0; number < READERS; number += 1) {
    const reader = await MqttClient.connect(door, `reader-${number}`, arrivals.note);
    stage.later(async () => reader.close());
    await reader.subscribe('twin');
  }
  const writer = await MqttClient.connect(door, 'writer');
  stage.later(async () => writer.close());
  let written = 0;
  const write = () => writer.publish('twin', Buffer.from(`${++written}${text}`));
  return { name: 'mosquitto', measure: () => lastReader(count, arrivals, write) };
}

async function lastReader(count: number, arrivals: Arrivals, write: () => Promise<void>) {
  const taken: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const beganMs = performance.now();
    const all = arrivals.all();
    const written = write();
    await all;
    taken.push(performance.now() - beganMs);
    await written;
  }
  return { 'last reader p50': quantile(taken, 0.5), 'last reader p99': quantile(taken, 0.99) };
}
