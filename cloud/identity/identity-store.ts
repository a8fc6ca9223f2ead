/**
 * What the hub remembers of identities: join tokens and the certificates it signed for nodes. Two stores, SQLite
 * and memory, under one suite (`test/contract/identity-store.ts`).
 */

/** A join token as the hub keeps it: of the secret only a hash. */
export interface TokenRecord {
  id: string;
  /** SHA-256 of the secret, hexadecimal. */
  secretHash: string;
  pool: string;
  /** The one node that may join with it; undefined: any name that is free. */
  node?: string;
  /** May take the name of an enrolled node, whose certificates are revoked then. */
  replace: boolean;
  createdMs: number;
  expiresMs: number;
  usesMax: number;
  usesLeft: number;
}

/** A certificate that the hub signed for a node. At most one per node is not revoked. */
export interface NodeCertificate {
  /** Upper-case hexadecimal, as `X509Certificate.serialNumber`. */
  serial: string;
  node: string;
  pool: string;
  /** SHA-256 of the key's SPKI, hexadecimal. */
  keyHash: string;
  certificatePem: string;
  issuedMs: number;
  notAfterMs: number;
  revokedMs?: number;
  /** Serial of the renewed certificate whose first use ended this one. */
  successor?: string;
  /** Since when two terminals are known to use it. */
  suspendedMs?: number;
}

/** An operator ended a node: whatever certificate was issued for it before counts no more, listed or not. */
export interface Revocation {
  node: string;
  revokedMs: number;
}

/** One use of a token, and what came of it. */
export interface Enrolment {
  tokenId: string;
  certificate: NodeCertificate;
  /** Revoke the node's other certificates in the same step; without it an enrolled name is refused. */
  replace: boolean;
  nowMs: number;
}

export type EnrolmentResult = 'enrolled' | 'token-used-up' | 'name-taken';

export interface IdentityStore {
  saveToken(token: TokenRecord): Promise<void>;
  token(id: string): Promise<TokenRecord | undefined>;
  /** All tokens, oldest first. */
  tokens(): Promise<TokenRecord[]>;
  /** False when there is none. */
  deleteToken(id: string): Promise<boolean>;
  /** Takes one use and keeps the certificate: both or neither, whoever else asks at the same time. */
  enrol(enrolment: Enrolment): Promise<EnrolmentResult>;
  /** The node's certificate that is not revoked. */
  currentCertificate(node: string): Promise<NodeCertificate | undefined>;
  /** Every certificate known, revoked ones too. */
  certificates(): Promise<NodeCertificate[]>;
  /** Keeps a certificate that was given out and not used yet, in the place of an earlier such one of the node. */
  saveSuccessor(certificate: NodeCertificate): Promise<void>;
  /** Every certificate that was given out and not used yet. */
  successors(): Promise<NodeCertificate[]>;
  /** `certificate` was used: it becomes the node's one certificate, the one before ends. Both or neither. */
  promote(certificate: NodeCertificate, nowMs: number): Promise<void>;
  /** Ends the node's identity, successor included; its name is free afterwards. */
  revokeNode(node: string, nowMs: number): Promise<void>;
  revocations(): Promise<Revocation[]>;
  /** Shuts the node's certificate out, or lets it in again when `nowMs` is undefined. */
  suspendNode(node: string, nowMs: number | undefined): Promise<void>;
  /** The node belongs to another pool. */
  moveNode(node: string, pool: string): Promise<void>;
  /**
   * Forgets tokens that ended before `tokensBeforeMs`; certificates that ended, and revocations of before,
   * `certificatesBeforeMs`: as long as a certificate can be renewed, the hub must know that it was revoked.
   */
  prune(tokensBeforeMs: number, certificatesBeforeMs: number): Promise<void>;
}
