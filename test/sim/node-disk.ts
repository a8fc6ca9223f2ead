/**
 * What one terminal's disk holds, and the `NodeJournal` over it: the rows of `sqlite-journal.ts` as objects. The disk
 * brings the faults.
 */
import { SectionContent } from '../../protocol/section-content.ts';
import type { Sections } from '../../protocol/view-replica.ts';
import { type Floor, type FloorKeeper, noFloor } from '../../runtime/store/floor-journal.ts';
import {
  applyChange,
  type EventName,
  type EventUsage,
  emptyState,
  epochOf,
  eventSizeBytes,
  type NodeChange,
  type NodeJournal,
  type NodeState,
  type StoredEvent,
} from '../../runtime/store/node-state.ts';
import { SimDisk } from './disk.ts';
import type { Host, World } from './world.ts';

export interface NodeDiskState {
  /** Undefined on a new disk. */
  node: NodeState | undefined;
  /** By epoch, ascending and without gaps. */
  events: Map<string, StoredEvent[]>;
  /** By type and id, in the order of appending. */
  ids: Map<string, EventName>;
  /** Digests of images that are complete. */
  images: Set<string>;
  /** By path; kept apart from the store. */
  identity: Map<string, string>;
  /** The file of the time floor, kept apart from the store. */
  floor: Floor;
  /** The last good copy of the store, and nothing else. */
  good?: StoreContent;
}

/** What the database file holds. */
type StoreContent = Pick<NodeDiskState, 'node' | 'events' | 'ids'>;

export type NodeDisk = SimDisk<NodeDiskState>;

export function nodeDisk(world: World, host: Host): NodeDisk {
  return new SimDisk<NodeDiskState>(world, host, {
    initial: () => ({
      node: undefined,
      events: new Map(),
      ids: new Map(),
      images: new Set(),
      identity: new Map(),
      floor: noFloor,
    }),
    clone: ({ images, identity, floor, good, ...store }) => ({
      ...cloneStore(store),
      images: new Set(images),
      identity: new Map(identity),
      floor,
      ...(good === undefined ? {} : { good }),
    }),
  });
}

/** What `good-copy.ts` does: the store as it is durable now is kept beside it. Only while no life runs. */
export function keepGoodCopy(disk: NodeDisk): void {
  const state = disk.snapshot();
  if (state.node !== undefined) disk.restore({ ...state, good: cloneStore(state) });
}

/**
 * What `recovery.ts` does with a damaged store: the last good copy takes its place under a new epoch, or, without
 * one, a new store. All else stays. Only while no life runs.
 */
export function recoverStore(disk: NodeDisk, newEpoch: string): void {
  const state = disk.snapshot();
  const { node, ...rest } = cloneStore(state.good ?? { node: undefined, events: new Map(), ids: new Map() });
  if (node !== undefined) {
    epochOf(node, newEpoch);
    node.epoch = newEpoch;
  }
  disk.restore({ ...state, ...rest, node });
}

/** Empties the directory of the identity, as somebody on the spot does before the terminal joins anew. */
export function forgetIdentity(disk: NodeDisk): void {
  disk.restore({ ...disk.snapshot(), identity: new Map() });
}

/** In the place of `floor-file.ts`. */
export function simFloor(disk: NodeDisk): FloorKeeper {
  return {
    read: async () => disk.live.floor,
    write: (floor) =>
      disk.commit((state) => {
        state.floor = floor;
      }),
  };
}

export class SimNodeJournal implements NodeJournal {
  readonly #disk: NodeDisk;
  readonly #newEpoch: string;

  /** `newEpoch`: used when the disk is new. */
  constructor(disk: NodeDisk, newEpoch: string) {
    this.#disk = disk;
    this.#newEpoch = newEpoch;
  }

  async load(): Promise<NodeState> {
    if (this.#disk.live.node === undefined)
      await this.#disk.commit((state) => {
        state.node = emptyState(this.#newEpoch);
      });
    return cloneNodeState(this.#disk.live.node!);
  }

  commit(changes: readonly NodeChange[]): Promise<void> {
    return this.#disk.commit((state) => {
      for (const change of changes) apply(state, change);
    });
  }

  async readEvents(epoch: string, first: number, countMax: number, bytesMax: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (const event of between(this.#disk.live, epoch, first, first + countMax - 1)) {
      bytes += eventSizeBytes(event);
      if (events.length > 0 && bytes > bytesMax) break;
      events.push(event);
    }
    return events;
  }

  async eventUsage(epoch: string, first: number, through: number): Promise<EventUsage> {
    const events = between(this.#disk.live, epoch, first, through);
    return { count: events.length, bytes: events.reduce((sum, event) => sum + eventSizeBytes(event), 0) };
  }

  async findEvent(type: string, id: string): Promise<EventName | undefined> {
    const name = this.#disk.live.ids.get(JSON.stringify([type, id]));
    return name && { ...name };
  }

  async close(): Promise<void> {}
}

function apply(state: NodeDiskState, change: NodeChange): void {
  applyChange(state.node!, change);
  if (change.kind === 'events') {
    const { epoch } = change.events[0]!;
    const list = state.events.get(epoch) ?? [];
    list.push(...change.events);
    state.events.set(epoch, list);
    for (const { type, id, seq, timeMs } of change.events) {
      const key = JSON.stringify([type, id]);
      if (id !== undefined && !state.ids.has(key)) state.ids.set(key, { epoch, seq, timeMs });
    }
  } else if (change.kind === 'event.ids') {
    for (const [key, { timeMs }] of state.ids)
      if (timeMs < change.beforeMs || state.ids.size > change.countMax) state.ids.delete(key);
  } else if (change.kind === 'event.pruned') {
    const list = state.events.get(change.epoch) ?? [];
    const kept = list.findIndex(({ seq }) => seq > change.through);
    list.splice(0, kept === -1 ? list.length : kept);
  }
}

/** Events `first` to `through`, both included, as far as they are stored. */
function between({ events }: NodeDiskState, epoch: string, first: number, through: number): StoredEvent[] {
  const list = events.get(epoch) ?? [];
  const floor = list[0]?.seq ?? 0;
  return list.slice(Math.max(0, first - floor), Math.max(0, through - floor + 1));
}

/** Shares nothing that changes: entries, events and records are replaced, never changed. */
function cloneNodeState(state: NodeState): NodeState {
  return {
    ...state,
    sections: cloneSections(state.sections),
    pods: new Map(state.pods),
    twins: new Map(state.twins),
    actions: new Map(state.actions),
    epochs: state.epochs.map((epoch) => ({ ...epoch })),
  };
}

function cloneStore({ node, events, ids }: StoreContent): StoreContent {
  return {
    node: node && cloneNodeState(node),
    events: new Map([...events].map(([epoch, list]) => [epoch, [...list]])),
    ids: new Map(ids),
  };
}

function cloneSections(sections: Sections): Sections {
  return new Map(
    [...sections].map(([id, section]) => [
      id,
      { ...section, content: SectionContent.of(section.content.entries()), staged: new Map(section.staged) },
    ]),
  );
}
