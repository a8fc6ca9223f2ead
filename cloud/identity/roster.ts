/**
 * The certificates of nodes, in memory: asked at every request and session, because a resumed TLS session proves
 * only what was true when its ticket was made.
 */
import type { IdentityStore, NodeCertificate } from './identity-store.ts';

export class Roster {
  readonly #bySerial = new Map<string, NodeCertificate>();
  /** Node to the serial of its one certificate that is not revoked. */
  readonly #live = new Map<string, string>();

  static async load(store: IdentityStore): Promise<Roster> {
    const roster = new Roster();
    for (const certificate of await store.certificates()) roster.#keep(certificate);
    return roster;
  }

  /** A new certificate takes the place of the node's earlier one. */
  enrolled(certificate: NodeCertificate): void {
    this.revoked(certificate.node, certificate.issuedMs);
    this.#keep(certificate);
  }

  revoked(node: string, nowMs: number): void {
    const serial = this.#live.get(node);
    const certificate = serial === undefined ? undefined : this.#bySerial.get(serial);
    if (certificate !== undefined) this.#bySerial.set(certificate.serial, { ...certificate, revokedMs: nowMs });
    this.#live.delete(node);
  }

  /**
   * Whether a certificate that our authority signed still speaks for `node`. One that is not on the list was issued
   * after the backup from which this hub was restored: it counts unless the name belongs to another by now.
   */
  speaksFor(node: string, serial: string): boolean {
    const known = this.#bySerial.get(serial);
    if (known !== undefined) return known.revokedMs === undefined && known.node === node;
    return !this.#live.has(node);
  }

  /** Names of enrolled nodes. */
  nodes(): string[] {
    return [...this.#live.keys()].sort();
  }

  #keep(certificate: NodeCertificate): void {
    this.#bySerial.set(certificate.serial, certificate);
    if (certificate.revokedMs === undefined) this.#live.set(certificate.node, certificate.serial);
  }
}
