/**
 * One section on one session, decided without I/O: what the node was sent, what it acknowledged, what comes next.
 *
 *   live --change that follows--> live
 *   live --mismatch, log too short--> inventory --all entries--> rebasing --flip--> live
 */

import { limits } from '../../protocol/limits.ts';
import type { Cursor, InventoryEntry, Message, MessageOf } from '../../protocol/messages.ts';
import type { SectionHandle } from './views.ts';

/** After so many mismatches in a row the node is told to start from nothing. */
const MISMATCHES_MAX = 3;

export type Phase = 'live' | 'inventory' | 'rebasing';

export class Subscription {
  readonly section: SectionHandle;
  phase: Phase = 'live';
  /** The node holds, or was sent, everything up to here. */
  sent = 0;
  acked = 0;
  #mismatches = 0;
  #inventory = new Map<string, InventoryEntry>();

  constructor(section: SectionHandle) {
    this.section = section;
  }

  /** What the greeting sends for this section, given the node's cursor. */
  open(cursor: Cursor | undefined, incarnation: string): Message[] {
    const { source, handle } = this.section;
    const answer = source.answer(cursor, incarnation);
    const bind: Message = {
      name: 'section',
      handle,
      scope: source.scope,
      uid: source.uid,
      current: answer.kind === 'current',
    };
    if (answer.kind === 'inventory') return [bind, this.#askInventory(answer.empty)];
    this.sent = cursor!.revision;
    this.acked = cursor!.revision;
    return [bind];
  }

  /** Whether a delta from the log is due; the session sends it. */
  get behind(): boolean {
    return this.phase === 'live' && this.sent < this.section.source.revision;
  }

  get outstanding(): boolean {
    return this.phase !== 'live' || this.acked < this.sent;
  }

  acknowledged(revision: number): void {
    this.acked = Math.max(this.acked, Math.min(revision, this.sent));
    if (this.acked === this.sent) this.#mismatches = 0;
  }

  /** The log does not reach back, or the node found that what it was sent does not fit. */
  mismatch(): Message {
    this.#mismatches += 1;
    return this.#askInventory(this.#mismatches >= MISMATCHES_MAX);
  }

  rebase(): Message {
    return this.#askInventory(false);
  }

  /**
   * Takes a part of the node's inventory; after the last one, the messages that make its content ours as it is now.
   * Undefined while parts are missing or when none was asked for.
   */
  inventory(message: MessageOf<'inventory'>): Message[] | undefined {
    if (this.phase !== 'inventory') return undefined;
    for (const entry of message.entries)
      if (this.#inventory.size < limits.sectionEntriesMax) this.#inventory.set(entry.key, entry);
    if (!message.last) return undefined;
    const { source, handle } = this.section;
    const chunks = source.difference(this.#inventory).map((piece): Message => ({ name: 'chunk', handle, ...piece }));
    this.#inventory = new Map();
    this.phase = 'rebasing';
    this.sent = source.revision;
    this.acked = 0;
    return [...chunks, { name: 'flip', handle, to: source.revision, digest: source.digest }];
  }

  /** All of the rebase was handed to the connection. */
  rebased(): void {
    this.phase = 'live';
  }

  #askInventory(empty: boolean): Message {
    this.phase = 'inventory';
    this.#inventory = new Map();
    return { name: 'inventoryRequest', handle: this.section.handle, empty };
  }
}
