/**
 * How a node gets its next certificate: JSON over HTTPS, as `enrolment.ts`, in place of a join token the certificate
 * that it has, also one that ended while the terminal was away. Both keys sign, so that neither a stolen ticket nor a
 * key that the terminal does not have can be used.
 */
import { AppError } from './errors.ts';

export interface RenewRequest {
  /** SubjectPublicKeyInfo (DER) of the new P-256 key, base64. */
  publicKey: string;
  /** ECDSA with SHA-256 (DER) over `renewalText` by the new key, base64. */
  proof: string;
  /** The same by the key of the certificate that is renewed. */
  oldProof: string;
}

/** A certificate that ended no longer ago than this still gets its next one, and nothing else. */
export const renewalGraceMs = 730 * 24 * 3_600_000;
/** A certificate begins so long before it is issued: clocks of terminals and administrators may be behind. */
export const backdatedMs = 3_600_000;
/** Bytes of one request. */
export const renewBodyBytesMax = 8 * 1024;

/**
 * The text that both keys sign. `serial` is that of the certificate that is renewed, in upper-case hexadecimal, so
 * that an answer cannot be had twice. The first line keeps the signature from meaning anything elsewhere.
 */
export function renewalText(serial: string, node: string, publicKey: string): string {
  return `stile renewal 1\n${serial}\n${node}\n${publicKey}\n`;
}

/** Errors: `E_INPUT_INVALID`. */
export function readRenewRequest(body: unknown): RenewRequest {
  const { publicKey, proof, oldProof } = (body ?? {}) as Record<string, unknown>;
  if (!isText(publicKey) || !isText(proof) || !isText(oldProof))
    throw new AppError('E_INPUT_INVALID', 'a renewal is {"publicKey", "proof", "oldProof"}, all three in base64');
  return { publicKey, proof, oldProof };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 1_024;
}
