/** Reading collections: page by page, as tables or as objects, and what happened to them since. */
import { AppError, codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { Connection, World } from './ports.ts';
import { tableOfObjects } from './print.ts';
import { apiVersionOf, pathOf, type Resource } from './resources.ts';
import type { ServerTable } from './table.ts';

export interface Selection {
  resource: Resource;
  /** Undefined for all namespaces. */
  namespace: string | undefined;
  labels?: string;
  fields?: string;
}

export const asTable = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

/** Objects of one page, as kubectl. */
const PAGE_OBJECTS = '500';
/** Pause before a broken watch is opened again; doubles up to the second. */
const RETRY_MS = { first: 1_000, max: 15_000 };

interface ObjectList {
  kind: string;
  items: KubeObject[];
  metadata: { continue?: string; resourceVersion?: string };
}

export interface Listed {
  items: KubeObject[];
  /** Where a watch goes on. */
  revision: string | undefined;
}

/** All objects; kind and apiVersion filled in, which a list leaves out of its items. */
export async function listObjects(connection: Connection, selection: Selection): Promise<Listed> {
  const { resource } = selection;
  const items: KubeObject[] = [];
  let page: ObjectList | undefined;
  do {
    page = await connection.api<ObjectList>(pageRequest(selection, 'application/json', page?.metadata.continue));
    for (const item of page.items) items.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind });
  } while (page.metadata.continue);
  return { items, revision: page.metadata.resourceVersion };
}

/** The server's own table; one of NAME and AGE where it has none. */
export async function listTable(connection: Connection, selection: Selection, nowMs: number): Promise<ServerTable> {
  let whole: ServerTable | undefined;
  let next: string | undefined;
  do {
    const page = asServerTable(await connection.api(pageRequest(selection, asTable, next)), nowMs);
    if (whole === undefined) whole = page;
    else whole.rows = [...(whole.rows ?? []), ...(page.rows ?? [])];
    next = page.metadata?.continue;
  } while (next);
  return whole;
}

/** One object or the server's table of it. */
export function getObject(connection: Connection, resource: Resource, namespace: string | undefined, name: string) {
  return connection.api<KubeObject>({ method: 'GET', path: pathOf(resource, namespace, name) });
}

export async function getTable(
  connection: Connection,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  nowMs: number,
): Promise<ServerTable> {
  const path = pathOf(resource, namespace, name);
  return asServerTable(await connection.api({ method: 'GET', path, accept: asTable }), nowMs);
}

/** What a watch is shown: tables as they are listed, or objects. */
export interface WatchView<Listed> {
  accept: string;
  list(): Promise<Listed>;
  revisionOf(listed: Listed): string | undefined;
  /** Shows the listed state; called again after a gap, so it may show only what differs. */
  onListed(listed: Listed): void;
  /** `object` is a table with one row or an object, as `accept` asked. */
  onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: never): void;
}

interface WatchLine {
  type?: string;
  object?: {
    metadata?: { resourceVersion?: string };
    rows?: { object?: { metadata?: { resourceVersion?: string } } }[];
    code?: number;
    message?: string;
  };
}

/**
 * Lists, then watches until `signal` aborts. A broken connection is opened again from the last revision seen, with a
 * word on stderr; a revision that the server has forgotten is listed again.
 */
export async function watchSelection<Listed>(
  world: World,
  connection: Connection,
  selection: Selection,
  view: WatchView<Listed>,
  signal: AbortSignal,
): Promise<void> {
  const state: WatchState = { revision: undefined, pauseMs: RETRY_MS.first, known: false, lost: false };
  const onOpen = () => {
    if (state.lost) world.terminal.tell('reconnected');
    state.lost = false;
  };
  while (!signal.aborted) {
    try {
      if (state.revision === undefined) {
        const listed = await view.list();
        view.onListed(listed);
        state.revision = view.revisionOf(listed);
        state.known = true;
      }
      const request = watchRequest(selection, view.accept, state.revision, signal);
      for await (const line of connection.lines(request, onOpen)) {
        state.pauseMs = RETRY_MS.first;
        state.revision = takeLine(line as WatchLine, view) ?? state.revision;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (codeOf(error) === 'E_REVISION_EXPIRED') state.revision = undefined;
      // What never worked is the caller's to know; what worked once is waited for.
      else if (!isPassing(error) || !state.known) throw error;
      else {
        if (!state.lost) world.terminal.tell(`connection lost, trying again: ${(error as AppError).message}`);
        state.lost = true;
      }
    }
    // Also after an orderly end, so that a server that ends every watch at once is not asked in a tight loop.
    await world.clock.sleep(state.pauseMs, signal).catch(() => {});
    state.pauseMs = Math.min(state.pauseMs * 2, RETRY_MS.max);
  }
}

interface WatchState {
  /** Up to where all is shown; undefined when it has to be listed. */
  revision: string | undefined;
  pauseMs: number;
  /** A list has been shown. */
  known: boolean;
  lost: boolean;
}

/** Hands an event to the view; the revision up to which all is known then. */
function takeLine<Listed>(line: WatchLine | undefined, view: WatchView<Listed>): string | undefined {
  const object = line?.object;
  switch (line?.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      view.onEvent(line.type, object as never);
      break;
    case 'BOOKMARK':
      break;
    case 'ERROR':
      throw new AppError(
        object?.code === 410 ? 'E_REVISION_EXPIRED' : 'E_REMOTE',
        object?.message ?? 'the server ended the watch',
      );
    default:
      throw new AppError('E_LINK_CLOSED', 'the server sent a line that is not a watch event');
  }
  return object?.metadata?.resourceVersion || object?.rows?.[0]?.object?.metadata?.resourceVersion;
}

function isPassing(error: unknown): boolean {
  return ['E_LINK_UNREACHABLE', 'E_LINK_CLOSED', 'E_TIMEOUT', 'E_LINK_BUSY'].includes(codeOf(error));
}

export function asServerTable(answer: unknown, nowMs: number): ServerTable {
  const { kind } = answer as { kind?: string };
  if (kind === 'Table') return answer as ServerTable;
  const list = answer as Partial<ObjectList>;
  const table = tableOfObjects(list.items ?? [answer as KubeObject], nowMs);
  return list.items === undefined || list.metadata === undefined ? table : { ...table, metadata: list.metadata };
}

function pageRequest(selection: Selection, accept: string, next: string | undefined) {
  const { resource, namespace, labels, fields } = selection;
  const query = { labelSelector: labels, fieldSelector: fields, limit: PAGE_OBJECTS, continue: next };
  return { method: 'GET', path: pathOf(resource, namespace), query, accept } as const;
}

function watchRequest(selection: Selection, accept: string, revision: string | undefined, signal: AbortSignal) {
  const { resource, namespace, labels, fields } = selection;
  const query = {
    labelSelector: labels,
    fieldSelector: fields,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: revision,
  };
  return { method: 'GET', path: pathOf(resource, namespace), query, accept, signal } as const;
}
