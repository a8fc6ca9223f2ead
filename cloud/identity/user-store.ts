/** What the hub remembers of its users: the certificates it signed for them, and the names that count no more. */
import type { Database, Row } from '../../protocol/node/sqlite.ts';

/** A certificate that the hub signed for a user. At most one per name is not revoked. */
export interface UserCertificate {
  /** Upper-case hexadecimal, as `X509Certificate.serialNumber`. */
  serial: string;
  user: string;
  /** The certificate's O. */
  groups: readonly string[];
  issuedMs: number;
  notAfterMs: number;
  revokedMs?: number;
}

export interface UserStore {
  /** Every certificate known, revoked ones too. */
  certificates(): Promise<UserCertificate[]>;
  /** Names of which a user was revoked. */
  revokedNames(): Promise<string[]>;
  /** Keeps it in the place of one of the same name that has ended. */
  save(certificate: UserCertificate): Promise<void>;
  /** Ends every certificate of that name, listed or not. */
  revoke(user: string, nowMs: number): Promise<void>;
}

export const userTables: string[] = [
  `CREATE TABLE user_certificate (
     serial TEXT PRIMARY KEY,
     user TEXT NOT NULL,
     groups TEXT NOT NULL,
     issued_ms INTEGER NOT NULL,
     not_after_ms INTEGER NOT NULL,
     revoked_ms INTEGER
   ) STRICT`,
  'CREATE UNIQUE INDEX user_certificate_live ON user_certificate (user) WHERE revoked_ms IS NULL',
  'CREATE TABLE user_revocation (user TEXT PRIMARY KEY, revoked_ms INTEGER NOT NULL) STRICT',
];

export class SqliteUserStore implements UserStore {
  readonly #database: Pick<Database, 'write' | 'all'>;

  constructor(database: Pick<Database, 'write' | 'all'>) {
    this.#database = database;
  }

  async certificates(): Promise<UserCertificate[]> {
    return (await this.#database.all('SELECT * FROM user_certificate ORDER BY user, issued_ms')).map(certificateOf);
  }

  async revokedNames(): Promise<string[]> {
    return (await this.#database.all('SELECT user FROM user_revocation')).map(({ user }) => user as string);
  }

  save({ serial, user, groups, issuedMs, notAfterMs }: UserCertificate): Promise<void> {
    return this.#database.write([
      { sql: 'DELETE FROM user_certificate WHERE user = ? AND revoked_ms IS NULL', params: [user] },
      {
        sql: `INSERT INTO user_certificate (serial, user, groups, issued_ms, not_after_ms) VALUES (?, ?, ?, ?, ?)`,
        params: [serial, user, JSON.stringify(groups), issuedMs, notAfterMs],
      },
    ]);
  }

  revoke(user: string, nowMs: number): Promise<void> {
    return this.#database.write([
      {
        sql: 'UPDATE user_certificate SET revoked_ms = ? WHERE user = ? AND revoked_ms IS NULL',
        params: [nowMs, user],
      },
      {
        sql: `INSERT INTO user_revocation (user, revoked_ms) VALUES (?, ?)
                ON CONFLICT (user) DO UPDATE SET revoked_ms = excluded.revoked_ms`,
        params: [user, nowMs],
      },
    ]);
  }
}

function certificateOf(row: Row): UserCertificate {
  return {
    serial: row.serial as string,
    user: row.user as string,
    groups: JSON.parse(row.groups as string) as string[],
    issuedMs: row.issued_ms as number,
    notAfterMs: row.not_after_ms as number,
    ...(row.revoked_ms === null ? {} : { revokedMs: row.revoked_ms as number }),
  };
}
