/** The MQTT broker mosquitto, on loopback TCP as its packages set it up; left out where it is not installed. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';

const places = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

/** Resolves to its port; undefined: there is no mosquitto here. */
export async function startMosquitto(stage: Stage): Promise<number | undefined> {
  const program = places.find((place) => existsSync(place));
  if (program === undefined) return undefined;
  const port = await freePort();
  const config = join(stage.folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `user ${userInfo().username}`,
    'persistence true',
    `persistence_location ${stage.folder}/`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const broker = new TimedProcess([program, '-c', config]);
  stage.later(() => broker.kill('SIGKILL'));
  await broker.line(/ running/);
  return port;
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
