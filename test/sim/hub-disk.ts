/**
 * What the hub's disk holds: objects and journal in one state, as they are in one SQLite file, so that a backup is of
 * both at one moment. The `ResourceStore` and the `HubJournal` over it; the disk brings the faults.
 */
import {
  applyHubChange,
  type EventQuery,
  emptyHubState,
  type HubChange,
  type HubJournal,
  type HubState,
  type NodeEvent,
} from '../../cloud/hub/hub-state.ts';
import {
  cloneIdentityRows,
  emptyIdentityRows,
  type IdentityRows,
  MemoryIdentityStore,
} from '../../cloud/identity/memory-identity-store.ts';
import { type Journal, ObjectStore, type Recovered } from '../../cloud/store/object-store.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import { RoutedStore } from '../../cloud/twins/routed-store.ts';
import type { Env } from '../../protocol/env.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import type { Change } from '../../protocol/resources/store/change-log.ts';
import { KindTable } from '../../protocol/resources/store/kind-table.ts';
import { SimDisk } from './disk.ts';
import type { Host, World } from './world.ts';

/** What one store keeps. */
interface ObjectsOnDisk {
  /** By kind and key, see `Change`. */
  objects: Map<string, Map<string, KubeObject>>;
  /** Of the newest change. */
  revision: number;
}

export interface HubDiskState {
  usual: ObjectsOnDisk;
  /** Twins and actions. */
  busy: ObjectsOnDisk;
  /** Its incarnation is empty on a new or restored disk. */
  hub: HubState;
  /** Ascending by cursor. */
  events: NodeEvent[];
  /** Node, type and id of the events that have one, and when the last of them was. */
  ids: Map<string, number>;
  identity: IdentityRows;
}

export type HubDisk = SimDisk<HubDiskState>;

export function hubDisk(world: World, host: Host): HubDisk {
  return new SimDisk<HubDiskState>(world, host, {
    initial: () => ({
      usual: { objects: new Map(), revision: 0 },
      busy: { objects: new Map(), revision: 0 },
      hub: emptyHubState(''),
      events: [],
      ids: new Map(),
      identity: emptyIdentityRows(),
    }),
    clone: (state) => ({
      usual: cloneObjects(state.usual),
      busy: cloneObjects(state.busy),
      hub: cloneHubState(state.hub),
      events: [...state.events],
      ids: new Map(state.ids),
      identity: cloneIdentityRows(state.identity),
    }),
  });
}

function cloneObjects({ objects, revision }: ObjectsOnDisk): ObjectsOnDisk {
  return { objects: new Map([...objects].map(([kindKey, own]) => [kindKey, new Map(own)])), revision };
}

/** The stores of `stile hub serve`. `onDurable` hears of changes that would survive a power cut. */
export function openStore(env: Env, disk: HubDisk, onDurable: (changes: readonly Change[]) => void): ResourceStore {
  return new RoutedStore(SimStore.open(env, disk, 'usual', onDurable), SimStore.open(env, disk, 'busy', onDurable));
}

/** Objects on a simulated disk; a start finds them as if the journal had been folded at its last revision. */
class SimStore extends ObjectStore {
  static open(
    env: Env,
    disk: HubDisk,
    part: 'usual' | 'busy',
    onDurable: (changes: readonly Change[]) => void,
  ): SimStore {
    const journal: Journal = {
      append: async (changes) => {
        await disk.commit((state) => {
          for (const change of changes) applyObjectChange(state[part], change);
        });
        onDurable(changes);
      },
      fold: async () => {},
    };
    return new SimStore(env, journal, recovered(disk.live[part]), {});
  }
}

function applyObjectChange(state: ObjectsOnDisk, { kindKey, key, next, revision }: Change): void {
  let objects = state.objects.get(kindKey);
  if (objects === undefined) {
    objects = new Map();
    state.objects.set(kindKey, objects);
  }
  if (next === undefined) objects.delete(key);
  else objects.set(key, next);
  state.revision = revision;
}

function recovered({ objects, revision }: ObjectsOnDisk): Recovered {
  const tables = new Map<string, KindTable>();
  for (const [kindKey, own] of objects) {
    const table = new KindTable();
    for (const [key, object] of own) table.put(key, object);
    tables.set(kindKey, table);
  }
  return { revision, floor: revision, tables, changes: [] };
}

export class SimHubJournal implements HubJournal {
  readonly #disk: HubDisk;
  readonly #newIncarnation: string;

  /** `newIncarnation`: used when the disk is new or was restored. */
  constructor(disk: HubDisk, newIncarnation: string) {
    this.#disk = disk;
    this.#newIncarnation = newIncarnation;
  }

  async load(): Promise<HubState> {
    if (this.#disk.live.hub.incarnation === '')
      await this.#disk.commit((state) => {
        state.hub.incarnation = this.#newIncarnation;
      });
    return cloneHubState(this.#disk.live.hub);
  }

  commit(changes: readonly HubChange[]): Promise<void> {
    return this.#disk.commit((state) => {
      for (const change of changes) {
        applyHubChange(state.hub, change);
        if (change.kind !== 'events') continue;
        let cursor = state.events.at(-1)?.cursor ?? 0;
        for (const event of change.events) {
          const name = JSON.stringify([event.node, event.type, event.id]);
          if (event.id !== undefined && (state.ids.get(name) ?? -Infinity) > event.timeMs - limits.eventIdMs) continue;
          if (event.id !== undefined) state.ids.set(name, event.timeMs);
          cursor += 1;
          state.events.push({ ...event, cursor });
        }
      }
    });
  }

  async events({ node, type, after = 0, sinceMs = 0, countMax }: EventQuery): Promise<NodeEvent[]> {
    return this.#disk.live.events
      .filter(
        (event) =>
          event.cursor > after &&
          event.timeMs >= sinceMs &&
          (node === undefined || event.node === node) &&
          (type === undefined || event.type === type),
      )
      .slice(0, countMax);
  }

  async eventRange(): Promise<{ first: number; last: number }> {
    const { events } = this.#disk.live;
    const last = events.at(-1)?.cursor ?? 0;
    return { first: events[0]?.cursor ?? last + 1, last };
  }
}

/** Tokens and certificates in the same file as everything else. */
export function simIdentityStore(disk: HubDisk): MemoryIdentityStore {
  return new MemoryIdentityStore({
    get rows() {
      return disk.live.identity;
    },
    write: (change) => disk.commit(({ identity }) => change(identity)),
  });
}

/** Shares nothing that changes. */
function cloneHubState({ incarnation, sections, watermarks, epochs }: HubState): HubState {
  return {
    incarnation,
    sections: new Map([...sections].map(([id, row]) => [id, { ...row, entries: new Map(row.entries) }])),
    watermarks: new Map([...watermarks].map(([node, marks]) => [node, new Map(marks)])),
    epochs: new Map(epochs),
  };
}
