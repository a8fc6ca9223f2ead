/** What one app waits for when it reads and writes a twin. */
import { performance } from 'node:perf_hooks';
import type { Bench, Contest, Contestant, Figure, Stage } from '../bench.ts';
import { type Mosquitto, type MqttDoor, startMosquitto } from '../peers/mosquitto.ts';
import { MqttClient } from '../peers/mqtt-client.ts';
import { quantile } from '../statistics.ts';
import { Caller, eachMs, type TerminalApi, terminalApis } from './terminal-api.ts';

const text = 'x'.repeat(1_000);

const method =
  'A twin of 1 KB over the Unix socket with the hub away: read, written durably (answered after fsync) and fast. The peer is ' +
  'mosquitto on loopback TCP, 1 KB published with QoS 1 and retained, until a subscriber has it, which is on no disk then';

const figures: readonly Figure[] = [
  { name: 'GET p50', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 0.75 } },
  { name: 'durable PATCH p50', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 1.6 } },
  { name: 'durable PATCH p99', unit: 'ms', better: 'less', aim: { of: 'ratio', bound: 2 } },
  { name: 'fast PATCH p50', unit: 'ms', better: 'less' },
  { name: 'fast PATCH p99', unit: 'ms', better: 'less' },
];

export const twinCalls: Bench = {
  name: 'twin-calls',
  part: 'local API',
  title: 'One twin, one app, one connection',
  method: `${method}. It speaks mutual TLS, as where it stands in for a twin in the cloud.`,
  figures,
  open: (stage) => contestWith(stage, 'mosquitto, mutual TLS', ({ mutualTls }) => mutualTls),
};

export const twinCallsPlain: Bench = {
  name: 'twin-calls-plain',
  part: 'local API',
  title: 'The same, beside a broker without TLS',
  method: `${method}. It speaks plain MQTT, as two programs of one machine would.`,
  figures: figures.map(({ aim: _, ...figure }) => figure),
  open: (stage) => contestWith(stage, 'mosquitto', ({ plain }) => plain),
};

async function contestWith(stage: Stage, name: string, doorOf: (broker: Mosquitto) => MqttDoor): Promise<Contest> {
  const count = stage.quick ? 200 : 2_000;
  const mosquitto = await startMosquitto(stage);
  const apis = await terminalApis(stage);
  return {
    subjects: apis.map((api) => callsOf(stage, api, count)),
    ...(mosquitto === undefined ? {} : { peer: await deliveriesOf(stage, name, doorOf(mosquitto), count) }),
  };
}

function callsOf(stage: Stage, { name, node, socket, token }: TerminalApi, count: number): Contestant {
  const caller = new Caller(socket, token, 1);
  stage.later(async () => caller.close());
  const path = `/twins/${node}`;
  const patch = (number: number) => ({ properties: { reported: { text, number } } });
  return {
    name,
    measure: async () => {
      const get = await eachMs(count, () => caller.succeed('GET', path));
      const durable = await eachMs(count, (number) => caller.succeed('PATCH', path, patch(number)));
      const prefer = { prefer: 'fast' };
      const fast = await eachMs(count, (number) => caller.succeed('PATCH', path, patch(number), prefer));
      return {
        'GET p50': quantile(get, 0.5),
        'durable PATCH p50': quantile(durable, 0.5),
        'durable PATCH p99': quantile(durable, 0.99),
        'fast PATCH p50': quantile(fast, 0.5),
        'fast PATCH p99': quantile(fast, 0.99),
      };
    },
  };
}

async function deliveriesOf(stage: Stage, name: string, door: MqttDoor, count: number): Promise<Contestant> {
  let came = () => {};
  const reader = await MqttClient.connect(door, 'reader', () => came());
  const writer = await MqttClient.connect(door, 'writer');
  stage.later(async () => {
    reader.close();
    writer.close();
  });
  await reader.subscribe('twin');
  const payload = Buffer.from(text);
  return {
    name,
    measure: async () => {
      const delivered: number[] = [];
      for (let number = 0; number < count; number += 1) {
        const beganMs = performance.now();
        const arrived = new Promise<void>((resolve) => {
          came = resolve;
        });
        const acknowledged = writer.publish('twin', payload);
        await arrived;
        delivered.push(performance.now() - beganMs);
        await acknowledged;
      }
      const [p50, p99] = [quantile(delivered, 0.5), quantile(delivered, 0.99)];
      return {
        'GET p50': p50,
        'durable PATCH p50': p50,
        'durable PATCH p99': p99,
        'fast PATCH p50': p50,
        'fast PATCH p99': p99,
      };
    },
  };
}
