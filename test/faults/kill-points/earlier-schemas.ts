/**
 * The tables of earlier versions of both stores, as the programs of then made them: frozen text, no part of which comes
 * from the code of today. A version that is followed by another gets its row here.
 */

const hubTables = [
  'CREATE TABLE resource (kind TEXT NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT',
  'CREATE TABLE resource_log (revision INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, removed INTEGER NOT NULL, object TEXT NOT NULL) STRICT',
  'CREATE TABLE resource_floor (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT',
  'CREATE TABLE hub_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  'CREATE TABLE view_section (scope INTEGER NOT NULL, uid TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (scope, uid)) STRICT',
  'CREATE TABLE view_entry (scope INTEGER NOT NULL, uid TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (scope, uid, key)) STRICT',
  'CREATE TABLE node_watermark (node TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (node, epoch)) STRICT',
  'CREATE TABLE node_event (cursor INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, time_ms INTEGER NOT NULL, data TEXT NOT NULL, id TEXT, UNIQUE (node, epoch, seq)) STRICT',
  'CREATE TABLE join_token (id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, pool TEXT NOT NULL, node TEXT, may_replace INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, uses_max INTEGER NOT NULL, uses_left INTEGER NOT NULL CHECK (uses_left >= 0)) STRICT',
  'CREATE TABLE image_tag (reference TEXT PRIMARY KEY, digest TEXT NOT NULL, media_type TEXT NOT NULL, updated_ms INTEGER NOT NULL) STRICT',
];
const liveCertificate = 'CREATE UNIQUE INDEX node_certificate_live ON node_certificate (node) WHERE revoked_ms IS NULL';

const renewedIdentities = [
  'CREATE TABLE node_certificate (serial TEXT PRIMARY KEY, node TEXT NOT NULL, pool TEXT NOT NULL, key_hash TEXT NOT NULL, certificate_pem TEXT NOT NULL, issued_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, revoked_ms INTEGER, successor TEXT, suspended_ms INTEGER) STRICT',
  liveCertificate,
  'CREATE TABLE node_successor (node TEXT PRIMARY KEY, serial TEXT NOT NULL, pool TEXT NOT NULL, key_hash TEXT NOT NULL, certificate_pem TEXT NOT NULL, issued_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL) STRICT',
  'CREATE TABLE node_revocation (node TEXT PRIMARY KEY, revoked_ms INTEGER NOT NULL) STRICT',
];

const hubVersion3 = [
  ...hubTables,
  ...renewedIdentities,
  'CREATE INDEX node_event_id ON node_event (node, type, id) WHERE id IS NOT NULL',
];
const hubVersion4 = [
  ...hubVersion3,
  'CREATE TABLE twin (kind TEXT NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT',
  'CREATE TABLE twin_log (revision INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, removed INTEGER NOT NULL, object TEXT NOT NULL) STRICT',
  'CREATE TABLE twin_floor (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT',
];
const hubVersion5 = [
  ...hubVersion4,
  'CREATE TABLE node_greeting (node TEXT PRIMARY KEY, epoch TEXT NOT NULL) STRICT',
  'CREATE TABLE twin_change (twin TEXT NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL, time_ms INTEGER NOT NULL, who TEXT NOT NULL, patch TEXT, PRIMARY KEY (twin, uid, version)) STRICT',
];
const hubVersion6 = [
  ...hubVersion5,
  'CREATE TABLE audit_record (place INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, user TEXT NOT NULL, groups TEXT NOT NULL, source_address TEXT NOT NULL, user_agent TEXT NOT NULL, verb TEXT NOT NULL, resource TEXT NOT NULL, version TEXT NOT NULL, namespace TEXT, name TEXT, code INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT',
];

/** Version to the statements that made an empty file of it. */
export const earlierHubSchemas: Readonly<Record<number, readonly string[]>> = {
  1: [
    ...hubTables,
    'CREATE TABLE node_certificate (serial TEXT PRIMARY KEY, node TEXT NOT NULL, pool TEXT NOT NULL, key_hash TEXT NOT NULL, certificate_pem TEXT NOT NULL, issued_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, revoked_ms INTEGER) STRICT',
    liveCertificate,
  ],
  2: [...hubTables, ...renewedIdentities],
  3: hubVersion3,
  4: hubVersion4,
  5: hubVersion5,
  6: hubVersion6,
};

const nodeTables = [
  'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  'CREATE TABLE section (scope INTEGER NOT NULL, uid TEXT NOT NULL, incarnation TEXT NOT NULL, revision INTEGER NOT NULL, fresh INTEGER NOT NULL, PRIMARY KEY (scope, uid)) STRICT',
  'CREATE TABLE entry (scope INTEGER NOT NULL, uid TEXT NOT NULL, stage INTEGER NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, bytes BLOB, PRIMARY KEY (scope, uid, stage, key)) STRICT',
  'CREATE TABLE event (epoch TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, time_ms INTEGER NOT NULL, data TEXT NOT NULL, id TEXT, size INTEGER NOT NULL, PRIMARY KEY (epoch, seq)) STRICT',
  'CREATE TABLE event_epoch (n INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL UNIQUE, last INTEGER NOT NULL, acked INTEGER NOT NULL, pruned INTEGER NOT NULL) STRICT',
  'CREATE TABLE pod (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT',
];

const nodeEventIds =
  'CREATE TABLE event_id (n INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, UNIQUE (type, id)) STRICT';

export const earlierNodeSchemas: Readonly<Record<number, readonly string[]>> = {
  1: nodeTables,
  2: [...nodeTables, nodeEventIds],
  3: [...nodeTables, nodeEventIds, 'CREATE TABLE twin (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT'],
};
