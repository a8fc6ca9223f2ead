/** Identities in SQLite. The tables themselves hold the two rules: no use beyond the last, one live certificate a node. */
import type { Database, Row, Statement } from '../../protocol/node/sqlite.ts';
import type {
  Enrolment,
  EnrolmentResult,
  IdentityStore,
  NodeCertificate,
  Revocation,
  TokenRecord,
} from './identity-store.ts';

/** The tables that renewal added; an older hub's file gets them, with the two columns, by `renewalMigration`. */
const renewalTables: string[] = [
  `CREATE TABLE node_successor (
     node TEXT PRIMARY KEY,
     serial TEXT NOT NULL,
     pool TEXT NOT NULL,
     key_hash TEXT NOT NULL,
     certificate_pem TEXT NOT NULL,
     issued_ms INTEGER NOT NULL,
     not_after_ms INTEGER NOT NULL
   ) STRICT`,
  'CREATE TABLE node_revocation (node TEXT PRIMARY KEY, revoked_ms INTEGER NOT NULL) STRICT',
];

export const renewalMigration: string[] = [
  'ALTER TABLE node_certificate ADD COLUMN successor TEXT',
  'ALTER TABLE node_certificate ADD COLUMN suspended_ms INTEGER',
  ...renewalTables,
];

export const identityTables: string[] = [
  `CREATE TABLE join_token (
     id TEXT PRIMARY KEY,
     secret_hash TEXT NOT NULL,
     pool TEXT NOT NULL,
     node TEXT,
     may_replace INTEGER NOT NULL,
     created_ms INTEGER NOT NULL,
     expires_ms INTEGER NOT NULL,
     uses_max INTEGER NOT NULL,
     uses_left INTEGER NOT NULL CHECK (uses_left >= 0)
   ) STRICT`,
  `CREATE TABLE node_certificate (
     serial TEXT PRIMARY KEY,
     node TEXT NOT NULL,
     pool TEXT NOT NULL,
     key_hash TEXT NOT NULL,
     certificate_pem TEXT NOT NULL,
     issued_ms INTEGER NOT NULL,
     not_after_ms INTEGER NOT NULL,
     revoked_ms INTEGER,
     successor TEXT,
     suspended_ms INTEGER
   ) STRICT`,
  'CREATE UNIQUE INDEX node_certificate_live ON node_certificate (node) WHERE revoked_ms IS NULL',
  ...renewalTables,
];

export class SqliteIdentityStore implements IdentityStore {
  readonly #database: Database;
  /** Enrolments read before they write: one after another, so that nothing changes in between. */
  #enrolling: Promise<unknown> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  saveToken(token: TokenRecord): Promise<void> {
    const { id, secretHash, pool, node, replace, createdMs, expiresMs, usesMax, usesLeft } = token;
    return this.#database.write([
      {
        sql: 'INSERT OR REPLACE INTO join_token VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        params: [id, secretHash, pool, node ?? null, replace ? 1 : 0, createdMs, expiresMs, usesMax, usesLeft],
      },
    ]);
  }

  async token(id: string): Promise<TokenRecord | undefined> {
    const rows = await this.#database.all('SELECT * FROM join_token WHERE id = ?', [id]);
    return rows[0] === undefined ? undefined : tokenOf(rows[0]);
  }

  async tokens(): Promise<TokenRecord[]> {
    return (await this.#database.all('SELECT * FROM join_token ORDER BY created_ms, id')).map(tokenOf);
  }

  async deleteToken(id: string): Promise<boolean> {
    const known = (await this.token(id)) !== undefined;
    await this.#database.write([{ sql: 'DELETE FROM join_token WHERE id = ?', params: [id] }]);
    return known;
  }

  enrol(enrolment: Enrolment): Promise<EnrolmentResult> {
    const result = this.#enrolling.then(() => this.#enrolAlone(enrolment));
    this.#enrolling = result.catch(() => {});
    return result;
  }

  async currentCertificate(node: string): Promise<NodeCertificate | undefined> {
    const sql = 'SELECT * FROM node_certificate WHERE node = ? AND revoked_ms IS NULL';
    const rows = await this.#database.all(sql, [node]);
    return rows[0] === undefined ? undefined : certificateOf(rows[0]);
  }

  async certificates(): Promise<NodeCertificate[]> {
    return (await this.#database.all('SELECT * FROM node_certificate')).map(certificateOf);
  }

  saveSuccessor(certificate: NodeCertificate): Promise<void> {
    const { node, serial, pool, keyHash, certificatePem, issuedMs, notAfterMs } = certificate;
    const sql = 'INSERT OR REPLACE INTO node_successor VALUES (?, ?, ?, ?, ?, ?, ?)';
    return this.#database.write([{ sql, params: [node, serial, pool, keyHash, certificatePem, issuedMs, notAfterMs] }]);
  }

  async successors(): Promise<NodeCertificate[]> {
    return (await this.#database.all('SELECT * FROM node_successor')).map(certificateOf);
  }

  promote(certificate: NodeCertificate, nowMs: number): Promise<void> {
    const { serial, node } = certificate;
    return this.#database.write([
      {
        sql: 'UPDATE node_certificate SET revoked_ms = ?, successor = ? WHERE node = ? AND serial != ? AND revoked_ms IS NULL',
        params: [nowMs, serial, node, serial],
      },
      { ...insertion(certificate), sql: `${insertion(certificate).sql} ON CONFLICT (serial) DO NOTHING` },
      successorGone(node),
    ]);
  }

  revokeNode(node: string, nowMs: number): Promise<void> {
    return this.#database.write([
      revocation(node, nowMs),
      successorGone(node),
      { sql: 'INSERT OR REPLACE INTO node_revocation VALUES (?, ?)', params: [node, nowMs] },
    ]);
  }

  async revocations(): Promise<Revocation[]> {
    const rows = await this.#database.all('SELECT node, revoked_ms FROM node_revocation');
    return rows.map((row) => ({ node: row.node as string, revokedMs: row.revoked_ms as number }));
  }

  suspendNode(node: string, nowMs: number | undefined): Promise<void> {
    const sql = 'UPDATE node_certificate SET suspended_ms = ? WHERE node = ? AND revoked_ms IS NULL';
    return this.#database.write([{ sql, params: [nowMs ?? null, node] }]);
  }

  moveNode(node: string, pool: string): Promise<void> {
    return this.#database.write([
      { sql: 'UPDATE node_certificate SET pool = ? WHERE node = ? AND revoked_ms IS NULL', params: [pool, node] },
      { sql: 'UPDATE node_successor SET pool = ? WHERE node = ?', params: [pool, node] },
    ]);
  }

  prune(tokensBeforeMs: number, certificatesBeforeMs: number): Promise<void> {
    return this.#database.write([
      { sql: 'DELETE FROM join_token WHERE expires_ms < ?', params: [tokensBeforeMs] },
      {
        sql: 'DELETE FROM node_certificate WHERE revoked_ms IS NOT NULL AND not_after_ms < ?',
        params: [certificatesBeforeMs],
      },
      { sql: 'DELETE FROM node_revocation WHERE revoked_ms < ?', params: [certificatesBeforeMs] },
    ]);
  }

  async #enrolAlone({ tokenId, certificate, replace, nowMs }: Enrolment): Promise<EnrolmentResult> {
    const token = await this.token(tokenId);
    if (token === undefined || token.usesLeft <= 0) return 'token-used-up';
    if (!replace && (await this.currentCertificate(certificate.node)) !== undefined) return 'name-taken';
    const { node } = certificate;
    await this.#database.write([
      { sql: 'UPDATE join_token SET uses_left = uses_left - 1 WHERE id = ?', params: [tokenId] },
      ...(replace ? [revocation(node, nowMs)] : []),
      successorGone(node),
      insertion(certificate),
    ]);
    return 'enrolled';
  }
}

function revocation(node: string, nowMs: number): Statement {
  const sql = 'UPDATE node_certificate SET revoked_ms = ? WHERE node = ? AND revoked_ms IS NULL';
  return { sql, params: [nowMs, node] };
}

function successorGone(node: string): Statement {
  return { sql: 'DELETE FROM node_successor WHERE node = ?', params: [node] };
}

function insertion(certificate: NodeCertificate): Statement {
  const { serial, node, pool, keyHash, certificatePem, issuedMs, notAfterMs } = certificate;
  return {
    sql: `INSERT INTO node_certificate (serial, node, pool, key_hash, certificate_pem, issued_ms, not_after_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    params: [serial, node, pool, keyHash, certificatePem, issuedMs, notAfterMs],
  };
}

function tokenOf(row: Row): TokenRecord {
  return {
    id: row.id as string,
    secretHash: row.secret_hash as string,
    pool: row.pool as string,
    ...(row.node === null ? {} : { node: row.node as string }),
    replace: row.may_replace === 1,
    createdMs: row.created_ms as number,
    expiresMs: row.expires_ms as number,
    usesMax: row.uses_max as number,
    usesLeft: row.uses_left as number,
  };
}

function certificateOf(row: Row): NodeCertificate {
  return {
    serial: row.serial as string,
    node: row.node as string,
    pool: row.pool as string,
    keyHash: row.key_hash as string,
    certificatePem: row.certificate_pem as string,
    issuedMs: row.issued_ms as number,
    notAfterMs: row.not_after_ms as number,
    // A row of `node_successor` has none of these.
    ...(typeof row.revoked_ms === 'number' ? { revokedMs: row.revoked_ms } : {}),
    ...(typeof row.successor === 'string' ? { successor: row.successor } : {}),
    ...(typeof row.suspended_ms === 'number' ? { suspendedMs: row.suspended_ms } : {}),
  };
}
