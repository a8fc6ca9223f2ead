/**
 * S1: an event that an app was told is kept reaches the hub exactly once and in its place in its epoch, whatever
 * either side loses; one that was refused or never answered, at most once. Of an epoch whose disk was lost only "at
 * most once" is asked, since there is nobody left to deliver it.
 */
import type { HubChange, NewNodeEvent } from '../../../cloud/hub/hub-state.ts';
import type { NodeState } from '../../../runtime/store/node-state.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import { APP_EVENT } from '../sim-app.ts';
import type { Verdicts } from './verdicts.ts';

interface Asked {
  node: string;
  epoch: string;
  /** Once it was answered. */
  seq?: number;
}

export class S1Events implements Observer {
  readonly #verdicts: Verdicts;
  readonly #asked = new Map<string, Asked>();
  /** The epoch that each terminal is in. */
  readonly #epochs = new Map<string, string>();
  readonly #lostEpochs = new Set<string>();
  /** `NODE EPOCH` to the highest sequence that is durable at the hub. */
  #reached = new Map<string, number>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeOpened(node: string, { epoch }: NodeState): void {
    this.#epochs.set(node, epoch);
  }

  nodeDiskLost(node: string): void {
    this.#lostEpochs.add(this.#epochs.get(node) ?? '');
  }

  eventAsked(node: string, epoch: string, id: string): void {
    this.#asked.set(id, { node, epoch });
  }

  eventKept(_node: string, _epoch: string, seq: number, id: string): void {
    this.#asked.get(id)!.seq = seq;
  }

  /** A restored or crashed hub counts from what it has. */
  hubOpened({ events }: HubDiskState): void {
    this.#reached = new Map();
    for (const event of events) this.#follow(event);
  }

  hubCommitted(changes: readonly HubChange[]): void {
    for (const change of changes) if (change.kind === 'events') for (const event of change.events) this.#follow(event);
  }

  /** At rest. The first is what is durable at the hub; a terminal that is not `served` keeps what it has. */
  settled({ events }: HubDiskState, served: ReadonlySet<string>): void {
    const reached = new Map<string, number>();
    for (const event of events) {
      if (event.type !== APP_EVENT) continue;
      const id = event.id ?? '';
      const asked = this.#asked.get(id);
      const twice = reached.has(id);
      reached.set(id, event.seq);
      const own = asked?.node === event.node && asked.epoch === event.epoch;
      this.#verdicts.check(
        'S1',
        own && !twice,
        () => `event ${id} is at the hub ${twice ? 'twice' : 'under another name'}`,
      );
    }
    for (const [id, { node, epoch, seq }] of this.#asked) {
      if (seq === undefined || this.#lostEpochs.has(epoch) || !served.has(node)) continue;
      this.#verdicts.check(
        'S1',
        reached.get(id) === seq,
        () => `event ${id} was kept as ${seq} and is at the hub as ${reached.get(id) ?? 'nothing'}`,
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
