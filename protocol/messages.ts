/**
 * The vocabulary: every message of the session, by channel, with its positional schema. The frame around it and the
 * bytes are `codec.ts`; which message may come when is `node-session.ts` and `hub-session.ts`; in prose it is all in
 * README.md. A changed description fails `test/protocol/version.test.ts` until `version.ts` says why.
 */
import { limits } from './limits.ts';
import { bool, bytes, type Infer, json, list, optional, struct, text, uint } from './shape.ts';

/** Order of service when the send buffer is short: session, view and report, interactive streams, bulk streams. */
export const channels = { session: 0, view: 1, report: 2, stream: 3 } as const;
export type ChannelName = keyof typeof channels;

/** What a section belongs to. */
export const scopes = { pool: 0, node: 1, subscription: 2 } as const;

const epoch = text(32);
const uid = text(64);
const key = text(limits.keyBytesMax);
/** 16 bytes, see `digest.ts`. */
const digest = bytes(16);
const handle = uint(0xffff_ffff);
const revision = uint();

/** What a node holds of one section. Revisions are ordered within the `incarnation` that gave them out. */
export const cursor = struct({ scope: uint(255), uid, incarnation: text(32), revision, digest });
/** One object of a section: its key, the section's revision at which it last changed, its encoded bytes. */
export const put = struct({ key, revision, bytes: bytes(limits.objectBytesMax) });
/** What a node holds of one object: enough for the hub to see whether it differs. `hash` is 8 bytes, see `digest.ts`. */
export const inventoryEntry = struct({ key, revision, hash: bytes(8) });
/** Everything of `epoch` up to `seq` is durable at the hub. */
export const watermark = struct({ epoch, seq: uint() });
export const eventItem = struct({ type: text(128), timeMs: uint(), data: json(), id: optional(text(128)) });
/** `value` undefined: the key is gone. */
export const stateItem = struct({ key, stamp: uint(), value: optional(json()) });
export const sampleItem = struct({ name: text(128), timeMs: uint(), value: json() });

const puts = list(put, limits.chunkEntriesMax);
const deletes = list(key, limits.chunkEntriesMax);

/** `up` is node to hub. Numbers are never re-used. */
export const messages = {
  // --- session
  hello: {
    channel: 'session',
    kind: 1,
    direction: 'up',
    shape: struct({
      versionMin: uint(0xffff),
      versionMax: uint(0xffff),
      node: text(limits.nameBytesMax),
      epoch,
      bootId: text(64),
      agent: text(128),
      capabilities: list(text(64), 64),
      cursors: list(cursor, limits.sectionsPerNodeMax),
      nowMs: uint(),
    }),
  },
  welcome: {
    channel: 'session',
    kind: 2,
    direction: 'down',
    shape: struct({
      version: uint(0xffff),
      incarnation: text(32),
      hubTimeMs: uint(),
      beatMs: uint(),
      silenceMs: uint(),
      messageBytesMax: uint(),
      watermarks: list(watermark, 64),
      advertise: list(text(300), 16),
    }),
  },
  refuse: {
    channel: 'session',
    kind: 3,
    direction: 'down',
    shape: struct({ code: uint(0xffff), message: text(1_024), retryAfterMs: uint() }),
  },
  beat: { channel: 'session', kind: 4, direction: 'up', shape: struct({ nonce: uint(0xffff_ffff) }) },
  beatAck: {
    channel: 'session',
    kind: 5,
    direction: 'down',
    shape: struct({ nonce: uint(0xffff_ffff), hubTimeMs: uint() }),
  },
  /** The last message before an orderly close. */
  bye: {
    channel: 'session',
    kind: 6,
    direction: 'both',
    shape: struct({ code: uint(0xffff), message: text(1_024), retryAfterMs: uint() }),
  },

  // --- view
  /** Binds `handle` to a section for the rest of this session. `current`: the node's cursor is up to date. */
  section: {
    channel: 'view',
    kind: 1,
    direction: 'down',
    shape: struct({ handle, scope: uint(255), uid, current: bool() }),
  },
  delta: {
    channel: 'view',
    kind: 2,
    direction: 'down',
    shape: struct({ handle, from: revision, to: revision, digest, puts, deletes }),
  },
  /** The node's cursor is unknown or did not fit: the node answers with `inventory`. */
  inventoryRequest: { channel: 'view', kind: 3, direction: 'down', shape: struct({ handle, empty: bool() }) },
  inventory: {
    channel: 'view',
    kind: 4,
    direction: 'up',
    shape: struct({ handle, entries: list(inventoryEntry, limits.inventoryEntriesMax), last: bool() }),
  },
  /** A part of what differs; the node stages it durably under the active content. */
  chunk: { channel: 'view', kind: 5, direction: 'down', shape: struct({ handle, puts, deletes }) },
  /** All chunks were sent: make the staged content the active one if its digest fits. */
  flip: { channel: 'view', kind: 6, direction: 'down', shape: struct({ handle, to: revision, digest }) },
  /** The section is no longer the node's (moved pool): forget its content. */
  drop: { channel: 'view', kind: 7, direction: 'down', shape: struct({ scope: uint(255), uid }) },
  /** The section is durable at the node up to `revision`. */
  viewAck: { channel: 'view', kind: 8, direction: 'up', shape: struct({ handle, revision }) },
  /** A delta or flip did not fit; the hub asks for the inventory. */
  viewMismatch: { channel: 'view', kind: 9, direction: 'up', shape: struct({ handle }) },
  /** Another down message of this channel, deflated with a versioned dictionary (`dictionary.ts`). */
  packed: {
    channel: 'view',
    kind: 10,
    direction: 'down',
    shape: struct({
      dictionary: uint(255),
      sizeBytes: uint(limits.messageBytesMax),
      bytes: bytes(limits.messageBytesMax),
    }),
  },

  // --- report
  /** Items `first`, `first + 1`, … of `epoch`. `floor` is the lowest sequence that the node still has. */
  events: {
    channel: 'report',
    kind: 1,
    direction: 'up',
    shape: struct({ epoch, first: uint(), floor: uint(), items: list(eventItem, limits.reportItemsMax) }),
  },
  /** Follows the state message that ended with stamp `after` on this session (0 for the first one). */
  states: {
    channel: 'report',
    kind: 2,
    direction: 'up',
    shape: struct({ after: uint(), items: list(stateItem, limits.reportItemsMax) }),
  },
  samples: {
    channel: 'report',
    kind: 3,
    direction: 'up',
    shape: struct({ items: list(sampleItem, limits.reportItemsMax), dropped: uint() }),
  },
  /** Cumulative: every event up to the watermark and every state up to the stamp is durable at the hub. */
  reportAck: {
    channel: 'report',
    kind: 4,
    direction: 'down',
    shape: struct({ watermarks: list(watermark, 64), stamp: uint() }),
  },
} as const;

export type MessageName = keyof typeof messages;
export type MessageBody<N extends MessageName> = Infer<(typeof messages)[N]['shape']>;
/** A message as the sessions see it: `{ name: 'delta', handle, from, … }`. */
export type Message = { [N in MessageName]: { name: N } & MessageBody<N> }[MessageName];
export type MessageOf<N extends MessageName> = Extract<Message, { name: N }>;

export type Cursor = Infer<typeof cursor>;
export type Put = Infer<typeof put>;
export type InventoryEntry = Infer<typeof inventoryEntry>;
export type Watermark = Infer<typeof watermark>;
export type EventItem = Infer<typeof eventItem>;
export type StateItem = Infer<typeof stateItem>;
export type SampleItem = Infer<typeof sampleItem>;
