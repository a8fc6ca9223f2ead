/**
 * Identities as rows in memory: for tests, which lose them with the process, and for whoever keeps the rows on
 * something else, as the simulator does on its disk.
 */
import type {
  Enrolment,
  EnrolmentResult,
  IdentityStore,
  NodeCertificate,
  Revocation,
  TokenRecord,
} from './identity-store.ts';

export interface IdentityRows {
  tokens: Map<string, TokenRecord>;
  /** By serial. */
  certificates: Map<string, NodeCertificate>;
  /** By node. */
  successors: Map<string, NodeCertificate>;
  /** By node. */
  revocations: Map<string, number>;
}

export const emptyIdentityRows = (): IdentityRows => ({
  tokens: new Map(),
  certificates: new Map(),
  successors: new Map(),
  revocations: new Map(),
});

/** Shares nothing that changes. */
export const cloneIdentityRows = ({ tokens, certificates, successors, revocations }: IdentityRows): IdentityRows => ({
  tokens: copyOf(tokens),
  certificates: copyOf(certificates),
  successors: copyOf(successors),
  revocations: new Map(revocations),
});

/** What holds the rows. */
export interface IdentityTable {
  readonly rows: IdentityRows;
  /** Resolves when `change` is as durable as the rows are. `change` may be asked for more than once. */
  write<T>(change: (rows: IdentityRows) => T): Promise<T>;
}

export class MemoryIdentityStore implements IdentityStore {
  readonly #table: IdentityTable;

  constructor(table: IdentityTable = inMemory()) {
    this.#table = table;
  }

  saveToken(token: TokenRecord): Promise<void> {
    return this.#table.write(({ tokens }) => void tokens.set(token.id, { ...token }));
  }

  async token(id: string): Promise<TokenRecord | undefined> {
    const token = this.#table.rows.tokens.get(id);
    return token === undefined ? undefined : { ...token };
  }

  async tokens(): Promise<TokenRecord[]> {
    const tokens = [...this.#table.rows.tokens.values()].map((token) => ({ ...token }));
    return tokens.sort((one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1));
  }

  deleteToken(id: string): Promise<boolean> {
    return this.#table.write(({ tokens }) => tokens.delete(id));
  }

  enrol(enrolment: Enrolment): Promise<EnrolmentResult> {
    return this.#table.write((rows) => enrol(rows, enrolment));
  }

  async currentCertificate(node: string): Promise<NodeCertificate | undefined> {
    const certificate = currentOf(this.#table.rows, node);
    return certificate === undefined ? undefined : { ...certificate };
  }

  async certificates(): Promise<NodeCertificate[]> {
    return [...this.#table.rows.certificates.values()].map((certificate) => ({ ...certificate }));
  }

  saveSuccessor(certificate: NodeCertificate): Promise<void> {
    return this.#table.write(({ successors }) => void successors.set(certificate.node, { ...certificate }));
  }

  async successors(): Promise<NodeCertificate[]> {
    return [...this.#table.rows.successors.values()].map((certificate) => ({ ...certificate }));
  }

  promote(certificate: NodeCertificate, nowMs: number): Promise<void> {
    return this.#table.write((rows) => {
      if (rows.certificates.has(certificate.serial)) return;
      end(rows, certificate.node, { revokedMs: nowMs, successor: certificate.serial });
      rows.successors.delete(certificate.node);
      rows.certificates.set(certificate.serial, { ...certificate });
    });
  }

  revokeNode(node: string, nowMs: number): Promise<void> {
    return this.#table.write((rows) => {
      end(rows, node, { revokedMs: nowMs });
      rows.successors.delete(node);
      rows.revocations.set(node, nowMs);
    });
  }

  async revocations(): Promise<Revocation[]> {
    return [...this.#table.rows.revocations].map(([node, revokedMs]) => ({ node, revokedMs }));
  }

  suspendNode(node: string, nowMs: number | undefined): Promise<void> {
    return this.#table.write((rows) => {
      const current = currentOf(rows, node);
      if (current === undefined) return;
      delete current.suspendedMs;
      if (nowMs !== undefined) current.suspendedMs = nowMs;
    });
  }

  moveNode(node: string, pool: string): Promise<void> {
    return this.#table.write((rows) => {
      for (const certificate of [currentOf(rows, node), rows.successors.get(node)])
        if (certificate !== undefined) certificate.pool = pool;
    });
  }

  prune(tokensBeforeMs: number, certificatesBeforeMs: number): Promise<void> {
    return this.#table.write(({ tokens, certificates, revocations }) => {
      for (const token of tokens.values()) if (token.expiresMs < tokensBeforeMs) tokens.delete(token.id);
      for (const { serial, revokedMs, notAfterMs } of certificates.values())
        if (revokedMs !== undefined && notAfterMs < certificatesBeforeMs) certificates.delete(serial);
      for (const [node, revokedMs] of revocations) if (revokedMs < certificatesBeforeMs) revocations.delete(node);
    });
  }
}

function inMemory(): IdentityTable {
  const rows = emptyIdentityRows();
  return { rows, write: async (change) => change(rows) };
}

function enrol(rows: IdentityRows, { tokenId, certificate, replace, nowMs }: Enrolment): EnrolmentResult {
  const token = rows.tokens.get(tokenId);
  if (token === undefined || token.usesLeft <= 0) return 'token-used-up';
  if (!replace && currentOf(rows, certificate.node) !== undefined) return 'name-taken';
  end(rows, certificate.node, { revokedMs: nowMs });
  rows.successors.delete(certificate.node);
  token.usesLeft -= 1;
  rows.certificates.set(certificate.serial, { ...certificate });
  return 'enrolled';
}

function currentOf({ certificates }: IdentityRows, node: string): NodeCertificate | undefined {
  for (const certificate of certificates.values())
    if (certificate.node === node && certificate.revokedMs === undefined) return certificate;
  return undefined;
}

function end(rows: IdentityRows, node: string, how: Pick<NodeCertificate, 'revokedMs' | 'successor'>): void {
  const current = currentOf(rows, node);
  if (current !== undefined) Object.assign(current, how);
}

function copyOf<T extends object>(rows: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...rows].map(([key, row]) => [key, { ...row }]));
}
