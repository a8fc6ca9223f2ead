/**
 * The MQTT broker mosquitto on loopback TCP: one door as its packages set it up, one with mutual TLS. Left out where it
 * is not installed.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';
import { peerCertificates } from './peer-certificates.ts';

const places = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

export interface MqttDoor {
  port: number;
  /** What a client shows and believes; absent: no TLS. */
  tls?: { ca: string; cert: string; key: string };
}

export interface Mosquitto {
  pid: number;
  plain: MqttDoor;
  mutualTls: MqttDoor;
}

/** Undefined: there is no mosquitto here. */
export async function startMosquitto(stage: Stage): Promise<Mosquitto | undefined> {
  const program = places.find((place) => existsSync(place));
  if (program === undefined) return undefined;
  const plain = { port: await freePort() };
  const mutualTls = { port: await freePort(), tls: await peerCertificates(stage.folder) };
  const config = join(stage.folder, 'mosquitto.conf');
  const lines = [
    `user ${userInfo().username}`,
    'persistence true',
    `persistence_location ${stage.folder}/`,
    `listener ${plain.port} 127.0.0.1`,
    'allow_anonymous true',
    `listener ${mutualTls.port} 127.0.0.1`,
    `cafile ${stage.folder}/ca.pem`,
    `certfile ${stage.folder}/broker.pem`,
    `keyfile ${stage.folder}/broker.key`,
    'require_certificate true',
    'use_identity_as_username true',
    // Of a peer that answers slowly nothing is dropped.
    'max_queued_messages 0',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const broker = new TimedProcess([program, '-c', config]);
  stage.later(() => broker.kill('SIGKILL'));
  await broker.line(/ running/);
  return { pid: broker.pid, plain, mutualTls };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
