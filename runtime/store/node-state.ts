/**
 * All that a terminal remembers, and the changes it can make to it. Changes are data: the journal makes them durable
 * (SQLite rows, or a simulated disk), `applyChange` gives the same state on any copy. Events are not kept in memory:
 * they are read from the journal when they are sent.
 */
import type { Json } from '../../protocol/kubernetes.ts';
import type { TwinRecord } from '../../protocol/twin/node-twin.ts';
import { applyViewChange, type Sections, type ViewChange } from '../../protocol/view-replica.ts';
import type { ActionRecord } from '../devices/action-record.ts';
import type { PodRecord } from '../workloads/ports.ts';

export interface StoredEvent {
  epoch: string;
  seq: number;
  type: string;
  timeMs: number;
  data: Json;
  /** The app's own name for the event, if it gave one. */
  id?: string;
}

/** Where and when an event that has an id was appended. */
export type EventName = Pick<StoredEvent, 'epoch' | 'seq' | 'timeMs'>;

/** What is stored of one epoch's events. */
export interface EpochEvents {
  epoch: string;
  /** Lowest stored sequence; `last + 1` when none is stored. */
  floor: number;
  last: number;
  acked: number;
}

/** What the sequences of twins go on from. */
export interface TwinSequences {
  /** The epoch in which it was noted; another one is a store that was put back. */
  epoch: string;
  /** No twin that is gone had a higher sequence. */
  base: number;
  /** Sequences may have been shown that are not durable. */
  fast: boolean;
}

export interface NodeState {
  /** Random, new whenever the store is created or restored. */
  epoch: string;
  /** Of the hub that was last spoken with. */
  incarnation: string;
  sections: Sections;
  pods: Map<string, PodRecord>;
  /** By id. */
  twins: Map<string, TwinRecord>;
  twinSequences: TwinSequences;
  /** By id, in the order in which they were taken. */
  actions: Map<string, ActionRecord>;
  /** Oldest first, the current one last. */
  epochs: EpochEvents[];
  /** Wall-clock ms that the clock has certainly passed. */
  timeFloorMs: number;
  /** How many epochs this terminal has had, as far as is known beside the store; absent: nothing keeps it. */
  epochCount?: number;
}

export type NodeChange =
  | ViewChange
  | { kind: 'hub'; incarnation: string; timeFloorMs: number }
  /** Consecutive events of one epoch, ascending; at least one. */
  | { kind: 'events'; events: StoredEvent[] }
  | { kind: 'event.acked'; epoch: string; seq: number }
  /** Forgets events of `epoch` up to and with `through`. */
  | { kind: 'event.pruned'; epoch: string; through: number }
  /** Forgets the ids of events before `beforeMs`, and the oldest beyond `countMax`. */
  | { kind: 'event.ids'; beforeMs: number; countMax: number }
  | { kind: 'pod'; record: PodRecord }
  | { kind: 'pod.gone'; uid: string }
  | { kind: 'twin'; record: TwinRecord }
  | { kind: 'twin.gone'; id: string }
  | { kind: 'twin.sequences'; sequences: TwinSequences }
  | { kind: 'action'; record: ActionRecord }
  | { kind: 'action.gone'; id: string };

export interface NodeJournal {
  /** The state as of the last durable change; a new epoch when the store is new. */
  load(): Promise<NodeState>;
  /** Atomic and in order; resolves when durable. The caller applies them to its own copy then. */
  commit(changes: readonly NodeChange[]): Promise<void>;
  /** Durable events of `epoch` from `first`, ascending, at most `countMax` and about `bytesMax` bytes. */
  readEvents(epoch: string, first: number, countMax: number, bytesMax: number): Promise<StoredEvent[]>;
  /** Count and bytes of the stored events of `epoch` from `first` to `through`, both included. */
  eventUsage(epoch: string, first: number, through: number): Promise<EventUsage>;
  /** The first event of this type and id that is remembered. */
  findEvent(type: string, id: string): Promise<EventName | undefined>;
  close(): Promise<void>;
}

export interface EventUsage {
  count: number;
  bytes: number;
}

export function emptyState(epoch: string): NodeState {
  return {
    epoch,
    incarnation: '',
    sections: new Map(),
    pods: new Map(),
    twins: new Map(),
    twinSequences: { epoch: '', base: 0, fast: false },
    actions: new Map(),
    epochs: [{ epoch, floor: 1, last: 0, acked: 0 }],
    timeFloorMs: 0,
  };
}

export function applyChange(state: NodeState, change: NodeChange): void {
  switch (change.kind) {
    case 'hub':
      state.incarnation = change.incarnation;
      state.timeFloorMs = Math.max(state.timeFloorMs, change.timeFloorMs);
      break;
    case 'events':
      for (const event of change.events) epochOf(state, event.epoch).last = event.seq;
      break;
    case 'event.acked': {
      const events = epochOf(state, change.epoch);
      events.acked = Math.max(events.acked, change.seq);
      break;
    }
    case 'event.pruned': {
      const events = epochOf(state, change.epoch);
      events.floor = Math.max(events.floor, change.through + 1);
      break;
    }
    case 'event.ids':
      break;
    case 'pod':
      state.pods.set(change.record.uid, change.record);
      break;
    case 'pod.gone':
      state.pods.delete(change.uid);
      break;
    case 'twin':
      state.twins.set(change.record.id, change.record);
      break;
    case 'twin.gone':
      state.twins.delete(change.id);
      break;
    case 'twin.sequences':
      state.twinSequences = change.sequences;
      break;
    case 'action':
      state.actions.set(change.record.id, change.record);
      break;
    case 'action.gone':
      state.actions.delete(change.id);
      break;
    default:
      applyViewChange(state.sections, change);
  }
}

export function epochOf(state: NodeState, epoch: string): EpochEvents {
  let events = state.epochs.find((each) => each.epoch === epoch);
  if (events === undefined) {
    events = { epoch, floor: 1, last: 0, acked: 0 };
    state.epochs.push(events);
  }
  return events;
}

/** What an event counts against the quotas: bytes of UTF-8. */
export function eventSizeBytes({ type, data, id = '' }: Pick<StoredEvent, 'type' | 'data' | 'id'>): number {
  return Buffer.byteLength(JSON.stringify(data)) + Buffer.byteLength(type) + Buffer.byteLength(id);
}
