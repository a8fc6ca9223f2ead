/** `stile audit`: who changed what, from where, and what came of it. */
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines, cellText } from '../table.ts';

export interface AuditOptions extends ConnectionOptions {
  sinceMs: number;
  user?: string;
  /** A plural, with its group or its part or without. */
  resource?: string;
  /** Records that are shown, the newest. */
  limit: number;
  output: Exclude<Output, 'name' | 'wide'>;
}

/** One write, as the hub keeps it. */
interface AuditRecord {
  place: number;
  timeMs: number;
  user: string;
  groups: string[];
  sourceAddress: string;
  userAgent: string;
  verb: string;
  resource: string;
  version: string;
  namespace?: string;
  name?: string;
  code: number;
  bytes: number;
}

/** Items of one answer of the hub. */
const PAGE_ITEMS = 1_000;

/** Oldest first, in every namespace unless one is named. */
export async function showAudit(world: World, name: string | undefined, options: AuditOptions): Promise<void> {
  const connection = await world.connect(options);
  const { user, resource, namespace, limit } = options;
  const since = new Date(Math.max(0, world.clock.now() - options.sinceMs)).toISOString();
  const { records, found } = await newest(connection, { since, user, resource, namespace, name }, limit);
  world.terminal.out(textOf(records, options.output));
  const asked = Object.entries({ user, resource, namespace, name }).flatMap(
    ([key, value]) => value && `${key} ${value}`,
  );
  if (found === 0) world.terminal.tell(`No records since ${[since, ...asked.filter(Boolean)].join(', ')}`);
  else if (found > records.length)
    world.terminal.tell(`the newest ${records.length} of ${found} records: --limit shows more`);
}

/** Reads all pages and holds no more than `limit` records of them. */
async function newest(
  connection: Connection,
  query: Record<string, string | undefined>,
  limit: number,
): Promise<{ records: AuditRecord[]; found: number }> {
  let records: AuditRecord[] = [];
  let found = 0;
  let after: number | undefined = 0;
  while (after !== undefined) {
    const page: Page = await readPage(connection, { ...query, after: String(after) });
    records = [...records, ...page.items].slice(-limit);
    found += page.items.length;
    after = page.next;
  }
  return { records, found };
}

interface Page {
  items: AuditRecord[];
  /** Absent when nothing is left. */
  next?: number;
}

async function readPage(connection: Connection, query: Record<string, string | undefined>): Promise<Page> {
  const parameters = new URLSearchParams({ limit: String(PAGE_ITEMS) });
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  const { json } = await connection.hub.send({ method: 'GET', path: `/stile/v1/audit?${parameters}` });
  return json as Page;
}

function textOf(records: readonly AuditRecord[], output: AuditOptions['output']): string {
  if (output === 'json') return jsonText({ items: records });
  if (output === 'yaml') return yamlText({ items: records });
  if (records.length === 0) return '';
  const head = ['TIME', 'USER', 'FROM', 'VERB', 'RESOURCE', 'NAMESPACE', 'NAME', 'CODE', 'BYTES'];
  return `${alignedLines([head, ...records.map(cellsOf)]).join('\n')}\n`;
}

function cellsOf(record: AuditRecord): string[] {
  const { timeMs, user, sourceAddress, verb, resource, namespace, name, code, bytes } = record;
  const texts = [user, sourceAddress, verb, resource, namespace, name].map(cellText);
  return [new Date(timeMs).toISOString(), ...texts, String(code), String(bytes)];
}
