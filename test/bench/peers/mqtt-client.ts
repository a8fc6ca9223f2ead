/** As much of MQTT 3.1.1 (OASIS) as a bench needs: connect, subscribe and publish with QoS 0 and 1, keep alive. */
import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { MqttDoor } from './mosquitto.ts';

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;
const PINGREQ = 0xc0;

export class MqttClient {
  readonly #socket: Socket;
  readonly #onMessage: (payload: Buffer) => void;
  /** By packet id; 0: the connection. */
  readonly #waiting = new Map<number, () => void>();
  #rest: Buffer = Buffer.alloc(0);
  #id = 0;

  private constructor(socket: Socket, onMessage: (payload: Buffer) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.setNoDelay(true).on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => socket.destroy());
  }

  /** To the broker's door on loopback. */
  static async connect(
    { port, tls }: MqttDoor,
    name: string,
    onMessage: (payload: Buffer) => void = () => {},
    { keepAliveS = 0 } = {},
  ): Promise<MqttClient> {
    const where = { port, host: '127.0.0.1' };
    const client = new MqttClient(
      tls === undefined ? connectSocket(where) : connectTls({ ...where, ...tls }),
      onMessage,
    );
    const acknowledged = client.#answered(0);
    client.#send(0x10, text('MQTT'), Buffer.from([4, 2]), number(keepAliveS), text(name));
    await acknowledged;
    if (keepAliveS > 0) client.#keepAlive(keepAliveS * 1_000);
    return client;
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  get closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  async subscribe(topic: string, qos: 0 | 1 = 1): Promise<void> {
    const id = this.#nextId();
    const acknowledged = this.#answered(id);
    this.#send(0x82, number(id), text(topic), Buffer.from([qos]));
    await acknowledged;
  }

  /** Retained, QoS 1; resolves when the broker has acknowledged it. */
  async publish(topic: string, payload: Buffer): Promise<void> {
    const id = this.#nextId();
    const acknowledged = this.#answered(id);
    this.#send(0x33, text(topic), number(id), payload);
    await acknowledged;
  }

  /** Neither retained nor acknowledged: QoS 0. */
  send(topic: string, payload: Buffer): void {
    this.#send(0x30, text(topic), payload);
  }

  close(): void {
    this.#socket.destroy();
  }

  #keepAlive(periodMs: number): void {
    const timer = setInterval(() => this.#send(PINGREQ), periodMs);
    this.#socket.once('close', () => clearInterval(timer));
  }

  #nextId(): number {
    this.#id = (this.#id % 65_535) + 1;
    return this.#id;
  }

  #answered(id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error('the MQTT broker closed the connection'));
      this.#socket.once('close', gone);
      this.#waiting.set(id, () => {
        this.#socket.off('close', gone);
        this.#waiting.delete(id);
        resolve();
      });
    });
  }

  #send(head: number, ...parts: Buffer[]): void {
    const body = Buffer.concat(parts);
    const length: number[] = [];
    for (let left = body.length; ; left >>= 7) {
      length.push(left > 127 ? (left & 127) | 128 : left);
      if (left <= 127) break;
    }
    this.#socket.write(Buffer.concat([Buffer.from([head, ...length]), body]));
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let packet = this.#next(); packet !== undefined; packet = this.#next()) this.#hear(packet.head, packet.body);
  }

  #next(): { head: number; body: Buffer } | undefined {
    let length = 0;
    for (let at = 1; at <= 4; at += 1) {
      const byte = this.#rest[at];
      if (byte === undefined) return undefined;
      length |= (byte & 127) << (7 * (at - 1));
      if (byte > 127) continue;
      const end = at + 1 + length;
      if (this.#rest.length < end) return undefined;
      const packet = { head: this.#rest[0]!, body: this.#rest.subarray(at + 1, end) };
      this.#rest = this.#rest.subarray(end);
      return packet;
    }
    throw new Error('the MQTT broker sent a length that is none');
  }

  #hear(head: number, body: Buffer): void {
    const type = head >> 4;
    if (type === CONNACK) this.#waiting.get(0)?.();
    else if (type === PUBACK || type === SUBACK) this.#waiting.get(body.readUInt16BE(0))?.();
    else if (type === PUBLISH) {
      const topicEnd = 2 + body.readUInt16BE(0);
      const isAcknowledged = (head & 6) !== 0;
      if (isAcknowledged) this.#send(0x40, body.subarray(topicEnd, topicEnd + 2));
      this.#onMessage(body.subarray(isAcknowledged ? topicEnd + 2 : topicEnd));
    }
  }
}

const number = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const text = (value: string): Buffer => Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)]);
