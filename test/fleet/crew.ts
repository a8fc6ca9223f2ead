/** The members of a fleet that live in one process: terminals, or clients of a peer that they are measured beside. */
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Env } from '../../protocol/env.ts';
import type { MqttDoor } from '../bench/peers/mosquitto.ts';
import { MqttClient } from '../bench/peers/mqtt-client.ts';
import { Gate } from './gate.ts';
import { joinAll } from './joining.ts';
import { LightTerminal } from './light-terminal.ts';
import { emptyTally, nowMs, type Tally } from './tally.ts';

/** Who the members are. */
export type CrewPlan =
  | { kind: 'terminals'; hubUrl: string; token: string; names: readonly string[] }
  /** Subscribers of `topic`, with mutual TLS. `keepAliveS` 0: none. */
  | { kind: 'mqtt'; door: MqttDoor; topic: string; qos: 0 | 1; keepAliveS: number; names: readonly string[] }
  /** Of a bare TLS server; each answers what it gets with a few bytes. */
  | { kind: 'tls'; door: MqttDoor; names: readonly string[] };

/** How many dial at the same time, and whether with tickets of earlier connections. */
export interface Manner {
  width: number;
  forgetTickets: boolean;
}

export interface Crew {
  readonly tally: Tally;
  /** All dial, and go on by themselves; `tally.live` says how many have come through. */
  connect(manner: Manner): Promise<void>;
  /** Resolves when every connection is closed. */
  disconnect(): Promise<void>;
  /** Of the connections. */
  localPorts(): number[];
}

export async function openCrew(env: Env, plan: CrewPlan): Promise<Crew> {
  if (plan.kind === 'terminals') return openTerminals(env, plan);
  return clients(plan.names, plan.kind === 'mqtt' ? subscriber(plan) : answerer(plan.door));
}

async function openTerminals(env: Env, plan: CrewPlan & { kind: 'terminals' }): Promise<Crew> {
  const tally = emptyTally();
  let gate = new Gate(Number.POSITIVE_INFINITY);
  const identities = await joinAll(env, plan);
  const peers = { tally, gate: () => gate };
  const terminals = await Promise.all(identities.map((identity) => LightTerminal.open(env, identity, peers)));
  tally.members = terminals.length;
  return {
    tally,
    async connect({ width, forgetTickets }) {
      gate = new Gate(width);
      for (const terminal of terminals) {
        if (forgetTickets) terminal.forgetTickets();
        terminal.start();
      }
    },
    async disconnect() {
      await Promise.all(terminals.map((terminal) => terminal.stop()));
    },
    localPorts: () => terminals.map(({ localPort }) => localPort),
  };
}

/** An open connection of a peer's client. */
interface Connection {
  localPort: number;
  closed: Promise<void>;
  close(): void;
}

type Connect = (name: string, tally: Tally) => Promise<Connection>;

function clients(names: readonly string[], connect: Connect): Crew {
  const tally = { ...emptyTally(), members: names.length };
  let open: Connection[] = [];
  return {
    tally,
    async connect({ width }) {
      const left = [...names];
      const work = async () => {
        for (let name = left.pop(); name !== undefined; name = left.pop()) {
          const connection = await connect(name, tally);
          tally.fullHandshakes += 1;
          tally.live += 1;
          void connection.closed.then(() => {
            tally.live -= 1;
          });
          open.push(connection);
        }
      };
      await Promise.all(Array.from({ length: Math.min(width, names.length) }, work));
    },
    async disconnect() {
      const all = open;
      open = [];
      for (const { close } of all) close();
      await Promise.all(all.map(({ closed }) => closed));
    },
    localPorts: () => open.map(({ localPort }) => localPort),
  };
}

function subscriber({ door, topic, qos, keepAliveS }: CrewPlan & { kind: 'mqtt' }): Connect {
  return async (name, tally) => {
    const client = await MqttClient.connect(door, name, () => took(tally, qos === 1), { keepAliveS });
    if (topic !== '') await client.subscribe(topic, qos);
    return { localPort: client.localPort, closed: client.closed, close: () => client.close() };
  };
}

/** What a bare server writes has an end; whatever came is answered once. */
const ANSWER = Buffer.alloc(16);

function answerer({ port, tls }: MqttDoor): Connect {
  return async (_name, tally) => {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ...tls });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    socket.setNoDelay(true).on('error', () => socket.destroy());
    socket.on('data', () => {
      took(tally, true);
      socket.write(ANSWER);
    });
    return { localPort: socket.localPort ?? 0, closed, close: () => socket.destroy() };
  };
}

function took(tally: Tally, acknowledges: boolean): void {
  tally.changes += 1;
  tally.changedAtMs = nowMs();
  if (!acknowledges) return;
  tally.acknowledged += 1;
  tally.acknowledgedAtMs = tally.changedAtMs;
}
