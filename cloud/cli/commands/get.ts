/** `stile get` and `stile watch`: tables from the server, or the objects themselves. */
import { AppError, codeOf } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { type CustomOutput, customText, headOfColumns, rowOf } from '../custom-output.ts';
import {
  asServerTable,
  asTable,
  getObject,
  getTable,
  type Listed,
  listObjects,
  listTable,
  type Selection,
  watchSelection,
} from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { documentOf, documentText, headOf, type Output, rowsOf, type TableLayout, yamlText } from '../print.ts';
import { discover, qualifiedName, type Resource } from '../resources.ts';
import { parseSubjects, type Subject } from '../subjects.ts';
import { alignedLines, GrowingTable, type ServerRow, type ServerTable } from '../table.ts';

export interface GetOptions extends ConnectionOptions {
  output: Output | CustomOutput;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  watch?: boolean;
  /** False with `--no-headers`. */
  headers: boolean;
}

export async function get(world: World, args: readonly string[], options: GetOptions): Promise<void> {
  const connection = await world.connect(options);
  const subjects = parseSubjects(await discover(connection), args);
  checkCombination(subjects, options);
  if (options.watch) return watch(world, connection, subjects, options);
  if (options.output === 'table' || options.output === 'wide') return printTables(world, connection, subjects, options);
  const objects: KubeObject[] = [];
  for (const subject of subjects) objects.push(...(await readObjects(world, connection, subject, options)));
  printObjects(world, subjects, objects, options);
}

function printObjects(
  world: World,
  subjects: readonly Subject[],
  objects: readonly KubeObject[],
  { output, headers }: GetOptions,
): void {
  const single = subjects.length === 1 && subjects[0]!.names.length === 1;
  if (single && objects.length === 0) return;
  if (typeof output === 'object') world.terminal.out(customText(output, documentOf(objects, single), objects, headers));
  else if (output === 'json' || output === 'yaml') world.terminal.out(documentText(output, objects, single));
  else
    for (const object of objects) {
      const { resource } = subjects.find((subject) => subject.resource.kind === object.kind)!;
      world.terminal.out(`${qualifiedName(resource, object.metadata.name)}\n`);
    }
}

function checkCombination(subjects: readonly Subject[], options: GetOptions): void {
  const named = subjects.some((subject) => subject.names.length > 0);
  if (named && (options.selector !== undefined || options.fieldSelector !== undefined))
    throw new AppError('E_USAGE', 'give names or a selector, not both');
  if (named && options.allNamespaces)
    throw new AppError('E_USAGE', 'a name is of one namespace: leave out -A, or the name');
}

async function readObjects(
  world: World,
  connection: Connection,
  { resource, names }: Subject,
  options: GetOptions,
): Promise<KubeObject[]> {
  if (names.length === 0) return (await listObjects(connection, selectionOf(connection, resource, options))).items;
  const namespace = options.namespace ?? connection.namespace;
  const read = (name: string) => getObject(connection, resource, namespace, name);
  return eachName(world, names, (name) => exactOrUnique(world, connection, { resource, namespace }, name, read));
}

async function printTables(
  world: World,
  connection: Connection,
  subjects: readonly Subject[],
  options: GetOptions,
): Promise<void> {
  const blocks: string[] = [];
  for (const subject of merged(subjects)) {
    const table = await readTable(world, connection, subject, options);
    if ((table?.rows ?? []).length === 0) continue;
    const layout = layoutOf(subject.resource, subjects, options);
    const head = options.headers ? [headOf(table!, layout)] : [];
    blocks.push(`${alignedLines([...head, ...rowsOf(table!, layout)]).join('\n')}\n`);
  }
  world.terminal.out(blocks.join('\n'));
  const named = subjects.some((subject) => subject.names.length > 0);
  if (blocks.length === 0 && !named) world.terminal.tell(nothingFound(connection, subjects, options));
}

async function readTable(
  world: World,
  connection: Connection,
  { resource, names }: Subject,
  options: GetOptions,
): Promise<ServerTable | undefined> {
  const nowMs = world.clock.now();
  if (names.length === 0) return listTable(connection, selectionOf(connection, resource, options), nowMs);
  const namespace = options.namespace ?? connection.namespace;
  const read = (name: string) => getTable(connection, resource, namespace, name, nowMs);
  const tables = await eachName(world, names, (name) =>
    exactOrUnique(world, connection, { resource, namespace }, name, read),
  );
  const [first] = tables;
  return first && { ...first, rows: tables.flatMap((table) => table.rows ?? []) };
}

/** One that is missing does not hide the others. */
async function eachName<T>(world: World, names: readonly string[], read: (name: string) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (const name of names) {
    try {
      found.push(await read(name));
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
  return found;
}

/**
 * A name that does not exist stands for the only one that begins with it, and that is said; but only where a person
 * looks on: a script that asks whether `gate` is there must not be told of `gate-1`.
 */
async function exactOrUnique<T>(
  world: World,
  connection: Connection,
  selection: Selection,
  name: string,
  read: (name: string) => Promise<T>,
): Promise<T> {
  try {
    return await read(name);
  } catch (error) {
    if (codeOf(error) !== 'E_NOT_FOUND' || !world.terminal.interactive) throw error;
    const { items } = await listObjects(connection, selection);
    const found = items.map((item) => item.metadata.name).filter((whole) => whole.startsWith(name));
    const [only, ...more] = found;
    if (only === undefined) throw error;
    if (more.length > 0)
      throw new AppError(
        'E_NOT_FOUND',
        `${name} is the beginning of ${found.length} names, e.g. ${only}: write more of it`,
      );
    world.terminal.tell(`${name} is short for ${only}`);
    return read(only);
  }
}

/** `pod/a pod/b` makes one table. */
function merged(subjects: readonly Subject[]): Subject[] {
  const byResource = new Map<Resource, Subject>();
  for (const { resource, names } of subjects) {
    const known = byResource.get(resource);
    byResource.set(resource, { resource, names: [...(known?.names ?? []), ...names] });
  }
  return [...byResource.values()];
}

function layoutOf(resource: Resource, subjects: readonly Subject[], options: GetOptions): TableLayout {
  const several = new Set(subjects.map((subject) => subject.resource)).size > 1;
  return {
    wide: options.output === 'wide',
    withNamespace: options.allNamespaces === true && resource.namespaced,
    ...(several ? { kind: resource } : {}),
  };
}

function selectionOf(connection: Connection, resource: Resource, options: GetOptions): Selection {
  return {
    resource,
    namespace: options.allNamespaces ? undefined : (options.namespace ?? connection.namespace),
    ...(options.selector === undefined ? {} : { labels: options.selector }),
    ...(options.fieldSelector === undefined ? {} : { fields: options.fieldSelector }),
  };
}

function nothingFound(connection: Connection, subjects: readonly Subject[], options: GetOptions): string {
  const namespaced = subjects.some((subject) => subject.resource.namespaced);
  if (!namespaced || options.allNamespaces) return 'No resources found';
  return `No resources found in namespace ${options.namespace ?? connection.namespace}.`;
}

/** One kind at a time; several would share one screen without telling whose columns they are. */
async function watch(
  world: World,
  connection: Connection,
  subjects: readonly Subject[],
  options: GetOptions,
): Promise<void> {
  const [subject, ...more] = subjects;
  if (subject === undefined || more.length > 0 || subject.names.length > 1)
    throw new AppError('E_USAGE', 'a watch follows one kind, or one object of it');
  const [name] = subject.names;
  const selection = {
    ...selectionOf(connection, subject.resource, options),
    ...(name === undefined ? {} : { fields: `metadata.name=${name}` }),
  };
  const signal = world.terminal.interruption();
  if (options.output === 'table' || options.output === 'wide') {
    const view = tableView(world, connection, selection, options);
    return watchSelection(world, connection, selection, view, signal);
  }
  return watchSelection(world, connection, selection, objectView(world, connection, selection, options), signal);
}

function tableView(world: World, connection: Connection, selection: Selection, options: GetOptions) {
  const layout = layoutOf(selection.resource, [], options);
  const growing = new GrowingTable();
  // Only the first table of a watch names its columns.
  let definitions: ServerTable['columnDefinitions'] = null;
  const news = newsOnly<ServerRow>((row) => row.object?.metadata);
  const print = (table: ServerTable) => {
    const withHead = definitions === null && options.headers;
    definitions = table.columnDefinitions?.length ? table.columnDefinitions : definitions;
    const whole = { ...table, columnDefinitions: definitions };
    const lines = growing.lines([...(withHead ? [headOf(whole, layout)] : []), ...rowsOf(whole, layout)]);
    world.terminal.out(lines.map((line) => `${line}\n`).join(''));
  };
  return {
    accept: asTable,
    list: () => listTable(connection, selection, world.clock.now()),
    revisionOf: (table: ServerTable) => table.metadata?.resourceVersion,
    onListed(table: ServerTable) {
      const rows = (table.rows ?? []).filter(news.isNew);
      if (rows.length > 0) print({ ...table, rows });
      else if (definitions === null) world.terminal.tell('nothing there yet, watching');
    },
    onEvent(type: string, object: never) {
      const table = asServerTable(object, world.clock.now());
      for (const row of table.rows ?? []) news.take(type, row);
      print(table);
    },
  };
}

function objectView(world: World, connection: Connection, selection: Selection, options: GetOptions) {
  const news = newsOnly<KubeObject>((object) => object.metadata);
  const custom = typeof options.output === 'object' ? customLines(options.output, options.headers) : undefined;
  const print = (object: KubeObject) => {
    if (custom !== undefined) world.terminal.out(custom(object));
    else if (options.output === 'json') world.terminal.out(`${JSON.stringify(object)}\n`);
    else if (options.output === 'yaml') world.terminal.out(`---\n${yamlText(object)}`);
    else world.terminal.out(`${qualifiedName(selection.resource, object.metadata.name)}\n`);
  };
  return {
    accept: 'application/json',
    list: () => listObjects(connection, selection),
    revisionOf: (listed: Listed) => listed.revision,
    onListed: (listed: Listed) => listed.items.filter(news.isNew).forEach(print),
    onEvent(type: string, object: never) {
      news.take(type, object);
      print(object);
    },
  };
}

/** Columns under one heading, a template for each object. */
function customLines(output: CustomOutput, headers: boolean): (object: KubeObject) => string {
  if ('template' in output) return (object) => customText(output, object, [object], headers);
  const growing = new GrowingTable();
  const head = headers ? [headOfColumns(output.columns)] : [];
  return (object) => {
    const lines = growing.lines([...head.splice(0), rowOf(output.columns)(object)]);
    return lines.map((line) => `${line}\n`).join('');
  };
}

interface Identified {
  uid?: string;
  resourceVersion?: string;
}

/** Remembers which revision of which object was shown, so that a list after a gap shows only what differs. */
function newsOnly<T>(metadataOf: (item: T) => Identified | undefined) {
  const shown = new Map<string, string | undefined>();
  return {
    isNew(item: T): boolean {
      const { uid = '', resourceVersion } = metadataOf(item) ?? {};
      const isNew = !shown.has(uid) || shown.get(uid) !== resourceVersion;
      shown.set(uid, resourceVersion);
      return isNew;
    },
    take(type: string, item: T): void {
      const { uid = '', resourceVersion } = metadataOf(item) ?? {};
      if (type === 'DELETED') shown.delete(uid);
      else shown.set(uid, resourceVersion);
    },
  };
}
