/** Join tokens: made by an administrator, printed once, redeemed by terminals. */
import { createHash } from 'node:crypto';
import { checkNodeName } from '../../protocol/enrolment.ts';
import { type Env, randomHex } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { formatJoinToken } from '../../protocol/join-token.ts';
import { renewalGraceMs } from '../../protocol/renewal.ts';
import { nodeLifeMs } from './authority.ts';
import type { IdentityStore, TokenRecord } from './identity-store.ts';

export interface TokenWish {
  pool: string;
  node?: string;
  replace?: boolean;
  ttlMs: number;
  uses: number;
}

export interface NewToken {
  id: string;
  /** The only time that the whole text exists at the hub. */
  token: string;
  expiresMs: number;
}

export const tokenTtlMsMax = 365 * 24 * 3_600_000;
export const tokenUsesMax = 100_000;
/** Tokens that are kept at a time, ended ones included. */
const TOKENS_MAX = 10_000;
/** An ended token is remembered for so long, so that its bearer hears "expired" and not "unknown". */
const ENDED_TOKEN_KEPT_MS = 7 * 24 * 3_600_000;
/** No certificate of before can be renewed then, so nobody can show one that the hub must know as revoked. */
const CERTIFICATES_KEPT_MS = nodeLifeMs + renewalGraceMs;

export interface TokenPeers {
  store: IdentityStore;
  /** Of the hub's authority: what the token pins. */
  caFingerprint: string;
  poolExists(pool: string): Promise<boolean>;
}

export class Tokens {
  readonly #env: Env;
  readonly #peers: TokenPeers;

  constructor(env: Env, peers: TokenPeers) {
    this.#env = env;
    this.#peers = peers;
  }

  /** Errors: `E_INPUT_INVALID`, `E_NOT_FOUND` when there is no such pool. */
  async create(wish: TokenWish): Promise<NewToken> {
    checkWish(wish);
    if (!(await this.#peers.poolExists(wish.pool))) throw poolMissing(wish.pool);
    const nowMs = this.#env.clock.now();
    await this.#peers.store.prune(nowMs - ENDED_TOKEN_KEPT_MS, nowMs - CERTIFICATES_KEPT_MS);
    if ((await this.#peers.store.tokens()).length >= TOKENS_MAX)
      throw new AppError('E_CONFLICT', `there are ${TOKENS_MAX} join tokens: delete some (stile token delete ID)`);
    const id = randomHex(this.#env.random, 6);
    const secret = Buffer.from(this.#env.random.bytes(32)).toString('base64url');
    const expiresMs = nowMs + wish.ttlMs;
    await this.#peers.store.saveToken({
      id,
      secretHash: hashSecret(secret),
      pool: wish.pool,
      ...(wish.node === undefined ? {} : { node: wish.node }),
      replace: wish.replace ?? false,
      createdMs: nowMs,
      expiresMs,
      usesMax: wish.uses,
      usesLeft: wish.uses,
    });
    return { id, token: formatJoinToken({ id, secret, caFingerprint: this.#peers.caFingerprint }), expiresMs };
  }

  list(): Promise<TokenRecord[]> {
    return this.#peers.store.tokens();
  }

  /** Errors: `E_NOT_FOUND`. */
  async remove(id: string): Promise<void> {
    if (!(await this.#peers.store.deleteToken(id)))
      throw new AppError('E_NOT_FOUND', `there is no join token ${JSON.stringify(id)}`);
  }
}

/** The secret has 256 random bits, so a plain hash is as good as a slow one. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function poolMissing(pool: string): AppError {
  return new AppError('E_NOT_FOUND', `the pool ${JSON.stringify(pool)} does not exist: create its NodePool first`);
}

function checkWish(wish: TokenWish): void {
  if (wish.node !== undefined) checkNodeName(wish.node);
  if (wish.replace === true && wish.node === undefined)
    throw new AppError('E_INPUT_INVALID', 'a token that replaces a node must name it: add --node NAME');
  if (!Number.isInteger(wish.uses) || wish.uses < 1 || wish.uses > tokenUsesMax)
    throw new AppError('E_INPUT_INVALID', `a token has 1 to ${tokenUsesMax} uses`);
  if (!(wish.ttlMs >= 1_000 && wish.ttlMs <= tokenTtlMsMax))
    throw new AppError('E_INPUT_INVALID', 'a token lives for one second to 365 days');
}
