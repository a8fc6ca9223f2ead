/**
 * S1: an event that an app was told is kept reaches the hub exactly once and in its place in its epoch, whatever
 * either side loses; one that was refused or never answered, at most once. Of events that went with a lost disk, or came
 * after the copy of a restored store, only "at most once" is asked, since there is nobody left to deliver them.
 */
import type { HubChange, NewNodeEvent } from '../../../cloud/hub/hub-state.ts';
import type { NodeState } from '../../../runtime/store/node-state.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import { APP_EVENT } from '../sim-app.ts';
import type { Verdicts } from './verdicts.ts';

interface Asked {
  node: string;
  /** In which it was asked for, again and again until it was answered. */
  epochs: Set<string>;
  /** Once it was answered. */
  kept?: Place;
}

interface Place {
  epoch: string;
  seq: number;
}

export class S1Events implements Observer {
  readonly #verdicts: Verdicts;
  readonly #asked = new Map<string, Asked>();
  /** The epochs that each terminal was in. */
  readonly #epochs = new Map<string, Set<string>>();
  /** Epoch to the highest sequence that its terminal still has, for those that lost some. */
  readonly #keptThrough = new Map<string, number>();
  /** `NODE EPOCH` to the highest sequence that is durable at the hub. */
  #reached = new Map<string, number>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeOpened(node: string, { epoch }: NodeState): void {
    this.#epochs.set(node, (this.#epochs.get(node) ?? new Set()).add(epoch));
  }

  nodeDiskLost(node: string): void {
    this.nodeStoreReplaced(node, undefined);
  }

  nodeStoreReplaced(node: string, state: NodeState | undefined): void {
    for (const epoch of this.#epochs.get(node) ?? []) {
      const last = state?.epochs.find((known) => known.epoch === epoch)?.last ?? 0;
      this.#keptThrough.set(epoch, Math.min(last, this.#keptThrough.get(epoch) ?? last));
    }
  }

  eventAsked(node: string, epoch: string, id: string): void {
    const asked = this.#asked.get(id) ?? { node, epochs: new Set() };
    this.#asked.set(id, asked);
    asked.epochs.add(epoch);
  }

  eventKept(_node: string, epoch: string, seq: number, id: string): void {
    this.#asked.get(id)!.kept = { epoch, seq };
  }

  /** A restored or crashed hub counts from what it has; of an event that was told twice under one id it keeps one. */
  hubOpened({ hub, events }: HubDiskState): void {
    this.#reached = new Map();
    for (const [node, marks] of hub.watermarks)
      for (const [epoch, watermark] of marks) this.#reached.set(`${node} ${epoch}`, watermark);
    const beyond = events.find(({ node, epoch, seq }) => seq > (this.#reached.get(`${node} ${epoch}`) ?? 0));
    this.#verdicts.check(
      'S1',
      beyond === undefined,
      () => `event ${beyond!.seq} of ${beyond!.node} ${beyond!.epoch} is above its watermark`,
    );
  }

  hubCommitted(changes: readonly HubChange[]): void {
    for (const change of changes) if (change.kind === 'events') for (const event of change.events) this.#follow(event);
  }

  /** At rest. The first is what is durable at the hub; a terminal that is not `served` keeps what it has. */
  settled({ events }: HubDiskState, served: ReadonlySet<string>): void {
    const reached = new Map<string, Place>();
    for (const event of events) {
      if (event.type !== APP_EVENT) continue;
      const id = event.id ?? '';
      const asked = this.#asked.get(id);
      const twice = reached.has(id);
      reached.set(id, event);
      const own = asked?.node === event.node && asked.epochs.has(event.epoch);
      this.#verdicts.check(
        'S1',
        own && !twice,
        () => `event ${id} is at the hub ${twice ? 'twice' : 'under another name'}`,
      );
    }
    for (const [id, { node, epochs, kept }] of this.#asked) {
      if (kept === undefined || !served.has(node)) continue;
      const { epoch, seq } = kept;
      if (seq > (this.#keptThrough.get(epoch) ?? seq)) continue;
      const there = reached.get(id);
      // Asked for in one epoch only, it has one place; a store that was replaced may have kept it twice.
      const holds = epochs.size > 1 ? there !== undefined : there?.seq === seq && there.epoch === epoch;
      this.#verdicts.check(
        'S1',
        holds,
        () => `event ${id} was kept as ${seq} and is at the hub as ${there?.seq ?? 'nothing'}`,
      );
    }
  }

  #follow({ node, epoch, seq }: NewNodeEvent): void {
    const key = `${node} ${epoch}`;
    const before = this.#reached.get(key) ?? 0;
    this.#verdicts.check('S1', seq === before + 1, () => `event ${seq} of ${key} became durable after ${before}`);
    this.#reached.set(key, seq);
  }
}
