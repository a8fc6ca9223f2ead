/** `stile twin get|watch|history`: what nodes and devices shall be, and are. */
import { AppError } from '../../../protocol/errors.ts';
import type { Node, Twin } from '../../../protocol/kubernetes.ts';
import { diff, type Members } from '../../../protocol/twin/merge.ts';
import type { DesiredChange } from '../../twins/twin-history.ts';
import { getObject, type Listed, listObjects, watchSelection } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { discover, type Resource } from '../resources.ts';
import { alignedLines, cellText } from '../table.ts';
import { documentOf, propertyRows } from '../twin-text.ts';

type TwinOptions = ConnectionOptions & { output: Output };

export async function twinResource(connection: Connection): Promise<Resource> {
  const found = (await discover(connection)).find(({ group, plural }) => group === 'stile.dev' && plural === 'twins');
  if (found === undefined) throw new AppError('E_NOT_FOUND', 'the server has no twins: it is no hub of Stile');
  return found;
}

export async function readTwin(connection: Connection, resource: Resource, id: string): Promise<Twin> {
  return (await getObject(connection, resource, undefined, id)) as Twin;
}

/** Since when the hub has heard nothing of a node, as it is told to people; undefined: it is there, or nobody knows. */
export async function awaySince(connection: Connection, node: string): Promise<string | undefined> {
  const nodes = (await discover(connection)).find(({ group, plural }) => group === '' && plural === 'nodes');
  if (nodes === undefined) return undefined;
  const found = await getObject(connection, nodes, undefined, node).catch(() => undefined);
  const ready = (found as Node | undefined)?.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? undefined : ready.lastTransitionTime;
}

/** The document of one twin. */
export async function getTwin(world: World, id: string, { output, ...options }: TwinOptions): Promise<void> {
  const connection = await world.connect(options);
  const twin = await readTwin(connection, await twinResource(connection), id);
  const { out, tell } = world.terminal;
  if (output === 'name') return out(`twin.stile.dev/${id}\n`);
  if (output === 'json') return out(jsonText(documentOf(twin)));
  if (output === 'yaml') return out(yamlText(documentOf(twin)));
  const rows = propertyRows(twin);
  if (rows.length > 0) out(`${alignedLines([['PROPERTY', 'DESIRED', 'REPORTED'], ...rows]).join('\n')}\n`);
  const { nodeName } = twin.spec;
  tell(`desired ${versionOf(twin.status?.desired)}, reported ${versionOf(twin.status?.reported)}, at ${nodeName}`);
  const since = await awaySince(connection, nodeName);
  if (since !== undefined) tell(`${nodeName} is away since ${since}: it takes what is desired when it is back`);
  const conflicts = twin.status?.conflicts ?? [];
  if (conflicts.length > 0)
    tell(`${conflicts.length} writes made at the node met another one here: -o yaml shows them`);
}

const versionOf = (section: { version: number } | undefined): string =>
  section === undefined ? 'never' : `version ${section.version}`;

/** Tells each change of one twin, until Ctrl-C. */
export async function watchTwin(world: World, id: string, { output, ...options }: TwinOptions): Promise<void> {
  const connection = await world.connect(options);
  const resource = await twinResource(connection);
  const selection = { resource, namespace: undefined, fields: `metadata.name=${id}` };
  let before: Twin | undefined;
  const onTwin = (twin: Twin) => {
    for (const text of newsOf(before, twin, output)) world.terminal.out(text);
    before = twin;
  };
  await watchSelection(
    world,
    connection,
    selection,
    {
      accept: 'application/json',
      list: () => listObjects(connection, selection),
      revisionOf: (listed: Listed) => listed.revision,
      onListed({ items }: Listed) {
        if (items.length === 0 && before === undefined) world.terminal.tell(`there is no twin ${id} yet, watching`);
        for (const item of items) onTwin(item as Twin);
      },
      onEvent(type, object) {
        if (type !== 'DELETED') return onTwin(object);
        world.terminal.tell(`the twin ${id} is gone`);
        before = undefined;
      },
    },
    world.terminal.interruption(),
  );
}

/** One line for each section that is another one now. */
function newsOf(before: Twin | undefined, twin: Twin, output: Output): string[] {
  const sections = [
    { name: 'desired', version: twin.status?.desired.version, was: before?.status?.desired.version, of: desiredOf },
    {
      name: 'reported',
      version: twin.status?.reported?.version,
      was: before?.status?.reported?.version,
      of: reportedOf,
    },
  ];
  const news = sections.filter(({ version, was }) => version !== undefined && version !== was);
  if (news.length === 0) return [];
  if (output === 'json') return [`${JSON.stringify(documentOf(twin))}\n`];
  if (output === 'yaml') return [`---\n${yamlText(documentOf(twin))}`];
  return news.map(({ name, version, of }) => {
    const patch = diff(before === undefined ? {} : of(before), of(twin));
    return `${name.padEnd(8)}   ${version}   ${cellText(patch)}\n`;
  });
}

const desiredOf = ({ spec }: Twin): Members => spec.desired;
const reportedOf = ({ status }: Twin): Members => status?.reported?.value ?? {};

/** Who changed desired, when, to what. */
export async function showHistory(world: World, id: string, { output, ...options }: TwinOptions): Promise<void> {
  const connection = await world.connect(options);
  const { json } = await connection.hub.send({
    method: 'GET',
    path: `/stile/v1/twins/${encodeURIComponent(id)}/history`,
  });
  const { items } = json as { items: DesiredChange[] };
  const { out, tell } = world.terminal;
  if (output === 'json') return out(jsonText({ items }));
  if (output === 'yaml') return out(yamlText({ items }));
  if (items.length === 0) return tell(`desired of ${id} was never changed`);
  const rows = items.map(({ version, timeMs, who, patch }) => [
    String(version),
    new Date(timeMs).toISOString(),
    cellText(who),
    patch === undefined ? '<too large to be kept>' : cellText(patch),
  ]);
  out(`${alignedLines([['VERSION', 'TIME', 'WHO', 'PATCH'], ...rows]).join('\n')}\n`);
}
