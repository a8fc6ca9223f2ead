/**
 * Sections that a terminal is to forget. A drop has no answer of its own, so the terminal is asked right after it what
 * it holds of the section, under a handle of this session: something means that the drop was lost, and it is told again.
 */
import type { Message, MessageOf } from '../../protocol/messages.ts';
import { sectionId } from '../../protocol/view-replica.ts';

/** Above the handles of sections, which count from 1. */
const HANDLE_FIRST = 0x8000_0000;

interface Drop {
  scope: number;
  uid: string;
}

export class Drops {
  /** By the handle under which is asked. */
  readonly #open = new Map<number, Drop>();
  #nextHandle = HANDLE_FIRST;

  /** Whether an answer is out. */
  get outstanding(): boolean {
    return this.#open.size > 0;
  }

  /** What to send so that the terminal forgets the section. */
  begin(scope: number, uid: string): Message[] {
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    this.#open.set(handle, { scope, uid });
    return messagesOf(handle, { scope, uid });
  }

  /** The section is the terminal's again: whatever it answers, it must not be told to forget it. */
  revoke(scope: number, uid: string): void {
    const id = sectionId(scope, uid);
    for (const [handle, drop] of this.#open) if (sectionId(drop.scope, drop.uid) === id) this.#open.delete(handle);
  }

  /** What to send after an answer; undefined when it is none to a question of this. */
  answered(message: MessageOf<'viewAck' | 'viewMismatch' | 'inventory'>): Message[] | undefined {
    const drop = this.#open.get(message.handle);
    if (drop === undefined) return message.handle >= HANDLE_FIRST ? [] : undefined;
    // A mismatch: the terminal was never told what the handle stands for.
    if (message.name !== 'inventory' || message.entries.length > 0) return messagesOf(message.handle, drop);
    this.#open.delete(message.handle);
    return [];
  }
}

function messagesOf(handle: number, { scope, uid }: Drop): Message[] {
  return [
    { name: 'section', handle, scope, uid, current: false },
    { name: 'drop', scope, uid },
    { name: 'inventoryRequest', handle, empty: false },
  ];
}
