/** Bare Node, the same engine that the checkout runs on: the floor of whatever is written for it. */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';
import type { MqttDoor } from './mosquitto.ts';
import { peerCertificates } from './peer-certificates.ts';

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * A copy of the engine that nobody else runs. On a terminal there is one program on Node; here there are many, and they
 * share the engine's pages, which makes each of them look smaller than it would be there.
 */
export async function ownEngine({ folder }: Stage, name: string): Promise<string> {
  const path = join(folder, `node-${name}`);
  await copyFile(process.execPath, path);
  return path;
}

/** Says `listens`. */
export const startEmptyHttpServer = (engine = process.execPath): TimedProcess =>
  new TimedProcess([engine, script('empty-http-server.mjs')]);

/** Starts `command` so many times, says `all run`. */
export const startChildren = (count: number, command: readonly string[]): TimedProcess =>
  new TimedProcess([process.execPath, script('children.mjs'), String(count), ...command]);

/** Listens on `socket` when it resolves; see `durable-log-server.mjs`. */
export async function startDurableLogServer(stage: Stage, socket: string): Promise<void> {
  const server = new TimedProcess([
    process.execPath,
    script('durable-log-server.mjs'),
    socket,
    join(stage.folder, 'log.jsonl'),
  ]);
  stage.later(() => server.kill('SIGKILL'));
  await server.line(/listens/);
}

export interface BareTlsServer {
  pid: number;
  door: MqttDoor;
  /** Writes its bytes to every connection. */
  write(): void;
  stop(): Promise<void>;
}

/** Listens with mutual TLS when it resolves; see `bare-tls-server.mjs`. */
export async function startBareTlsServer(stage: Stage, bytes: number): Promise<BareTlsServer> {
  const folder = join(stage.folder, 'bare-tls');
  await mkdir(folder, { recursive: true });
  const tls = await peerCertificates(folder);
  const server = new TimedProcess([process.execPath, script('bare-tls-server.mjs'), folder, String(bytes)]);
  const stop = () => server.kill('SIGKILL');
  stage.later(stop);
  await server.line(/listens on \d+/);
  const port = Number(/listens on (\d+)/.exec(server.output)?.[1]);
  return { pid: server.pid, door: { port, tls }, write: () => void process.kill(server.pid, 'SIGUSR2'), stop };
}
