/** `stile token`: what lets a new terminal enrol. */
import { AppError } from '../../../protocol/errors.ts';
import { humanDuration } from '../../../protocol/resources/kinds/columns.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines, cellText } from '../table.ts';

export interface TokenCreateOptions extends ConnectionOptions {
  pool: string;
  /** Only a node of this name may use it. */
  node?: string;
  /** Lets a terminal with a new SD card take its old name. */
  replace?: boolean;
  ttlMs: number;
  uses: number;
}

interface CreatedToken {
  token: string;
  id: string;
  /** RFC 3339. */
  expires: string;
}

/** A token without its secret part. */
interface TokenFacts {
  id: string;
  pool: string;
  node?: string;
  replace: boolean;
  usesMax: number;
  usesLeft: number;
  created: string;
  expires: string;
}

const path = '/stile/v1/tokens';

/** The token alone is the last line of stdout, so that `TOKEN=$(stile token create --pool P)` works. */
export async function createToken(world: World, options: TokenCreateOptions): Promise<void> {
  const connection = await world.connect(options);
  const answer = await connection.hub.send({
    method: 'POST',
    path,
    json: {
      pool: options.pool,
      ...(options.node === undefined ? {} : { node: options.node }),
      ...(options.replace ? { replace: true } : {}),
      ttlSeconds: Math.ceil(options.ttlMs / 1000),
      uses: options.uses,
    },
  });
  const { token, id, expires } = answer.json as CreatedToken;
  // A token belongs on the screen of who asked for it, not into the log that stderr may be.
  const shown = world.terminal.interactive ? token : '"$TOKEN"';
  const leftMs = Date.parse(expires) - world.clock.now();
  world.terminal.tell(
    `token ${id} for pool ${options.pool}, ${options.uses} use${options.uses === 1 ? '' : 's'}, ` +
      `expires in ${humanDuration(leftMs)}. On the terminal:`,
  );
  world.terminal.tell(
    `  stile-runtime --hub ${connection.hubServer} --token ${shown} --name ${options.node ?? 'NAME'} --data-dir DIR`,
  );
  world.terminal.out(`${token}\n`);
}

export async function listTokens(world: World, options: ConnectionOptions & { output: Output }): Promise<void> {
  const connection = await world.connect(options);
  const tokens = await readTokens(connection);
  if (options.output === 'json') return world.terminal.out(jsonText({ items: tokens }));
  if (options.output === 'yaml') return world.terminal.out(yamlText({ items: tokens }));
  if (options.output === 'name') return world.terminal.out(tokens.map(({ id }) => `${id}\n`).join(''));
  if (tokens.length === 0) return world.terminal.tell('No tokens found');
  const nowMs = world.clock.now();
  const rows = tokens.map((token) => {
    const leftMs = Date.parse(token.expires) - nowMs;
    return [
      token.id,
      token.pool,
      cellText(token.node ?? '<any>'),
      token.replace ? 'yes' : 'no',
      `${token.usesLeft}/${token.usesMax}`,
      leftMs > 0 ? humanDuration(leftMs) : '<expired>',
    ];
  });
  const lines = alignedLines([['ID', 'POOL', 'NODE', 'REPLACE', 'USES-LEFT', 'EXPIRES-IN'], ...rows]);
  world.terminal.out(`${lines.join('\n')}\n`);
}

/** `id` may be the beginning of exactly one id. */
export async function deleteTokens(world: World, ids: readonly string[], options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  const known = (await readTokens(connection)).map((token) => token.id);
  for (const text of ids) {
    try {
      const id = uniqueId(known, text);
      await connection.hub.send({ method: 'DELETE', path: `${path}/${encodeURIComponent(id)}` });
      world.terminal.out(`token/${id} deleted\n`);
    } catch (error) {
      if (ids.length === 1) throw error;
      world.report(error);
    }
  }
}

export function uniqueId(known: readonly string[], text: string): string {
  if (known.includes(text)) return text;
  const found = known.filter((id) => id.startsWith(text));
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new AppError('E_NOT_FOUND', `there is no token ${text}: \`stile token list\` shows them`);
  throw new AppError('E_USAGE', `${text} may mean ${found.join(', ')}: write more of it`);
}

async function readTokens(connection: Connection): Promise<TokenFacts[]> {
  const { json } = await connection.hub.send({ method: 'GET', path });
  return (json as { items: TokenFacts[] }).items;
}
