/**
 * The node's side of its view: which change a message asks for, and what to answer. It decides on the content that
 * it is shown and never changes it; the caller makes the change durable, applies it and then answers.
 */
import { limits } from './limits.ts';
import type { Cursor, Message, MessageOf, Put } from './messages.ts';
import { type Entry, entryOf, inventoryOf, SectionContent, sameBytes } from './section-content.ts';

/** One section as the node holds it. */
export interface ReplicaSection {
  scope: number;
  uid: string;
  /** The hub's incarnation that `revision` belongs to; empty while nothing is active. */
  incarnation: string;
  revision: number;
  content: SectionContent;
  /** Received parts of a new content, laid over the active one at the flip. `undefined` marks a delete. */
  staged: Map<string, Entry | undefined>;
  /** The stage replaces the active content instead of being laid over it. */
  fresh: boolean;
}

/** A durable change of the view. Applied to `ReplicaSection`s by `applyViewChange`. */
export type ViewChange =
  | { kind: 'view.delta'; scope: number; uid: string; to: number; puts: Entry[]; deletes: string[] }
  | { kind: 'view.stage'; scope: number; uid: string; puts: Entry[]; deletes: string[] }
  /** The stage becomes active, over the old content or, when fresh, instead of it; also clears the stage. */
  | { kind: 'view.flip'; scope: number; uid: string; incarnation: string; to: number }
  /** Forgets what was staged; the active content stays until the flip, so that no workload sees half a view. */
  | { kind: 'view.reset'; scope: number; uid: string; fresh: boolean }
  | { kind: 'view.drop'; scope: number; uid: string };

export interface ReplicaDecision {
  change?: ViewChange;
  /** Sent once `change` is durable and applied. */
  replies: Message[];
}

export type Sections = Map<string, ReplicaSection>;

export const sectionId = (scope: number, uid: string): string => `${scope}/${uid}`;

export function cursorsOf(sections: Sections): Cursor[] {
  return [...sections.values()].map(({ scope, uid, incarnation, revision, content }) => ({
    scope,
    uid,
    incarnation,
    revision,
    digest: content.digest(),
  }));
}

type Down = MessageOf<'section' | 'delta' | 'inventoryRequest' | 'chunk' | 'flip' | 'drop'>;

/** The handles of one session; a new session starts with a new replica. */
export class ViewReplica {
  readonly #sections: Sections;
  readonly #incarnation: string;
  readonly #handles = new Map<number, { scope: number; uid: string }>();

  /** `incarnation`: the hub's, from its welcome. */
  constructor(sections: Sections, incarnation: string) {
    this.#sections = sections;
    this.#incarnation = incarnation;
  }

  /** Pure but for the handle table: looks at the sections, changes nothing of them. */
  decide(message: Down): ReplicaDecision {
    if (message.name === 'drop') {
      const held = this.#sections.has(sectionId(message.scope, message.uid));
      return {
        ...(held ? { change: { kind: 'view.drop', scope: message.scope, uid: message.uid } } : {}),
        replies: [],
      };
    }
    if (message.name === 'section') {
      this.#handles.set(message.handle, { scope: message.scope, uid: message.uid });
      return { replies: [] };
    }
    const section = this.#section(message.handle);
    if (section === undefined) return { replies: [{ name: 'viewMismatch', handle: message.handle }] };
    switch (message.name) {
      case 'delta':
        return this.#delta(section, message);
      case 'inventoryRequest':
        return this.#inventory(section, message);
      case 'chunk': {
        const { scope, uid } = section;
        return {
          change: { kind: 'view.stage', scope, uid, puts: message.puts.map(ownedEntry), deletes: message.deletes },
          replies: [],
        };
      }
      case 'flip':
        return this.#flip(section, message);
      default:
        return message satisfies never;
    }
  }

  #section(handle: number): ReplicaSection | undefined {
    const bound = this.#handles.get(handle);
    if (bound === undefined) return undefined;
    return this.#sections.get(sectionId(bound.scope, bound.uid)) ?? emptySection(bound.scope, bound.uid);
  }

  #delta(section: ReplicaSection, message: MessageOf<'delta'>): ReplicaDecision {
    const { handle } = message;
    // Told again, by a link that duplicates: what is there is acknowledged as it is.
    if (this.#isPast(section, message.to))
      return { replies: [{ name: 'viewAck', handle, revision: section.revision }] };
    const puts = message.puts.map(ownedEntry);
    const fits =
      section.incarnation === this.#incarnation &&
      message.from === section.revision &&
      sameBytes(section.content.digestAfter(puts, message.deletes), message.digest);
    if (!fits) return { replies: [{ name: 'viewMismatch', handle }] };
    const { scope, uid } = section;
    return {
      change: { kind: 'view.delta', scope, uid, to: message.to, puts, deletes: message.deletes },
      replies: [{ name: 'viewAck', handle, revision: message.to }],
    };
  }

  #inventory(section: ReplicaSection, message: MessageOf<'inventoryRequest'>): ReplicaDecision {
    // Starting from nothing leaves the active content alone until the flip: pods run by it meanwhile.
    const restart = message.empty && section.content.size + section.staged.size > 0;
    const entries = message.empty ? [] : [...overlaid(section).entries()].map(inventoryOf);
    const { scope, uid } = section;
    const replies: Message[] = [];
    for (let start = 0; start === 0 || start < entries.length; start += limits.inventoryEntriesMax) {
      const end = start + limits.inventoryEntriesMax;
      replies.push({
        name: 'inventory',
        handle: message.handle,
        entries: entries.slice(start, end),
        last: end >= entries.length,
      });
    }
    return { ...(restart ? { change: { kind: 'view.reset', scope, uid, fresh: true } } : {}), replies };
  }

  #flip(section: ReplicaSection, message: MessageOf<'flip'>): ReplicaDecision {
    const { scope, uid } = section;
    if (section.revision !== message.to && this.#isPast(section, message.to))
      return { replies: [{ name: 'viewAck', handle: message.handle, revision: section.revision }] };
    if (!sameBytes(overlaid(section).digest(), message.digest))
      return {
        change: { kind: 'view.reset', scope, uid, fresh: false },
        replies: [{ name: 'viewMismatch', handle: message.handle }],
      };
    return {
      change: { kind: 'view.flip', scope, uid, incarnation: this.#incarnation, to: message.to },
      replies: [{ name: 'viewAck', handle: message.handle, revision: message.to }],
    };
  }

  #isPast(section: ReplicaSection, revision: number): boolean {
    return section.incarnation === this.#incarnation && revision <= section.revision;
  }
}

/** The decoder hands out views of the received message; kept long, one object would hold all of it in memory. */
const ownedEntry = (put: Put): Entry => entryOf({ ...put, bytes: new Uint8Array(put.bytes) });

/** Applies a change that is durable. Deterministic: a store may apply the same changes to its own copy. */
export function applyViewChange(sections: Sections, change: ViewChange): void {
  const id = sectionId(change.scope, change.uid);
  if (change.kind === 'view.drop') {
    sections.delete(id);
    return;
  }
  const section = sections.get(id) ?? emptySection(change.scope, change.uid);
  sections.set(id, section);
  switch (change.kind) {
    case 'view.delta':
      for (const key of change.deletes) section.content.delete(key);
      for (const put of change.puts) section.content.put(put);
      section.revision = change.to;
      break;
    case 'view.stage':
      for (const key of change.deletes) section.staged.set(key, undefined);
      for (const put of change.puts) section.staged.set(put.key, put);
      break;
    case 'view.flip':
      section.content = overlaid(section);
      section.staged.clear();
      section.fresh = false;
      section.incarnation = change.incarnation;
      section.revision = change.to;
      break;
    case 'view.reset':
      section.staged.clear();
      section.fresh = change.fresh;
      break;
    default:
      change satisfies never;
  }
}

export function emptySection(scope: number, uid: string): ReplicaSection {
  return { scope, uid, incarnation: '', revision: 0, content: new SectionContent(), staged: new Map(), fresh: false };
}

/** What the flip would make active. */
function overlaid(section: ReplicaSection): SectionContent {
  const content = SectionContent.of(section.fresh ? [] : section.content.entries());
  for (const [key, entry] of section.staged) {
    if (entry === undefined) content.delete(key);
    else content.put(entry);
  }
  return content;
}
