/** Pages of a list: every page shows the snapshot of the first. The token carries its revision and the last key. */
import { AppError } from '../../errors.ts';
import type { KubeObject } from '../../kubernetes.ts';
import type { ChangeLog } from './change-log.ts';
import { INDEXED_FIELD } from './kind-table.ts';
import type { FieldTerm, ListOptions, ListResult, NameFilter } from './resource-reader.ts';
import { parseTableKey } from './sorted-keys.ts';

/** The objects of one kind, in order, as a page reads them. */
export interface ObjectTable {
  /** Keys in order (see `tableKey`), after `after`, of one namespace or all. */
  keys(namespace: string | undefined, after?: string): string[];
  /** Keys in order of the objects bound to a node, where there is an index of them. */
  keysOfNode?(node: string): string[];
  has(key: string): boolean;
  get(key: string): KubeObject | undefined;
}

export interface ContinueToken {
  revision: number;
  /** Last key of the page before. */
  key: string;
}

/**
 * The page of `options`. It ends early, to be continued, when it has looked at `scanMax` keys: a store that makes its
 * objects when they are read gives the event loop a turn then.
 * `E_INPUT_INVALID` for a token that is none, `E_REVISION_EXPIRED` for one too old.
 */
export function pageOf(
  kindKey: string,
  table: ObjectTable,
  log: ChangeLog,
  revision: number,
  options: ListOptions,
  matches: (object: KubeObject) => boolean,
  scanMax = Number.POSITIVE_INFINITY,
): ListResult {
  const token = options.continue ? parseToken(options.continue, revision) : { revision, key: '' };
  log.assertReaches(token.revision);
  const limit = options.limit && options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  const { keys, read, has } = snapshot(kindKey, table, log, revision, token, options);
  const items: KubeObject[] = [];
  let last = '';
  for (const [index, key] of keys.entries()) {
    if (index >= scanMax)
      return {
        items,
        revision: String(token.revision),
        continue: formatToken({ revision: token.revision, key: keys[index - 1]! }),
      };
    const object = read(key);
    if (object === undefined || !matches(object)) continue;
    if (items.length < limit) {
      items.push(object);
      last = key;
      continue;
    }
    // There is at least one more: this page is not the last.
    const counted = options.labels === undefined && (options.fields ?? []).length === 0;
    const remaining = counted ? keys.slice(index).filter(has).length : undefined;
    return {
      items,
      revision: String(token.revision),
      continue: formatToken({ revision: token.revision, key: last }),
      ...(remaining === undefined ? {} : { remaining }),
    };
  }
  return { items, revision: String(token.revision) };
}

/** Keys after the token's, in order, and how to read them as they were at the token's revision. */
function snapshot(
  kindKey: string,
  table: ObjectTable,
  log: ChangeLog,
  revision: number,
  token: ContinueToken,
  options: ListOptions,
): { keys: string[]; read(key: string): KubeObject | undefined; has(key: string): boolean } {
  const visible = visibleKeys(options.where);
  if (token.revision === revision) {
    const node = table.keysOfNode === undefined ? undefined : indexedNode(options.fields);
    const keys = node === undefined ? table.keys(options.namespace, token.key) : table.keysOfNode!(node);
    return {
      keys: keys.filter((key) => key > token.key && visible(key)),
      read: (key) => table.get(key),
      has: (key) => table.has(key),
    };
  }
  // The first change of a key after the snapshot knows what it was in the snapshot.
  const then = new Map<string, KubeObject | undefined>();
  for (const change of log.since(token.revision))
    if (change.kindKey === kindKey && !then.has(change.key)) then.set(change.key, change.previous);
  const keys = new Set([
    ...table.keys(options.namespace, token.key),
    ...[...then.keys()].filter((key) => key > token.key),
  ]);
  return {
    keys: [...keys].filter(visible).sort(),
    read: (key) => (then.has(key) ? then.get(key) : table.get(key)),
    has: (key) => (then.has(key) ? then.get(key) !== undefined : table.has(key)),
  };
}

function visibleKeys(where: NameFilter | undefined): (key: string) => boolean {
  if (where === undefined) return () => true;
  return (key) => {
    const { namespace, name } = parseTableKey(key);
    return where(namespace, name);
  };
}

function indexedNode(fields: FieldTerm[] | undefined): string | undefined {
  const term = fields?.find(({ path, operator, value }) => path === INDEXED_FIELD && operator === '=' && value !== '');
  return term?.value;
}

function formatToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify([token.revision, token.key])).toString('base64url');
}

function parseToken(text: string, newest: number): ContinueToken {
  try {
    const [revision, key] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [number, string];
    if (Number.isSafeInteger(revision) && revision >= 0 && revision <= newest && typeof key === 'string')
      return { revision, key };
  } catch {
    // Falls through to the one error below.
  }
  throw new AppError('E_INPUT_INVALID', 'the continue token is not valid: list again from the beginning');
}
