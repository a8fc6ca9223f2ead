/**
 * The next certificate of a node, given for the one that it has: `decideRenewal` says what may happen, `Renewals`
 * does it. Both certificates count until the new one is used, so a lost answer or a power cut shuts nobody out.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { EnrolAnswer } from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { type RenewRequest, renewalText } from '../../protocol/renewal.ts';
import { Scope } from '../../protocol/scope.ts';
import { isNodePublicKey, type NodeSigner } from './authority.ts';
import type { IdentityStore, NodeCertificate } from './identity-store.ts';
import type { Peers, ShownNode } from './peer.ts';
import type { Roster } from './roster.ts';

/** A younger certificate is not renewed: a terminal gone mad costs no more than one row a day. */
export const renewalPauseMs = 24 * 3_600_000;
/** Of a short life; less than the two thirds after which a terminal asks. */
const PAUSE_PARTS = 4;

export interface RenewalFacts {
  shown: Pick<ShownNode, 'issuedMs' | 'notAfterMs' | 'keyHash'>;
  /** Of the key that asks for a certificate. */
  keyHash: string;
  /** Given out before and not used yet. */
  successor: NodeCertificate | undefined;
  nowMs: number;
}

export type RenewalDecision =
  | { kind: 'issue' }
  /** The answer was lost: the same key gets the same certificate. */
  | { kind: 'repeat'; certificate: NodeCertificate };

/** Errors: `E_INPUT_INVALID` for the old key, `E_LINK_BUSY`. Whether the certificate counts is known before. Pure. */
export function decideRenewal({ shown, keyHash, successor, nowMs }: RenewalFacts): RenewalDecision {
  if (keyHash === shown.keyHash) throw new AppError('E_INPUT_INVALID', 'a renewal takes a new key, not the old one');
  if (successor?.keyHash === keyHash && successor.notAfterMs > nowMs) return { kind: 'repeat', certificate: successor };
  const pauseMs = Math.min(renewalPauseMs, (shown.notAfterMs - shown.issuedMs) / PAUSE_PARTS);
  const ageMs = nowMs - shown.issuedMs;
  // One that is yet to come, by a clock that went back, is as good as new.
  if (ageMs < pauseMs)
    throw new AppError('E_LINK_BUSY', 'this certificate is new: it is not renewed yet', {
      retryAfterMs: Math.ceil(pauseMs - Math.max(0, ageMs)),
    });
  return { kind: 'issue' };
}

export interface RenewalPeers {
  authority: NodeSigner;
  store: IdentityStore;
  roster: Roster;
  peers: Peers;
  /** Cuts connections that were opened with a certificate that counts no more. */
  dropRevoked(node: string): void;
  /** `HOST:PORT`, in the order in which nodes try them. */
  destinations(): readonly string[];
}

export class Renewals {
  readonly #env: Env;
  readonly #parts: RenewalPeers;
  readonly #scope: Scope;

  constructor(env: Env, parts: RenewalPeers) {
    this.#env = env;
    this.#parts = parts;
    this.#scope = new Scope(env.clock);
    parts.peers.onFirstUse((certificate) => this.#scope.spawn(() => this.#usedFirst(certificate)));
  }

  /** Errors: as `decideRenewal`, and `E_INPUT_INVALID` for a key or a signature that cannot be. */
  async renew(shown: ShownNode, request: RenewRequest): Promise<EnrolAnswer> {
    const { authority, store, roster, destinations } = this.#parts;
    const publicKey = Buffer.from(request.publicKey, 'base64');
    checkProofs(request, publicKey, shown);
    const keyHash = createHash('sha256').update(publicKey).digest('hex');
    const nowMs = this.#env.clock.now();
    const { node } = shown;
    const decision = decideRenewal({ shown, keyHash, successor: roster.successor(node), nowMs });
    let certificate: NodeCertificate;
    if (decision.kind === 'repeat') certificate = decision.certificate;
    else {
      // One that was never used before is used now: it becomes the current one, which the next one follows.
      if (roster.successor(node)?.serial === shown.serial) await this.#take(roster.successor(node)!, nowMs);
      const pool = roster.current(node)?.pool ?? '';
      // A restored hub may not know what it is shown.
      const floorMs = Math.max(roster.issueFloorMs(node), shown.issuedMs + 1_000);
      const issued = await authority.issueNode(node, publicKey, floorMs);
      certificate = { ...issued, node, pool, keyHash };
      await store.saveSuccessor(certificate);
      // An operator may have revoked the node meanwhile; what was signed must not outlive that.
      if (!countsStill(roster, shown)) throw new AppError('E_IDENTITY_REFUSED', `node ${node} was revoked`);
      roster.renewed(certificate);
    }
    this.#env.log.info('node certificate renewed', { node, serial: certificate.serial, of: shown.serial });
    const { certificatePem, pool } = certificate;
    return { node, pool, certificate: certificatePem, ca: authority.certificatePem, destinations: [...destinations()] };
  }

  async stop(): Promise<void> {
    await this.#scope.stop();
  }

  async #take(certificate: NodeCertificate, nowMs: number): Promise<void> {
    this.#parts.roster.promoted(certificate, nowMs);
    await this.#parts.store.promote(certificate, nowMs);
  }

  /** The roster knows already; a restart before this is on the disk only means that the first use comes again. */
  async #usedFirst(certificate: NodeCertificate): Promise<void> {
    this.#parts.dropRevoked(certificate.node);
    try {
      await this.#parts.store.promote(certificate, this.#env.clock.now());
      this.#env.log.info('renewed certificate in use', { node: certificate.node, serial: certificate.serial });
    } catch (error) {
      this.#env.log.error('use of a renewed certificate not kept', { node: certificate.node, err: error });
    }
  }
}

function countsStill(roster: Roster, shown: ShownNode): boolean {
  const standing = roster.standing(shown);
  return standing === 'current' || standing === 'successor';
}

function checkProofs(request: RenewRequest, publicKey: Buffer, shown: ShownNode): void {
  if (!isNodePublicKey(publicKey)) throw new AppError('E_INPUT_INVALID', "the node's key must be one on P-256");
  const text = Buffer.from(renewalText(shown.serial, shown.node, request.publicKey));
  const signs = (key: Buffer, proof: string) =>
    verify('sha256', text, createPublicKey({ key, format: 'der', type: 'spki' }), Buffer.from(proof, 'base64'));
  if (!signs(publicKey, request.proof) || !signs(shown.publicKey, request.oldProof))
    throw new AppError('E_INPUT_INVALID', 'the signatures do not show that the terminal has both keys');
}
