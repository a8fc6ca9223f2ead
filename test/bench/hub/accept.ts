/** Terminals that come for the first time: what accepting one costs a hub, step by step. */
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Bench, Contestant, Stage } from '../bench.ts';
import { type BareTlsServer, startBareTlsServer } from '../peers/bare-node.ts';
import { type Mosquitto, startMosquitto } from '../peers/mosquitto.ts';
import { BenchHub, openFleet, quiet } from './bench-hub.ts';

const COUNT = 1_000;
const COUNT_QUICK = 50;
const WIDTH = 16;
/** Sessions that have not said hello: a hub takes 512 of them at a time. */
const STEPS_MAX = 400;

export const accept: Bench = {
  name: 'accept',
  part: 'hub',
  title: 'Terminals that come without a ticket',
  method:
    `${COUNT} terminals connect, ${WIDTH} at a time, each with a full handshake of mutual TLS 1.3 on P-256: handshake, upgrade to a WebSocket, ` +
    'hello, the certificate held against the list, welcome, what the view has to say. Rates are per second of processor time that the hub ' +
    'took until it was quiet again. "Accepted" stands beside mosquitto: the same handshake, CONNECT and CONNACK. "Handshakes" and ' +
    '"upgrades" stop there and stand beside the handshakes of a bare server of node:tls.',
  figures: [
    { name: 'accepted', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 1 } },
    { name: 'upgrades', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 0.9 } },
    { name: 'handshakes', unit: '1/s', better: 'more' },
    { name: 'share of the handshake', unit: '%', better: 'more' },
    { name: 'share of the upgrade', unit: '%', better: 'less' },
    { name: 'share of the session', unit: '%', better: 'less' },
  ],
  async open(stage) {
    const count = stage.quick ? COUNT_QUICK : COUNT;
    const hub = await BenchHub.start(stage);
    const fleet = await hub.fleet(count);
    const mosquitto = await startMosquitto(stage);
    const bare = await startBareTlsServer(stage, 1);
    return { subjects: [await stile(hub, fleet)], peer: await peers(stage, count, bare, mosquitto) };
  },
};

async function stile(hub: BenchHub, fleet: Fleet): Promise<Contestant> {
  const { caPem: ca, certificatePem: cert, keyPem: key } = await hub.identity('step');
  const where = { port: Number(new URL(hub.house.url).port), host: '127.0.0.1', ca, cert, key };
  const steps = Math.min(fleet.size, STEPS_MAX);
  return {
    name: 'Stile',
    async measure() {
      const handshakeMs = await costMs(hub.pid, steps, () => handshake(where));
      const upgradeMs = await costMs(hub.pid, steps, async () => upgraded(await handshake(where)));
      const sessionMs = await crewCostMs(hub.pid, fleet);
      return {
        accepted: 1_000 / sessionMs,
        upgrades: 1_000 / upgradeMs,
        handshakes: 1_000 / handshakeMs,
        'share of the handshake': (100 * handshakeMs) / sessionMs,
        'share of the upgrade': (100 * (upgradeMs - handshakeMs)) / sessionMs,
        'share of the session': (100 * (sessionMs - upgradeMs)) / sessionMs,
      };
    },
  };
}

async function peers(stage: Stage, count: number, bare: BareTlsServer, mosquitto?: Mosquitto): Promise<Contestant> {
  const plan = { kind: 'mqtt', topic: '', qos: 0, keepAliveS: 0 } as const;
  const clients = mosquitto && (await openFleet(stage, count, { ...plan, door: mosquitto.mutualTls }));
  const where = { host: '127.0.0.1', port: bare.door.port, ...bare.door.tls };
  return {
    name: clients === undefined ? 'node:tls' : 'mosquitto, node:tls',
    async measure() {
      const accepted = clients && 1_000 / (await crewCostMs(mosquitto!.pid, clients));
      const handshakes = 1_000 / (await costMs(bare.pid, Math.min(count, STEPS_MAX), () => handshake(where)));
      return { ...(accepted === undefined ? {} : { accepted }), upgrades: handshakes, handshakes };
    },
  };
}

/** Of the processor, ms for each member. */
async function crewCostMs(pid: number, fleet: Fleet): Promise<number> {
  const before = await quiet(pid);
  await fleet.connect({ width: WIDTH, forgetTickets: true });
  const cost = (await quiet(pid)) - before;
  await fleet.disconnect();
  return cost / fleet.size;
}

/** Of the processor, ms for each of `count` connections, which are closed when that is known. */
async function costMs(pid: number, count: number, open: () => Promise<TLSSocket>): Promise<number> {
  const before = await quiet(pid);
  const sockets: TLSSocket[] = [];
  const work = async () => {
    while (sockets.length < count) sockets.push(await open());
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  const cost = (await quiet(pid)) - before;
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  return cost / sockets.length;
}

function handshake(where: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ ...where, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] });
  return new Promise((resolve, reject) => {
    socket.once('error', reject).once('secureConnect', () => resolve(socket));
  });
}

const upgradeRequest = [
  'GET /stile/v1/session HTTP/1.1',
  'host: 127.0.0.1',
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-protocol: stile.v1',
  '\r\n',
].join('\r\n');

function upgraded(socket: TLSSocket): Promise<TLSSocket> {
  socket.write(upgradeRequest);
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the hub hung up')));
    socket.once('data', (data) => {
      if (data.toString('latin1').startsWith('HTTP/1.1 101')) resolve(socket);
      else reject(new Error(`no session: ${data.toString('latin1').slice(0, 200)}`));
    });
  });
}
