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
  /** Ends the node's identity; its name is free afterwards. */
  revokeNode(node: string, nowMs: number): Promise<void>;
  /** Forgets tokens that ended, and revoked certificates that expired, before `beforeMs`. */
  prune(beforeMs: number): Promise<void>;
}
