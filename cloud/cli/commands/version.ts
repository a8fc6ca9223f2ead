/** `stile version`: this program's and, where one is in reach, the server's. */
import { programVersion } from '../../../protocol/program-version.ts';
import { versionMax } from '../../../protocol/version.ts';
import type { ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';

export async function version(
  world: World,
  options: ConnectionOptions & { client?: boolean; output: Output },
): Promise<void> {
  const client = { version: programVersion, protocol: versionMax, engine: world.engineVersion };
  const server = options.client ? undefined : await serverVersion(world, options);
  const answer = { client, ...(server === undefined ? {} : { server }) };
  if (options.output === 'json') return world.terminal.out(jsonText(answer));
  if (options.output === 'yaml') return world.terminal.out(yamlText(answer));
  world.terminal.out(`Client: stile ${client.version}, protocol ${client.protocol}, Node ${client.engine}\n`);
  if (server !== undefined) world.terminal.out(`Server: Kubernetes API ${String(server.gitVersion)}\n`);
}

async function serverVersion(world: World, options: ConnectionOptions) {
  try {
    const connection = await world.connect(options);
    return await connection.api<Record<string, unknown>>({ method: 'GET', path: '/version' });
  } catch (error) {
    world.report(error);
    return undefined;
  }
}
