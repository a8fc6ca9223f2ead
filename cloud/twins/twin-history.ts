/** Who changed desired of a twin to what: the last changes of each, written in the transaction of the change itself. */
import { type KubeObject, keys, type Twin } from '../../protocol/kubernetes.ts';
import type { Database, Statement } from '../../protocol/node/sqlite.ts';
import type { Change } from '../../protocol/resources/store/change-log.ts';
import { diff, type Members, sameJson } from '../../protocol/twin/merge.ts';
import type { Completion } from '../api/write-parts.ts';
import { twinKind } from '../kinds/registry.ts';

/** Changes that are kept of each twin. */
export const HISTORY_CHANGES_MAX = 64;
/** Of one patch, as JSON; a larger one is not kept, that there was one is. */
export const HISTORY_PATCH_BYTES_MAX = 4 * 1024;

export interface DesiredChange {
  /** Of desired after it. */
  version: number;
  timeMs: number;
  /** A user of the API, `system:node:NODE` for a write made there, `Device` for its deviceProperties. */
  who: string;
  /** Merge patch of desired (RFC 7396); absent when it is too large to be kept. */
  patch?: Members;
}

export const twinHistoryTable: string[] = [
  `CREATE TABLE twin_change (twin TEXT NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL, time_ms INTEGER NOT NULL,
     who TEXT NOT NULL, patch TEXT, PRIMARY KEY (twin, uid, version)) STRICT`,
];

/** The rows of what the store of twins is about to write. */
export function historyStatements(changes: readonly Change[]): Statement[] {
  return changes.flatMap(({ kindKey, previous, next, object }) => {
    if (kindKey !== `${twinKind.group}/${twinKind.plural}`) return [];
    if (next === undefined) return [{ sql: 'DELETE FROM twin_change WHERE twin = ?', params: [object.metadata.name] }];
    const change = desiredChange(previous as Twin | undefined, next as Twin);
    return change === undefined ? [] : rowStatements(next as Twin, change);
  });
}

/** Newest last. */
export async function readHistory(database: Database, twin: string): Promise<DesiredChange[]> {
  const rows = await database.all('SELECT * FROM twin_change WHERE twin = ? ORDER BY version', [twin]);
  return rows.map(({ version, time_ms, who, patch }) => ({
    version: version as number,
    timeMs: time_ms as number,
    who: who as string,
    ...(patch === null ? {} : { patch: JSON.parse(patch as string) as Members }),
  }));
}

/** `object` with the name of who changes desired, which nobody can write for another. */
export function signed(object: KubeObject, { kind, previous, identity }: Completion): KubeObject {
  if (kind !== twinKind) return object;
  const { [keys.changedBy]: _, ...annotations } = object.metadata.annotations ?? {};
  const before = previous?.metadata.annotations?.[keys.changedBy];
  const desired = (object as Twin).spec?.desired ?? {};
  const who = sameJson(desired, (previous as Twin | undefined)?.spec.desired ?? {}) ? before : identity?.user;
  if (who !== undefined) annotations[keys.changedBy] = who;
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function desiredChange(previous: Twin | undefined, next: Twin): DesiredChange | undefined {
  const [before, after] = [previous?.spec.desired ?? {}, next.spec.desired];
  const { status } = next;
  // The order of members is no change.
  if (status === undefined || before === after || sameJson(before, after)) return undefined;
  const byNode = status.applied > (previous?.status?.applied ?? 0);
  const { version, metadata } = status.desired;
  const patch = diff(before, after);
  return {
    version,
    timeMs: typeof metadata === 'number' ? metadata : ((metadata[''] ?? 0) as number),
    who: byNode ? `system:node:${next.spec.nodeName}` : (next.metadata.annotations?.[keys.changedBy] ?? 'unknown'),
    ...(Buffer.byteLength(JSON.stringify(patch)) > HISTORY_PATCH_BYTES_MAX ? {} : { patch }),
  };
}

function rowStatements({ metadata }: Twin, { version, timeMs, who, patch }: DesiredChange): Statement[] {
  const { name, uid } = metadata;
  return [
    {
      sql: 'INSERT OR REPLACE INTO twin_change VALUES (?, ?, ?, ?, ?, ?)',
      params: [name, uid!, version, timeMs, who, patch === undefined ? null : JSON.stringify(patch)],
    },
    {
      sql: `DELETE FROM twin_change WHERE twin = ? AND version <=
              (SELECT version FROM twin_change WHERE twin = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`,
      params: [name, name, HISTORY_CHANGES_MAX],
    },
  ];
}
