/** `stile user`: people and programs that may use the API, each with a certificate of its own. */
import { AppError } from '../../../protocol/errors.ts';
import { humanDuration } from '../../../protocol/resources/kinds/columns.ts';
import { checkUserName, type UserAnswer, type UserRole, userProofText } from '../../../protocol/user-certificate.ts';
import { kubeconfig } from '../../identity/kubeconfig.ts';
import type { ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines } from '../table.ts';

export interface UserCreateOptions extends ConnectionOptions {
  role: UserRole;
  /** Of an operator; empty: all. */
  pool: string[];
  days?: number;
  /** The kubeconfig that is written; `-` is stdout. */
  output?: string;
}

interface UserFacts {
  name: string;
  serial: string;
  roles: string[];
  /** RFC 3339, as the other times. */
  issued: string;
  expires: string;
  revoked?: string;
}

const path = '/stile/v1/users';

/** Errors: `E_INPUT_INVALID`, `E_USAGE` for pools of another role, `E_CONFLICT` for a name that is in use. */
export async function createUser(world: World, name: string, options: UserCreateOptions): Promise<void> {
  const { role, pool: pools, days, output = `${name}.kubeconfig` } = options;
  checkUserName(name);
  if (pools.length > 0 && role !== 'operator')
    throw new AppError('E_USAGE', `--pool is for --role operator: the role ${role} is for the whole fleet`);
  // Before the hub signs anything: a key that cannot be kept would be lost.
  if (output !== '-') await world.outputs.expectFree(output);
  const connection = await world.connect(options);
  const key = await world.makeUserKey();
  const { publicKey } = key;
  const { json } = await connection.hub.send({
    method: 'POST',
    path,
    json: {
      name,
      role,
      ...(pools.length === 0 ? {} : { pools }),
      ...(days === undefined ? {} : { days }),
      publicKey,
      proof: key.sign(userProofText(name, publicKey)),
    },
  });
  const { certificate, ca, expires } = json as UserAnswer;
  const text = kubeconfig({
    server: connection.hubServer,
    caPem: ca,
    administrator: { certificatePem: certificate, keyPem: key.keyPem },
    user: name,
  });
  if (output === '-') world.terminal.out(text);
  else {
    await world.outputs.writePrivate(output, text);
    world.terminal.out(`user/${name} created\n`);
  }
  const where = output === '-' ? 'stdout' : output;
  const left = humanDuration(Date.parse(expires) - world.clock.now());
  world.terminal.tell(`its kubeconfig, with its key, is ${where}: hand it over privately; it is good for ${left}`);
}

export async function listUsers(world: World, options: ConnectionOptions & { output: Output }): Promise<void> {
  const connection = await world.connect(options);
  const { json } = await connection.hub.send({ method: 'GET', path });
  const users = (json as { items: UserFacts[] }).items;
  if (options.output === 'json') return world.terminal.out(jsonText({ items: users }));
  if (options.output === 'yaml') return world.terminal.out(yamlText({ items: users }));
  if (options.output === 'name') return world.terminal.out(users.map(({ name }) => `${name}\n`).join(''));
  if (users.length === 0) return world.terminal.tell('No users found but the administrator that the hub made');
  const nowMs = world.clock.now();
  const rows = users.map((user) => [
    user.name,
    user.roles.join(', ') || '<none>',
    humanDuration(nowMs - Date.parse(user.issued)),
    standingOf(user, nowMs),
    user.serial,
  ]);
  const lines = alignedLines([['NAME', 'ROLES', 'AGE', 'EXPIRES-IN', 'SERIAL'], ...rows]);
  world.terminal.out(`${lines.join('\n')}\n`);
}

export async function revokeUsers(world: World, names: readonly string[], options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  for (const name of names) {
    try {
      await connection.hub.send({ method: 'DELETE', path: `${path}/${encodeURIComponent(name)}` });
      world.terminal.out(`user/${name} revoked\n`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}

function standingOf({ revoked, expires }: UserFacts, nowMs: number): string {
  if (revoked !== undefined) return '<revoked>';
  const leftMs = Date.parse(expires) - nowMs;
  return leftMs > 0 ? humanDuration(leftMs) : '<expired>';
}
