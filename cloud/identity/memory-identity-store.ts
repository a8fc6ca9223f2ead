/** Identities in memory: for the simulator and for tests. Loses everything with the process; fails never. */
import type { Enrolment, EnrolmentResult, IdentityStore, NodeCertificate, TokenRecord } from './identity-store.ts';

export class MemoryIdentityStore implements IdentityStore {
  readonly #tokens = new Map<string, TokenRecord>();
  readonly #certificates = new Map<string, NodeCertificate>();

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
    this.#revoke(certificate.node, nowMs);
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

  async revokeNode(node: string, nowMs: number): Promise<void> {
    this.#revoke(node, nowMs);
  }

  async prune(beforeMs: number): Promise<void> {
    for (const token of this.#tokens.values()) if (token.expiresMs < beforeMs) this.#tokens.delete(token.id);
    for (const certificate of this.#certificates.values())
      if (certificate.revokedMs !== undefined && certificate.notAfterMs < beforeMs)
        this.#certificates.delete(certificate.serial);
  }

  #current(node: string): NodeCertificate | undefined {
    for (const certificate of this.#certificates.values())
      if (certificate.node === node && certificate.revokedMs === undefined) return certificate;
    return undefined;
  }

  #revoke(node: string, nowMs: number): void {
    const current = this.#current(node);
    if (current !== undefined) current.revokedMs = nowMs;
  }
}
