/**
 * Who is at the other end of a connection. `socket.authorized` is not asked: on a resumed TLS 1.3 session Node
 * reports it as true even when no certificate was ever shown. The certificate itself is checked instead: signature
 * once per connection, dates and standing at every question.
 */
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { renewalGraceMs } from '../../protocol/renewal.ts';
import { groups, issuedMsOf, nodeUserPrefix } from './authority.ts';
import type { NodeCertificate } from './identity-store.ts';
import type { Roster, Standing } from './roster.ts';
import type { UserRoster } from './user-roster.ts';

/** A connection whose peer may have shown a certificate. */
export type ShowingSocket = Pick<TLSSocket, 'getPeerX509Certificate'>;

export interface PeerIdentity {
  /** `system:node:NAME` of a node. */
  user: string;
  groups: string[];
  /** Of the certificate, upper-case hexadecimal. */
  serial: string;
}

/** A node's certificate as it was shown. */
export interface ShownNode {
  node: string;
  serial: string;
  issuedMs: number;
  notAfterMs: number;
  /** SHA-256 of the key's SPKI, hexadecimal. */
  keyHash: string;
  /** SPKI in DER. */
  publicKey: Buffer;
  certificatePem: string;
}

/** What is asked at each request; the rest is read from the certificate when it is needed, once in its life. */
type ShownStanding = Pick<ShownNode, 'node' | 'serial' | 'issuedMs' | 'notAfterMs'>;

interface Shown extends PeerIdentity {
  notBeforeMs: number;
  notAfterMs: number;
  node: ShownStanding | undefined;
}

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';
/** A connection that was on its way when the next certificate was first used has arrived by then. */
const SETTLED_MS = 60_000;

export class Peers {
  readonly #clock: Clock;
  readonly #authority: X509Certificate;
  /** Read once: each reading makes a new key. */
  readonly #authorityKey: KeyObject;
  readonly #roster: Roster;
  readonly #users: Pick<UserRoster, 'counts'>;
  readonly #shown = new WeakMap<ShowingSocket, Shown | 'none'>();
  #onFirstUse: (certificate: NodeCertificate) => void = () => {};

  /** Without `users` the certificate of each counts until it ends. */
  constructor(clock: Clock, authorityPem: string, roster: Roster, users?: Pick<UserRoster, 'counts'>) {
    this.#clock = clock;
    this.#authority = new X509Certificate(authorityPem);
    this.#authorityKey = this.#authority.publicKey;
    this.#roster = roster;
    this.#users = users ?? { counts: () => true };
  }

  /** Hears of a renewed certificate that came for the first time; the roster has it as the current one already. */
  onFirstUse(handler: (certificate: NodeCertificate) => void): void {
    this.#onFirstUse = handler;
  }

  /** Undefined for a peer without a certificate of ours, or with one that ended, was revoked or is suspended. */
  identify(socket: ShowingSocket): PeerIdentity | undefined {
    const shown = this.#shownBy(socket);
    if (shown === 'none') return undefined;
    const nowMs = this.#clock.now();
    if (nowMs > shown.notAfterMs) return undefined;
    if (shown.node === undefined) {
      if (nowMs < shown.notBeforeMs || !this.#users.counts(shown.user, shown.serial)) return undefined;
    } else {
      // When it begins is not asked: this hub wrote that itself, and its clock was or is wrong.
      const standing = this.#roster.standing(shown.node);
      if (standing === 'successor') {
        const whole = shownNodeOf(shown.node, socket);
        if (whole === undefined) return undefined;
        this.#promote(whole, nowMs);
      } else if (standing !== 'current') return undefined;
    }
    return { user: shown.user, groups: shown.groups, serial: shown.serial };
  }

  /**
   * The certificate that may be renewed: one that speaks for its node, or would if it had not ended within the grace.
   * Errors: `E_IDENTITY_REFUSED`, `E_IDENTITY_CONFLICT`.
   */
  renewable(socket: ShowingSocket): ShownNode {
    const shown = this.#shownBy(socket);
    const refusal = this.refusal(socket);
    if (
      shown === 'none' ||
      shown.node === undefined ||
      (refusal !== undefined && refusal.code !== 'E_IDENTITY_EXPIRED')
    )
      throw refusal ?? noNode();
    const whole = shownNodeOf(shown.node, socket);
    if (whole === undefined) throw noNode();
    return whole;
  }

  /** Why a terminal is not let in; undefined when it is. */
  refusal(socket: ShowingSocket): AppError | undefined {
    const shown = this.#shownBy(socket);
    if (shown === 'none' || shown.node === undefined) return noNode();
    const { node, notAfterMs } = shown.node;
    const standing = this.#roster.standing(shown.node);
    if (standing !== 'current' && standing !== 'successor') return refusalOf(node, standing);
    const overMs = this.#clock.now() - notAfterMs;
    if (overMs <= 0) return undefined;
    const ended = new Date(notAfterMs).toISOString();
    if (overMs <= renewalGraceMs)
      return new AppError('E_IDENTITY_EXPIRED', `the certificate of node ${node} ended at ${ended}: renew it`);
    const graceDays = renewalGraceMs / (24 * 3_600_000);
    return new AppError(
      'E_IDENTITY_REFUSED',
      `the certificate of node ${node} ended at ${ended}, more than ${graceDays} days ago: ${enrolAgain(node)}`,
    );
  }

  /** The node of which somebody shows a certificate that its terminal has long replaced: a copy of an identity. */
  copiedNode(socket: ShowingSocket): string | undefined {
    const shown = this.#shownBy(socket);
    if (shown === 'none' || shown.node === undefined) return undefined;
    if (this.#roster.standing(shown.node) !== 'superseded') return undefined;
    const endedMs = this.#roster.known(shown.serial)?.revokedMs ?? Number.POSITIVE_INFINITY;
    return this.#clock.now() - endedMs > SETTLED_MS ? shown.node.node : undefined;
  }

  /** The user, who is no node, whose certificate was shown, whether it still counts or not. */
  shownUser(socket: ShowingSocket): string | undefined {
    const shown = this.#shownBy(socket);
    return shown === 'none' || shown.node !== undefined ? undefined : shown.user;
  }

  /** The node whose certificate was shown, whether it still counts or not. */
  shownNode(socket: ShowingSocket): string | undefined {
    const shown = this.#shownBy(socket);
    return shown === 'none' ? undefined : shown.node?.node;
  }

  #promote(shown: ShownNode, nowMs: number): void {
    const { publicKey: _, ...certificate } = shown;
    const pool = this.#roster.current(shown.node)?.pool ?? '';
    const promoted = this.#roster.successor(shown.node);
    const first: NodeCertificate = promoted?.serial === shown.serial ? promoted : { ...certificate, pool };
    this.#roster.promoted(first, nowMs);
    this.#onFirstUse(first);
  }

  #shownBy(socket: ShowingSocket): Shown | 'none' {
    const shown = this.#shown.get(socket) ?? this.#read(socket);
    this.#shown.set(socket, shown);
    return shown;
  }

  #read(socket: ShowingSocket): Shown | 'none' {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || certificate.ca) return 'none';
    const issued = certificate.checkIssued(this.#authority) && certificate.verify(this.#authorityKey);
    if (!issued || !certificate.keyUsage?.includes(CLIENT_AUTHENTICATION)) return 'none';
    const subject = certificate.subject.split('\n').map((part) => part.split(/=(.*)/s));
    const user = subject.find(([key]) => key === 'CN')?.[1];
    if (user === undefined) return 'none';
    const identity = {
      user,
      groups: subject.filter(([key]) => key === 'O').map(([, value]) => value ?? ''),
      serial: certificate.serialNumber,
    };
    const name = nodeOf(identity);
    return {
      ...identity,
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
      node: name === undefined ? undefined : standingOf(name, certificate),
    };
  }
}

/** The name of the node that this is; undefined for anybody else. */
export function nodeOf(identity: PeerIdentity | undefined): string | undefined {
  if (identity === undefined || !identity.groups.includes(groups.nodes)) return undefined;
  return identity.user.startsWith(nodeUserPrefix) ? identity.user.slice(nodeUserPrefix.length) : undefined;
}

export function isAdministrator(identity: PeerIdentity | undefined): boolean {
  return identity?.groups.includes(groups.administrators) ?? false;
}

function standingOf(node: string, certificate: X509Certificate): ShownStanding {
  return {
    node,
    serial: certificate.serialNumber,
    issuedMs: issuedMsOf(certificate),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

/** Undefined when the connection is gone, and its certificate with it. */
function shownNodeOf(standing: ShownStanding, socket: ShowingSocket): ShownNode | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return {
    ...standing,
    keyHash: createHash('sha256').update(publicKey).digest('hex'),
    publicKey,
    certificatePem: certificate.toString(),
  };
}

/** For somebody who shows no certificate of a terminal. */
export function noNode(): AppError {
  return new AppError(
    'E_IDENTITY_REFUSED',
    'only a terminal that joined this hub may do this: join it with a token (stile token create)',
  );
}

function refusalOf(node: string, standing: Exclude<Standing, 'current' | 'successor'>): AppError {
  if (standing === 'suspended')
    return new AppError(
      'E_IDENTITY_CONFLICT',
      `two terminals use the identity of node ${node}, and none is let in until an operator decides: see "stile describe node ${node}"`,
    );
  const why = standing === 'superseded' ? 'was renewed, and the next one is in use' : 'was revoked or replaced';
  return new AppError('E_IDENTITY_REFUSED', `the certificate of node ${node} ${why}: ${enrolAgain(node)}`);
}

function enrolAgain(node: string): string {
  return `enrol it again with a token (stile token create --pool POOL --node ${node} --replace)`;
}
