/**
 * What the hub remembers about its terminals beside the Kubernetes objects: incarnation, view revisions, what each
 * terminal reported. Changes are data, made durable by a journal (SQLite, or a simulated disk).
 */
import type { Json } from '../../protocol/kubernetes.ts';
import type { StoredSection } from '../../protocol/view-source.ts';
import type { RestoredFrom } from './event-cursor.ts';

export interface HubState {
  /** Random, new when the store is created or restored from a backup. */
  incarnation: string;
  /** The store that this one is a backup of, if it is one. */
  restoredFrom?: RestoredFrom;
  /** Section id (`scope/uid`) to its revisions. */
  sections: Map<string, StoredSectionRow>;
  /** Node to epoch to the highest durable sequence. */
  watermarks: Map<string, Map<string, number>>;
  /** Node to the epoch of its last greeting: the store that an action is asked of. */
  epochs: Map<string, string>;
}

export interface StoredSectionRow extends StoredSection {
  scope: number;
  uid: string;
  entries: Map<string, { revision: number; hash: Uint8Array }>;
}

/** An event of a terminal as the hub keeps it; `cursor` is the hub's own order, for consumers. */
export interface NodeEvent {
  cursor: number;
  node: string;
  epoch: string;
  seq: number;
  type: string;
  timeMs: number;
  data: Json;
  id?: string;
}

export type NewNodeEvent = Omit<NodeEvent, 'cursor'>;

export type HubChange =
  | {
      kind: 'section.changed';
      scope: number;
      uid: string;
      to: number;
      puts: { key: string; revision: number; hash: Uint8Array }[];
      deletes: string[];
    }
  | { kind: 'section.dropped'; scope: number; uid: string }
  | { kind: 'node.greeted'; node: string; epoch: string }
  /** Effect and watermark in one: the events are stored and the watermark rises, or neither. */
  | { kind: 'events'; node: string; epoch: string; watermark: number; events: NewNodeEvent[] };

export interface EventQuery {
  node?: string;
  type?: string;
  /** Only events after this cursor. */
  after?: number;
  /** Only events that their terminals dated so late or later, wall-clock ms. */
  sinceMs?: number;
  countMax: number;
}

export interface HubJournal {
  load(): Promise<HubState>;
  /** Atomic; resolves when durable. */
  commit(changes: readonly HubChange[]): Promise<void>;
  /** Ascending by cursor. */
  events(query: EventQuery): Promise<NodeEvent[]>;
  /** Cursors of the oldest event that is still held, and of the newest; with none held `first` is above `last`. */
  eventRange(): Promise<{ first: number; last: number }>;
}

export const emptyHubState = (incarnation: string): HubState => ({
  incarnation,
  sections: new Map(),
  watermarks: new Map(),
  epochs: new Map(),
});

/** Applies all of a change but the events themselves, which only the journal holds. */
export function applyHubChange(state: HubState, change: HubChange): void {
  switch (change.kind) {
    case 'section.changed': {
      const id = `${change.scope}/${change.uid}`;
      const row = state.sections.get(id) ?? { scope: change.scope, uid: change.uid, revision: 0, entries: new Map() };
      row.revision = change.to;
      for (const key of change.deletes) row.entries.delete(key);
      for (const { key, revision, hash } of change.puts) row.entries.set(key, { revision, hash });
      state.sections.set(id, row);
      return;
    }
    case 'section.dropped':
      state.sections.delete(`${change.scope}/${change.uid}`);
      return;
    case 'node.greeted':
      state.epochs.set(change.node, change.epoch);
      return;
    case 'events': {
      const epochs = state.watermarks.get(change.node) ?? new Map<string, number>();
      epochs.set(change.epoch, Math.max(epochs.get(change.epoch) ?? 0, change.watermark));
      state.watermarks.set(change.node, epochs);
      return;
    }
    default:
      change satisfies never;
  }
}
