/** Every bound of the protocol in one place, each with its unit. A peer may be stricter, never laxer. */
export const limits = {
  /** One WebSocket message, after inflating. */
  messageBytesMax: 1024 * 1024,
  /** Nesting of msgpack arrays and maps. */
  depthMax: 16,
  /** One object of a view section, encoded. Kubernetes bounds objects at 1.5 MiB in etcd; a terminal is smaller. */
  objectBytesMax: 512 * 1024,
  /** Bytes of objects that one delta or chunk carries; more is split. */
  chunkBytesMax: 256 * 1024,
  /** Objects and deletes that one delta or chunk carries. */
  chunkEntriesMax: 4_096,
  /** Entries of one inventory message. */
  inventoryEntriesMax: 4_096,
  /** Objects of one section. */
  sectionEntriesMax: 50_000,
  /** Changes that the hub remembers per section to answer an older cursor with a delta. */
  sectionLogEntriesMax: 4_096,
  /** Sections of one node: pool, node and subscriptions. */
  sectionsPerNodeMax: 16,
  keyBytesMax: 1_024,
  nameBytesMax: 253,
  /** One event or state value, encoded. */
  reportValueBytesMax: 32 * 1024,
  /** Objects and arrays inside one another in the data of an event: with what goes around it, within `depthMax`. */
  eventDepthMax: 12,
  /** For so long the same type and id of one terminal mean the same event, at the terminal and at the hub. */
  eventIdMs: 30 * 24 * 3_600_000,
  reportItemsMax: 1_024,
  /** Bytes of values that one report message carries. */
  reportBytesMax: 128 * 1024,
  /** Report messages that may be unacknowledged on one session. */
  reportsInFlightMax: 4,
  /** Events not yet acknowledged that a node keeps before it refuses new ones. */
  outboxEventsMax: 100_000,
  outboxBytesMax: 64 * 1024 * 1024,
  /** Acknowledged events kept for a hub that lost its store. */
  retainedBytesMax: 64 * 1024 * 1024,
  retainedMs: 7 * 24 * 3_600_000,
  /** Keys of coalesced state. */
  stateKeysMax: 4_096,
  /** Samples kept; older ones are dropped and counted. */
  samplesMax: 1_024,
  /** Objects and arrays inside one another below a section of a twin. */
  twinDepthMax: 10,
  twinKeyBytesMax: 1_024,
  twinStringBytesMax: 4 * 1024,
  /** JSON of `desired` or of `reported`, without what the owner assigns. */
  twinSectionBytesMax: 32 * 1024,
  /** Local writes that lost, as the hub remembers them; the newest stay. */
  twinConflictsMax: 16,
  /** From connect to welcome. */
  greetingMs: 10_000,
  /** A view or report that was sent and not acknowledged: the link is taken for dead. */
  ackMs: 30_000,
  /** Bytes waiting in one session's send buffer before the hub stops adding to it. */
  sendBufferBytesMax: 4 * 1024 * 1024,
  backoffMinMs: 1_000,
  backoffMaxMs: 60_000,
} as const;

/** How often a silent link is tested and when it is given up. */
export interface HeartbeatProfile {
  name: 'prompt' | 'metered';
  /** The node sends a beat when nothing was sent for so long. */
  beatMs: number;
  /** Either side gives the link up when nothing came for so long. */
  silenceMs: number;
}

/**
 * *prompt*: a two-way beat of about 208 bytes with TCP/IP each 30 s is 6.9 B/s; a lost node is missed within 40 s.
 * *metered*: a beat each 120 s, missed within 2.5 periods.
 */
export const heartbeatProfiles = {
  prompt: { name: 'prompt', beatMs: 30_000, silenceMs: 40_000 },
  metered: { name: 'metered', beatMs: 120_000, silenceMs: 300_000 },
} as const satisfies Record<string, HeartbeatProfile>;
