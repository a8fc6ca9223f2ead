/**
 * Who is at the other end of a connection. `socket.authorized` is not asked: on a resumed TLS 1.3 session Node
 * reports it as true even when no certificate was ever shown. The certificate itself is checked instead: signature
 * once per connection, dates and revocation at every question.
 */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../protocol/env.ts';
import { groups, nodeUserPrefix } from './authority.ts';
import type { Roster } from './roster.ts';

export interface PeerIdentity {
  /** `system:node:NAME` of a node. */
  user: string;
  groups: string[];
  /** Of the certificate, upper-case hexadecimal. */
  serial: string;
}

interface Shown extends PeerIdentity {
  notBeforeMs: number;
  notAfterMs: number;
}

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

export class Peers {
  readonly #clock: Clock;
  readonly #authority: X509Certificate;
  readonly #roster: Roster;
  readonly #shown = new WeakMap<TLSSocket, Shown | 'none'>();

  constructor(clock: Clock, authorityPem: string, roster: Roster) {
    this.#clock = clock;
    this.#authority = new X509Certificate(authorityPem);
    this.#roster = roster;
  }

  /** Undefined for a peer without a certificate of ours, or with one that expired or was revoked. */
  identify(socket: TLSSocket): PeerIdentity | undefined {
    const shown = this.#shownBy(socket);
    if (shown === 'none') return undefined;
    const nowMs = this.#clock.now();
    if (nowMs < shown.notBeforeMs || nowMs > shown.notAfterMs) return undefined;
    const node = nodeOf(shown);
    if (node !== undefined && !this.#roster.speaksFor(node, shown.serial)) return undefined;
    return { user: shown.user, groups: shown.groups, serial: shown.serial };
  }

  /** The node whose certificate was shown, whether it still counts or not. */
  shownNode(socket: TLSSocket): string | undefined {
    const shown = this.#shownBy(socket);
    return shown === 'none' ? undefined : nodeOf(shown);
  }

  #shownBy(socket: TLSSocket): Shown | 'none' {
    const shown = this.#shown.get(socket) ?? this.#read(socket);
    this.#shown.set(socket, shown);
    return shown;
  }

  #read(socket: TLSSocket): Shown | 'none' {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || certificate.ca) return 'none';
    const issued = certificate.checkIssued(this.#authority) && certificate.verify(this.#authority.publicKey);
    if (!issued || !certificate.keyUsage?.includes(CLIENT_AUTHENTICATION)) return 'none';
    const subject = certificate.subject.split('\n').map((part) => part.split(/=(.*)/s));
    const user = subject.find(([key]) => key === 'CN')?.[1];
    if (user === undefined) return 'none';
    return {
      user,
      groups: subject.filter(([key]) => key === 'O').map(([, value]) => value ?? ''),
      serial: certificate.serialNumber,
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
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
