/** Users: whom an administrator lets in, and for whom that is over. */
import { createPublicKey, verify } from 'node:crypto';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  checkRevokedName,
  type UserAnswer,
  type UserRequest,
  type UserRole,
  userDaysDefault,
  userProofText,
} from '../../protocol/user-certificate.ts';
import { type Authority, groups, isNodePublicKey } from './authority.ts';
import { poolMissing } from './tokens.ts';
import type { UserRoster } from './user-roster.ts';
import type { UserCertificate, UserStore } from './user-store.ts';

const DAY_MS = 24 * 3_600_000;
/** Certificates and revoked names that are kept, for ever: what was signed by hand may last as long. */
const USERS_MAX = 20_000;

/** A user as an administrator sees it. */
export interface UserFacts {
  name: string;
  serial: string;
  issuedMs: number;
  notAfterMs: number;
  revokedMs?: number;
  /** What is given to the name now, in words: `stile:operator (pools hangzhou)`. */
  roles: string[];
}

export interface UserPeers {
  authority: Pick<Authority, 'certificatePem' | 'issueUserKey'>;
  store: UserStore;
  roster: UserRoster;
  poolExists(pool: string): Promise<boolean>;
  /** Binds the role to the name, in the place of what an earlier call bound. */
  grant(user: string, role: UserRole, pools: readonly string[] | undefined): Promise<void>;
  /** Takes the name out of all bindings. */
  withdraw(user: string): Promise<void>;
  /** What is bound to names, in words. */
  rolesOf(): Promise<(user: string) => string[]>;
  /** The certificates of that name count no more: connections that were opened with them end. */
  onRevoked(user: string): void;
}

export class Users {
  readonly #env: Env;
  readonly #peers: UserPeers;
  /** One after another: what was looked at holds until it is written. */
  #working: Promise<unknown> = Promise.resolve();

  constructor(env: Env, peers: UserPeers) {
    this.#env = env;
    this.#peers = peers;
  }

  /** Errors: `E_INPUT_INVALID`, `E_NOT_FOUND` for a pool, `E_CONFLICT` for a name that is in use, `E_TOO_MANY`. */
  create(wish: UserRequest): Promise<UserAnswer> {
    return this.#inTurn(() => this.#create(wish));
  }

  /**
   * Ends every certificate of that name for good, also one that was signed by hand, and takes the name out of all
   * bindings. Asking twice is harmless. Errors: `E_INPUT_INVALID`, `E_TOO_MANY`.
   */
  revoke(user: string): Promise<void> {
    return this.#inTurn(async () => {
      checkRevokedName(user);
      if (!this.#peers.roster.isRevoked(user)) this.#expectRoom();
      const nowMs = this.#env.clock.now();
      await this.#peers.store.revoke(user, nowMs);
      this.#peers.roster.revoked(user, nowMs);
      this.#env.log.warn('user revoked', { user });
      this.#peers.onRevoked(user);
      await this.#peers.withdraw(user);
    });
  }

  async list(): Promise<UserFacts[]> {
    const rolesOf = await this.#peers.rolesOf();
    return this.#peers.roster.certificates().map(({ user, groups: memberOf, ...times }) => {
      const roles = memberOf.includes(groups.administrators) ? ['admin'] : [];
      // Whose name lives on under another certificate has that one's roles.
      return { name: user, ...times, roles: times.revokedMs === undefined ? [...roles, ...rolesOf(user)] : [] };
    });
  }

  async #create(wish: UserRequest): Promise<UserAnswer> {
    const { authority, store, roster, poolExists, grant } = this.#peers;
    const { name, role, pools, days = userDaysDefault } = wish;
    const publicKey = Buffer.from(wish.publicKey, 'base64');
    checkProof(wish, publicKey);
    for (const pool of pools ?? []) if (!(await poolExists(pool))) throw poolMissing(pool);
    const current = roster.current(name);
    if (current !== undefined && current.notAfterMs > this.#env.clock.now()) throw nameTaken(name);
    this.#expectRoom();
    const memberOf = role === 'admin' ? [groups.administrators] : [];
    const issued = await authority.issueUserKey(name, memberOf, publicKey, days * DAY_MS);
    const { serial, issuedMs, notAfterMs } = issued;
    const certificate: UserCertificate = { serial, user: name, groups: memberOf, issuedMs, notAfterMs };
    // First what it may do: a user who is on the list has its role.
    await grant(name, role, pools);
    await store.save(certificate);
    roster.issued(certificate);
    this.#env.log.info('user created', { user: name, role, ...(pools === undefined ? {} : { pools }), serial });
    const expires = new Date(notAfterMs).toISOString();
    return { name, certificate: issued.certificatePem, ca: authority.certificatePem, expires };
  }

  #expectRoom(): void {
    if (this.#peers.roster.size < USERS_MAX) return;
    throw new AppError(
      'E_TOO_MANY',
      `this hub remembers ${USERS_MAX} certificates and revoked names of users: no more`,
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => {});
    return done;
  }
}

function checkProof({ name, publicKey: text, proof }: UserRequest, publicKey: Buffer): void {
  if (!isNodePublicKey(publicKey)) throw new AppError('E_INPUT_INVALID', "a user's key must be one on P-256");
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  if (!verify('sha256', Buffer.from(userProofText(name, text)), key, Buffer.from(proof, 'base64')))
    throw new AppError('E_INPUT_INVALID', 'the signature does not show that the caller has the key it names');
}

function nameTaken(name: string): AppError {
  return new AppError(
    'E_CONFLICT',
    `the user ${name} has a certificate already: end it with "stile user revoke ${name}", or choose another name`,
  );
}
