/** Identities in memory: for the simulator and for tests. Loses everything with the process; fails never. */
import type {
  Enrolment,
  EnrolmentResult,
  IdentityStore,
  NodeCertificate,
  Revocation,
  TokenRecord,
} from './identity-store.ts';

export class MemoryIdentityStore implements IdentityStore {
  readonly #tokens = new Map<string, TokenRecord>();
  readonly #certificates = new Map<string, NodeCertificate>();
  /** By node. */
  readonly #successors = new Map<string, NodeCertificate>();
  readonly #revocations = new Map<string, number>();

  async saveToken(token: TokenRecord): Promise<void> {
    this.#tokens.set(token.id, { ...token });
  }

  async token(id: string): Promise<TokenRecord | undefined> {
    const token = this.#tokens.get(id);
    return token === undefined ? undefined : { ...token };
  }

  async tokens(): Promise<TokenRecord[]> {
    const tokens = [...this.#tokens.values()].map((token) => ({ ...token }));
    return tokens.sort((one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1));
  }

  async deleteToken(id: string): Promise<boolean> {
    return this.#tokens.delete(id);
  }

  async enrol({ tokenId, certificate, replace, nowMs }: Enrolment): Promise<EnrolmentResult> {
    const token = this.#tokens.get(tokenId);
    if (token === undefined || token.usesLeft <= 0) return 'token-used-up';
    if (!replace && this.#current(certificate.node) !== undefined) return 'name-taken';
    this.#end(certificate.node, { revokedMs: nowMs });
    this.#successors.delete(certificate.node);
    token.usesLeft -= 1;
    this.#certificates.set(certificate.serial, { ...certificate });
    return 'enrolled';
  }

  async currentCertificate(node: string): Promise<NodeCertificate | undefined> {
    const certificate = this.#current(node);
    return certificate === undefined ? undefined : { ...certificate };
  }

  async certificates(): Promise<NodeCertificate[]> {
    return [...this.#certificates.values()].map((certificate) => ({ ...certificate }));
  }

  async saveSuccessor(certificate: NodeCertificate): Promise<void> {
    this.#successors.set(certificate.node, { ...certificate });
  }

  async successors(): Promise<NodeCertificate[]> {
    return [...this.#successors.values()].map((certificate) => ({ ...certificate }));
  }

  async promote(certificate: NodeCertificate, nowMs: number): Promise<void> {
    if (this.#certificates.has(certificate.serial)) return;
    this.#end(certificate.node, { revokedMs: nowMs, successor: certificate.serial });
    this.#successors.delete(certificate.node);
    this.#certificates.set(certificate.serial, { ...certificate });
  }

  async revokeNode(node: string, nowMs: number): Promise<void> {
    this.#end(node, { revokedMs: nowMs });
    this.#successors.delete(node);
    this.#revocations.set(node, nowMs);
  }

  async revocations(): Promise<Revocation[]> {
    return [...this.#revocations].map(([node, revokedMs]) => ({ node, revokedMs }));
  }

  async suspendNode(node: string, nowMs: number | undefined): Promise<void> {
    const current = this.#current(node);
    if (current === undefined) return;
    delete current.suspendedMs;
    if (nowMs !== undefined) current.suspendedMs = nowMs;
  }

  async moveNode(node: string, pool: string): Promise<void> {
    for (const certificate of [this.#current(node), this.#successors.get(node)])
      if (certificate !== undefined) certificate.pool = pool;
  }

  async prune(tokensBeforeMs: number, certificatesBeforeMs: number): Promise<void> {
    for (const token of this.#tokens.values()) if (token.expiresMs < tokensBeforeMs) this.#tokens.delete(token.id);
    for (const certificate of this.#certificates.values())
      if (certificate.revokedMs !== undefined && certificate.notAfterMs < certificatesBeforeMs)
        this.#certificates.delete(certificate.serial);
    for (const [node, revokedMs] of this.#revocations)
      if (revokedMs < certificatesBeforeMs) this.#revocations.delete(node);
  }

  #current(node: string): NodeCertificate | undefined {
    for (const certificate of this.#certificates.values())
      if (certificate.node === node && certificate.revokedMs === undefined) return certificate;
    return undefined;
  }

  #end(node: string, how: Pick<NodeCertificate, 'revokedMs' | 'successor'>): void {
    const current = this.#current(node);
    if (current !== undefined) Object.assign(current, how);
  }
}
