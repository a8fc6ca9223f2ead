/** Certificates for a peer with mutual TLS: on P-256 and of the same make as those of our terminals and their hub. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Authority, createAuthorityMaterial } from '../../../cloud/identity/authority.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import type { MqttDoor } from './mosquitto.ts';

/** The server's go into `folder` as `ca.pem`, `broker.pem` and `broker.key`; resolves to what a client shows. */
export async function peerCertificates(folder: string): Promise<NonNullable<MqttDoor['tls']>> {
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
