/**
 * The certificates of nodes, in memory: asked at every request and session, because a resumed TLS session proves
 * only what was true when its ticket was made.
 *
 *   (renewed) successor --first use--> current --successor used--> superseded
 *                                      current --theft--> suspended --operator--> current
 *                                      any --revoked, name taken by another terminal--> revoked
 */
import type { IdentityStore, NodeCertificate } from './identity-store.ts';

/** What a certificate that our authority signed counts for, its dates aside. */
export type Standing =
  /** Speaks for its node. */
  | 'current'
  /** Speaks for its node; with its first use the one before ends. */
  | 'successor'
  /** The terminal that has this one also has a later one, which was used: whoever shows this is another. */
  | 'superseded'
  /** Ended by an operator, or the name belongs to another terminal by now. */
  | 'revoked'
  /** Two terminals showed it; none of them is let in until an operator decides. */
  | 'suspended';

/** As much of a certificate as a standing needs. */
export interface ShownCertificate {
  serial: string;
  node: string;
  issuedMs: number;
}

/** Certificates tell the time in seconds. */
const ISSUE_STEP_MS = 1_000;

export class Roster {
  readonly #bySerial = new Map<string, NodeCertificate>();
  /** Node to the serial of its one certificate that is not ended. */
  readonly #live = new Map<string, string>();
  /** Node to the certificate that was given out and not used yet. */
  readonly #successors = new Map<string, NodeCertificate>();
  /** Node to when the latest of its certificates was issued, ended ones included. */
  readonly #latest = new Map<string, number>();
  /** Node to when an operator ended it: older certificates end with it, also those that are not on the list. */
  readonly #revocations = new Map<string, number>();

  static async load(store: IdentityStore): Promise<Roster> {
    const roster = new Roster();
    for (const certificate of await store.certificates()) roster.#keep(certificate);
    for (const certificate of await store.successors()) roster.renewed(certificate);
    for (const { node, revokedMs } of await store.revocations()) roster.#revocations.set(node, revokedMs);
    return roster;
  }

  /** A new certificate takes the place of all that the name had. */
  enrolled(certificate: NodeCertificate): void {
    this.#end(certificate.node, { revokedMs: certificate.issuedMs });
    this.#successors.delete(certificate.node);
    this.#keep(certificate);
  }

  /** Given to the terminal that has the name; counts beside the current one until it is used. */
  renewed(certificate: NodeCertificate): void {
    this.#successors.set(certificate.node, certificate);
    this.#note(certificate);
  }

  /** `certificate` was used for the first time: the one before ends. */
  promoted(certificate: NodeCertificate, nowMs: number): void {
    this.#end(certificate.node, { revokedMs: nowMs, successor: certificate.serial });
    this.#successors.delete(certificate.node);
    this.#keep(certificate);
  }

  revoked(node: string, nowMs: number): void {
    this.#end(node, { revokedMs: nowMs });
    this.#successors.delete(node);
    this.#revocations.set(node, nowMs);
  }

  /** Undefined: lifts the suspension. */
  suspended(node: string, nowMs: number | undefined): void {
    const current = this.current(node);
    if (current === undefined) return;
    const { suspendedMs: _, ...rest } = current;
    this.#bySerial.set(current.serial, nowMs === undefined ? rest : { ...rest, suspendedMs: nowMs });
  }

  moved(node: string, pool: string): void {
    const current = this.current(node);
    if (current !== undefined) this.#bySerial.set(current.serial, { ...current, pool });
    const successor = this.#successors.get(node);
    if (successor !== undefined) this.#successors.set(node, { ...successor, pool });
  }

  current(node: string): NodeCertificate | undefined {
    const serial = this.#live.get(node);
    return serial === undefined ? undefined : this.#bySerial.get(serial);
  }

  successor(node: string): NodeCertificate | undefined {
    return this.#successors.get(node);
  }

  known(serial: string): NodeCertificate | undefined {
    return this.#bySerial.get(serial);
  }

  /**
   * What a certificate that our authority signed counts for. One that is not on the list was issued after the backup
   * from which this hub was restored: it counts when it is later than what the list has of its node.
   */
  standing({ serial, node, issuedMs }: ShownCertificate): Standing {
    const known = this.#bySerial.get(serial);
    if (known !== undefined && known.node !== node) return 'revoked';
    if (known?.revokedMs !== undefined) return known.successor === undefined ? 'revoked' : 'superseded';
    // Also one that was being renewed while an operator decided.
    if (issuedMs <= (this.#revocations.get(node) ?? Number.NEGATIVE_INFINITY)) return 'revoked';
    const current = this.current(node);
    if (current?.suspendedMs !== undefined) return 'suspended';
    if (known !== undefined) return 'current';
    if (this.#successors.get(node)?.serial === serial) return 'successor';
    return current === undefined || issuedMs > current.issuedMs ? 'successor' : 'revoked';
  }

  /** The next certificate of `node` is issued no earlier than this: then it is later than all that was before. */
  issueFloorMs(node: string): number {
    const beforeMs = Math.max(this.#latest.get(node) ?? 0, this.#revocations.get(node) ?? 0);
    return beforeMs === 0 ? 0 : beforeMs + ISSUE_STEP_MS;
  }

  /**
   * When something is decided that is decided now: by a clock that went back it would be before the certificates that
   * it is to end. Those of one node that a restored hub does not know are hardly later than the latest of all.
   */
  decisionMs(nowMs: number): number {
    let latestMs = nowMs;
    for (const issuedMs of this.#latest.values()) latestMs = Math.max(latestMs, issuedMs);
    return latestMs;
  }

  /** Names of enrolled nodes. */
  nodes(): string[] {
    return [...this.#live.keys()].sort();
  }

  /** Names of nodes that are shut out until an operator decides. */
  suspendedNodes(): string[] {
    return this.nodes().filter((node) => this.current(node)?.suspendedMs !== undefined);
  }

  #end(node: string, how: Pick<NodeCertificate, 'revokedMs' | 'successor'>): void {
    const current = this.current(node);
    if (current !== undefined) this.#bySerial.set(current.serial, { ...current, ...how });
    this.#live.delete(node);
  }

  #keep(certificate: NodeCertificate): void {
    this.#bySerial.set(certificate.serial, certificate);
    this.#note(certificate);
    if (certificate.revokedMs === undefined) this.#live.set(certificate.node, certificate.serial);
  }

  #note({ node, issuedMs }: NodeCertificate): void {
    this.#latest.set(node, Math.max(issuedMs, this.#latest.get(node) ?? 0));
  }
}
