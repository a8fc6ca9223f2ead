/** `stile events`: what apps on terminals reported. */
import { codeOf } from '../../../protocol/errors.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines, cellText } from '../table.ts';

export interface EventsOptions extends ConnectionOptions {
  node?: string;
  type?: string;
  sinceMs: number;
  after?: string;
  watch?: boolean;
  output: Output;
}

interface AppEvent {
  cursor: string;
  node: string;
  epoch: string;
  seq: number;
  type: string;
  timeMs: number;
  data: Json;
  id?: string;
}

/** Items of one answer of the hub. */
const PAGE_ITEMS = 1_000;
const WAIT_SECONDS = 30;
/** Terminals tell of themselves under these. */
const ownTypes = /^(?:kubernetes|stile)\./;

/**
 * One page after the other. The cursor, which `--after` takes, is told on stderr at the end and is a member of each
 * event in JSON; with `-w` JSON comes as one event a line.
 */
export async function showEvents(world: World, options: EventsOptions): Promise<void> {
  const connection = await world.connect(options);
  const since = new Date(Math.max(0, world.clock.now() - options.sinceMs)).toISOString();
  // A cursor says more exactly where to go on.
  const query: Query & { output: Output } = options.after === undefined ? { ...options, since } : { ...options };
  if (options.watch) return follow(world, connection, query);
  const events: AppEvent[] = [];
  let page: Page;
  do {
    page = await readPage(connection, query, { waiting: false });
    events.push(...page.items.filter((event) => isMeant(event, options)));
    query.after = page.cursor;
  } while (page.items.length === PAGE_ITEMS);
  world.terminal.out(textOf(events, options.output));
  world.terminal.tell(events.length === 0 ? 'No events found' : `go on with --after ${page.cursor}`);
}

/** Until Ctrl-C. */
async function follow(world: World, connection: Connection, query: Query & { output: Output }): Promise<void> {
  const signal = world.terminal.interruption();
  let waiting = false;
  while (!signal.aborted) {
    try {
      const page: Page = await readPage(connection, query, { waiting, signal });
      for (const event of page.items) if (isMeant(event, query)) world.terminal.out(lineOf(event, query.output));
      query.after = page.cursor;
      waiting = page.items.length < PAGE_ITEMS;
      // What a terminal was away with comes late, and is news all the same.
      if (waiting) delete query.since;
    } catch (error) {
      if (codeOf(error) !== 'E_CANCELLED') throw error;
    }
  }
}

interface Query {
  node?: string;
  type?: string;
  /** RFC 3339. */
  since?: string;
  after?: string;
}

interface Page {
  items: AppEvent[];
  cursor: string;
}

function isMeant(event: AppEvent, { type }: { type?: string }): boolean {
  return type !== undefined || !ownTypes.test(event.type);
}

async function readPage(
  connection: Connection,
  { node, type, since, after }: Query,
  { waiting, signal }: { waiting: boolean; signal?: AbortSignal },
): Promise<Page> {
  const parameters = new URLSearchParams({ limit: String(PAGE_ITEMS) });
  if (node !== undefined) parameters.set('node', node);
  if (type !== undefined) parameters.set('type', type);
  if (since !== undefined) parameters.set('since', since);
  if (after !== undefined) parameters.set('after', after);
  if (waiting) parameters.set('waitSeconds', String(WAIT_SECONDS));
  const path = `/stile/v1/events?${parameters}`;
  const { json } = await connection.hub.send({ method: 'GET', path, ...(signal === undefined ? {} : { signal }) });
  return json as Page;
}

function textOf(events: readonly AppEvent[], output: Output): string {
  if (output === 'json') return jsonText({ items: events });
  if (output === 'yaml') return yamlText({ items: events });
  if (output === 'name') return events.map(nameOf).join('');
  if (events.length === 0) return '';
  return `${alignedLines([['TIME', 'NODE', 'TYPE', 'ID', 'DATA'], ...events.map(cellsOf)]).join('\n')}\n`;
}

function lineOf(event: AppEvent, output: Output): string {
  if (output === 'json') return `${JSON.stringify(event)}\n`;
  if (output === 'yaml') return `---\n${yamlText(event)}`;
  if (output === 'name') return nameOf(event);
  return `${cellsOf(event).join('   ')}\n`;
}

function cellsOf({ timeMs, node, type, id, data }: AppEvent): string[] {
  return [
    new Date(timeMs).toISOString(),
    node,
    cellText(type),
    cellText(id ?? '<none>'),
    cellText(JSON.stringify(data)),
  ];
}

function nameOf({ node, epoch, seq }: AppEvent): string {
  return `${node}/${epoch}/${seq}\n`;
}
