/**
 * How a terminal becomes a node: `decideEnrolment` says what may happen, `Enrolments` does it. Asking twice with
 * the same key is harmless, because the first answer may have been lost on the way.
 */
import { createHash, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import {
  checkNodeName,
  type EnrolAnswer,
  type EnrolRequest,
  proofText,
  type TerminalInfo,
} from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { parseJoinToken } from '../../protocol/join-token.ts';
import { isNodePublicKey, type NodeSigner } from './authority.ts';
import type { IdentityStore, NodeCertificate, TokenRecord } from './identity-store.ts';
import type { Roster } from './roster.ts';
import { hashSecret, poolMissing } from './tokens.ts';

/** What the decision looks at: the request, reduced, and what the hub knows. */
export interface EnrolmentFacts {
  name: string;
  secretHash: string;
  keyHash: string;
  token: TokenRecord | undefined;
  /** The certificate that the name has now. */
  current: NodeCertificate | undefined;
  poolExists: boolean;
  nowMs: number;
}

export type EnrolmentDecision =
  /** Sign a new certificate; `replace` ends the name's current one. */
  | { kind: 'issue'; pool: string; replace: boolean }
  /** The same terminal asks again: it gets what it has, and no use is taken. */
  | { kind: 'repeat'; certificate: NodeCertificate };

/** A certificate with less time left is not handed out again but replaced; of a short life half. */
const REPEAT_LEFT_MS_MAX = 30 * 24 * 3_600_000;

/** Errors: `E_TOKEN_INVALID`, `E_TOKEN_EXPIRED`, `E_NAME_TAKEN`, `E_NOT_FOUND` for the pool. Pure. */
export function decideEnrolment(facts: EnrolmentFacts): EnrolmentDecision {
  const { name, token, current, nowMs } = facts;
  if (token === undefined || !sameHash(token.secretHash, facts.secretHash))
    throw new AppError('E_TOKEN_INVALID', `the hub does not know this join token: ${makeAnother(token?.pool)}`);
  if (token.node !== undefined && token.node !== name)
    throw new AppError(
      'E_TOKEN_INVALID',
      `this join token is for the node ${token.node}, not for ${name}: use that name, or ${makeAnother(token.pool, name)}`,
    );
  const sameKey = current !== undefined && current.keyHash === facts.keyHash;
  const repeatLeftMs = current && Math.min(REPEAT_LEFT_MS_MAX, (current.notAfterMs - current.issuedMs) / 2);
  if (sameKey && current.notAfterMs - nowMs > repeatLeftMs!) return { kind: 'repeat', certificate: current };
  if (token.expiresMs <= nowMs)
    throw new AppError(
      'E_TOKEN_EXPIRED',
      `this join token ended at ${new Date(token.expiresMs).toISOString()}: ${makeAnother(token.pool)}`,
    );
  if (token.usesLeft <= 0) throw usedUp(token);
  if (!facts.poolExists) throw poolMissing(token.pool);
  if (current !== undefined && !sameKey && !token.replace) throw nameTaken(name, token.pool);
  return { kind: 'issue', pool: token.pool, replace: current !== undefined };
}

/** Tells the rest of the hub of a node that joined; called again when the terminal asks again. */
export interface Registration {
  name: string;
  pool: string;
  info: TerminalInfo;
  /** Another terminal had this name: its session must end. */
  replaced: boolean;
}

export interface EnrolmentPeers {
  authority: NodeSigner;
  store: IdentityStore;
  roster: Roster;
  poolExists(pool: string): Promise<boolean>;
  /** Creates or updates the Node object. */
  registerNode(registration: Registration): Promise<void>;
  /** Ends the sessions of a certificate that no longer counts. */
  onReplaced(node: string): void;
  /** `HOST:PORT`, in the order in which nodes try them. */
  destinations(): readonly string[];
}

export class Enrolments {
  readonly #env: Env;
  readonly #peers: EnrolmentPeers;

  constructor(env: Env, peers: EnrolmentPeers) {
    this.#env = env;
    this.#peers = peers;
  }

  /** Errors as `decideEnrolment`, and `E_INPUT_INVALID` for a name or key that cannot be. */
  async enrol(request: EnrolRequest): Promise<EnrolAnswer> {
    const { store, poolExists, registerNode } = this.#peers;
    const { id, secret } = parseJoinToken(request.token);
    checkNodeName(request.name);
    const publicKey = Buffer.from(request.publicKey, 'base64');
    checkProof(request, id, publicKey);
    const keyHash = createHash('sha256').update(publicKey).digest('hex');
    const token = await store.token(id);
    const decision = decideEnrolment({
      name: request.name,
      secretHash: hashSecret(secret),
      keyHash,
      token,
      current: await store.currentCertificate(request.name),
      poolExists: token !== undefined && (await poolExists(token.pool)),
      nowMs: this.#env.clock.now(),
    });
    const replaced = decision.kind === 'issue' && decision.replace;
    const certificate =
      decision.kind === 'repeat'
        ? decision.certificate
        : await this.#issue(request, token!, { keyHash, publicKey, replace: decision.replace });
    await registerNode({ name: certificate.node, pool: certificate.pool, info: request.info, replaced });
    this.#env.log.info('node enrolled', { node: certificate.node, pool: certificate.pool, replaced, tokenId: id });
    return this.#answer(certificate);
  }

  async #issue(
    request: EnrolRequest,
    token: TokenRecord,
    asked: { keyHash: string; publicKey: Uint8Array; replace: boolean },
  ): Promise<NodeCertificate> {
    const { authority, store, roster, onReplaced } = this.#peers;
    const nowMs = this.#env.clock.now();
    const floorMs = Math.max(roster.issueFloorMs(request.name), roster.decisionMs(nowMs));
    const issued = await authority.issueNode(request.name, asked.publicKey, floorMs);
    const certificate: NodeCertificate = {
      ...issued,
      node: request.name,
      pool: token.pool,
      keyHash: asked.keyHash,
    };
    const result = await store.enrol({ tokenId: token.id, certificate, replace: asked.replace, nowMs });
    if (result !== 'enrolled') {
      // The same terminal may have asked twice at once: it gets what the other request was given.
      const current = await store.currentCertificate(request.name);
      if (current?.keyHash === asked.keyHash) return current;
      throw result === 'token-used-up' ? usedUp(token) : nameTaken(request.name, token.pool);
    }
    roster.enrolled(certificate);
    if (asked.replace) onReplaced(request.name);
    return certificate;
  }

  #answer(certificate: NodeCertificate): EnrolAnswer {
    return {
      node: certificate.node,
      pool: certificate.pool,
      certificate: certificate.certificatePem,
      ca: this.#peers.authority.certificatePem,
      destinations: [...this.#peers.destinations()],
    };
  }
}

function checkProof(request: EnrolRequest, tokenId: string, publicKey: Buffer): void {
  if (!isNodePublicKey(publicKey)) throw new AppError('E_INPUT_INVALID', "the node's key must be one on P-256");
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  const text = Buffer.from(proofText(tokenId, request.name, request.publicKey));
  if (!verify('sha256', text, key, Buffer.from(request.proof, 'base64')))
    throw new AppError('E_INPUT_INVALID', 'the signature does not show that the terminal has the key it names');
}

function sameHash(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function usedUp(token: TokenRecord): AppError {
  return new AppError(
    'E_TOKEN_INVALID',
    `this join token is used up (${token.usesMax} uses): ${makeAnother(token.pool)}`,
  );
}

function nameTaken(name: string, pool: string): AppError {
  return new AppError(
    'E_NAME_TAKEN',
    `the name ${name} belongs to an enrolled node: choose another, or, if this terminal takes its place, ${makeAnother(pool, name, true)}`,
  );
}

function makeAnother(pool: string | undefined, node?: string, replace = false): string {
  const options = `--pool ${pool ?? 'POOL'}${node === undefined ? '' : ` --node ${node}`}${replace ? ' --replace' : ''}`;
  return `make another with "stile token create ${options}"`;
}
