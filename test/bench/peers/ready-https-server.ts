/** Bare Node with every answer ready, behind the certificate of the hub that it stands beside. */
import { fileURLToPath } from 'node:url';
import type { House } from '../../house/house.ts';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';

/** Resolves to its URL. */
export async function startReadyHttpsServer(stage: Stage, house: House): Promise<string> {
  const script = fileURLToPath(new URL('ready-https-server.mjs', import.meta.url));
  const server = new TimedProcess([process.execPath, script, house.path('hub', 'pki', 'server.pem')]);
  stage.later(() => server.kill('SIGKILL'));
  const port = await server.said(/listens on (\d+)/);
  return `https://127.0.0.1:${port}`;
}
