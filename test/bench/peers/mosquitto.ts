/**
 * The MQTT broker mosquitto on loopback TCP: one door as its packages set it up, one with mutual TLS. Left out where it
 * is not installed.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Authority, createAuthorityMaterial } from '../../../cloud/identity/authority.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';

const places = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

export interface MqttDoor {
  port: number;
  /** What a client shows and believes; absent: no TLS. */
  tls?: { ca: string; cert: string; key: string };
}

export interface Mosquitto {
  plain: MqttDoor;
  mutualTls: MqttDoor;
}

/** Undefined: there is no mosquitto here. */
export async function startMosquitto(stage: Stage): Promise<Mosquitto | undefined> {
  const program = places.find((place) => existsSync(place));
  if (program === undefined) return undefined;
  const plain = { port: await freePort() };
  const mutualTls = { port: await freePort(), tls: await certificates(stage.folder) };
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
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const broker = new TimedProcess([program, '-c', config]);
  stage.later(() => broker.kill('SIGKILL'));
  await broker.line(/ running/);
  return { plain, mutualTls };
}

/** The broker's own go into `folder`; resolves to what a client shows. P-256, as between our terminals and their hub. */
async function certificates(folder: string): Promise<NonNullable<MqttDoor['tls']>> {
  const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
  const authority = await Authority.from(env, await createAuthorityMaterial(env));
  const broker = await authority.issueServer(['127.0.0.1']);
  const client = await authority.issueAdministrator('bench');
  const { certificatePem: ca } = authority;
  await writeFile(join(folder, 'ca.pem'), ca);
  await writeFile(join(folder, 'broker.pem'), broker.certificatePem);
  await writeFile(join(folder, 'broker.key'), broker.keyPem, { mode: 0o600 });
  return { ca, cert: client.certificatePem, key: client.keyPem };
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
