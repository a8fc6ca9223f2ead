/**
 * The hub's own certificate authority: P-256 throughout, made at the first start. It vouches for the hub itself,
 * for administrators and for nodes; subjects as Kubernetes names them (design section 4).
 */
import 'reflect-metadata';
import { createHash, createPublicKey, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { backdatedMs } from '../../protocol/renewal.ts';

/** What the authority is made of; the key never leaves `DIR/pki`. */
export interface AuthorityMaterial {
  certificatePem: string;
  /** PKCS#8. */
  keyPem: string;
}

/** A certificate with the key that belongs to it, both PEM. */
export interface KeyedCertificate {
  certificatePem: string;
  keyPem: string;
}

/** One that was signed for a key which its owner keeps. */
export interface NodeCertificatePem {
  certificatePem: string;
  /** As `X509Certificate.serialNumber` writes it: upper-case hexadecimal. */
  serial: string;
  /** To the second, as `issuedMsOf` reads it. */
  issuedMs: number;
  notAfterMs: number;
}

/** What signs for terminals: the authority, or what stands for it where no real certificate is needed. */
export type NodeSigner = Pick<Authority, 'certificatePem' | 'fingerprint' | 'issueNode'>;

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS;
export const nodeLifeMs = 365 * DAY_MS;
const USER_LIFE_MS = 365 * DAY_MS;
/** Below the 398 days that some TLS clients accept at most. */
const SERVER_LIFE_MS = 365 * DAY_MS;

export const groups = { nodes: 'system:nodes', administrators: 'system:masters' } as const;
export const nodeUserPrefix = 'system:node:';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const usage = x509.KeyUsageFlags;

export async function createAuthorityMaterial(env: Env): Promise<AuthorityMaterial> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(env),
    name: [{ O: ['Stile'] }, { CN: ['Stile hub authority'] }],
    notBefore: new Date(env.clock.now() - backdatedMs),
    notAfter: new Date(env.clock.now() + AUTHORITY_LIFE_MS),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(usage.keyCertSign | usage.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
    ],
  });
  return { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) };
}

export class Authority {
  /** PEM of the CA certificate: what a terminal and a kubeconfig pin. */
  readonly certificatePem: string;
  /** Base64url of the SHA-256 of the CA certificate's DER: the last part of a join token. */
  readonly fingerprint: string;
  readonly #env: Env;
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(env: Env, material: AuthorityMaterial, key: webcrypto.CryptoKey) {
    this.#env = env;
    this.certificatePem = material.certificatePem;
    this.#certificate = new x509.X509Certificate(material.certificatePem);
    this.fingerprint = createHash('sha256').update(Buffer.from(this.#certificate.rawData)).digest('base64url');
    this.#key = key;
  }

  /** Errors: `E_STORE_FAILED` when certificate and key do not belong together or cannot be read. */
  static async from(env: Env, material: AuthorityMaterial): Promise<Authority> {
    try {
      const key = await importKey(material.keyPem);
      return new Authority(env, material, key);
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', "the hub's authority (pki/authority.pem) cannot be read");
    }
  }

  /** For the hub itself. `names` are host names and IP addresses, without ports and brackets. */
  issueServer(names: readonly string[], notAfterMsMin = 0): Promise<KeyedCertificate> {
    const alternatives = names.map((name) => ({
      type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const),
      value: name,
    }));
    const lifeMs = Math.max(SERVER_LIFE_MS, notAfterMsMin - this.#env.clock.now());
    return this.#issueWithKey([{ O: ['Stile'] }, { CN: ['Stile hub'] }], lifeMs, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternatives),
    ]);
  }

  issueAdministrator(name: string): Promise<KeyedCertificate> {
    return this.issueUser(name, [groups.administrators]);
  }

  /** For a person or a program at the API: `CN=name`, one O for each of `memberOf`. What it may do, roles say. */
  issueUser(name: string, memberOf: readonly string[] = []): Promise<KeyedCertificate> {
    return this.#issueWithKey([...memberOf.map((group) => ({ O: [group] })), { CN: [name] }], USER_LIFE_MS, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  /**
   * For a node whose possession of the key has been shown. `publicKey` is an SPKI in DER of a P-256 key. It is issued
   * now, but not before `issuedMsMin` and the authority itself: by a clock that stands at 1970 it would be over, beyond
   * all grace, as soon as the clock is right again.
   */
  issueNode(name: string, publicKey: Uint8Array, issuedMsMin = 0): Promise<NodeCertificatePem> {
    const subject: x509.JsonName = [{ O: [groups.nodes] }, { CN: [nodeUserPrefix + name] }];
    const floorMs = Math.max(issuedMsMin, this.#certificate.notBefore.getTime());
    return this.#issueForKey(subject, nodeLifeMs, publicKey, floorMs);
  }

  /** As `issueUser`, for a user whose possession of the key has been shown. `publicKey` as in `issueNode`. */
  issueUserKey(
    name: string,
    memberOf: readonly string[],
    publicKey: Uint8Array,
    lifeMs: number,
  ): Promise<NodeCertificatePem> {
    return this.#issueForKey([...memberOf.map((group) => ({ O: [group] })), { CN: [name] }], lifeMs, publicKey, 0);
  }

  async #issueForKey(
    subject: x509.JsonName,
    lifeMs: number,
    publicKey: Uint8Array,
    issuedMsMin: number,
  ): Promise<NodeCertificatePem> {
    const key = await webcrypto.subtle.importKey('spki', Buffer.from(publicKey), algorithm, true, ['verify']);
    const client = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]);
    const certificate = await this.#issue(subject, lifeMs, key, [client], issuedMsMin);
    const issued = new X509Certificate(certificate);
    return {
      certificatePem: certificate,
      serial: issued.serialNumber,
      issuedMs: issuedMsOf(issued),
      notAfterMs: issued.validToDate.getTime(),
    };
  }

  async #issueWithKey(subject: x509.JsonName, lifeMs: number, extensions: x509.Extension[]): Promise<KeyedCertificate> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificatePem = await this.#issue(subject, lifeMs, keys.publicKey, extensions);
    return { certificatePem, keyPem: await exportKey(keys.privateKey) };
  }

  async #issue(
    subject: x509.JsonName,
    lifeMs: number,
    publicKey: webcrypto.CryptoKey,
    extensions: x509.Extension[],
    issuedMsMin = 0,
  ): Promise<string> {
    const nowMs = Math.max(issuedMsMin, this.#env.clock.now());
    const notAfterMs = Math.min(nowMs + lifeMs, this.#certificate.notAfter.getTime());
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: newSerial(this.#env),
      subject,
      issuer: this.#certificate.subject,
      notBefore: new Date(nowMs - backdatedMs),
      notAfter: new Date(notAfterMs),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(usage.digitalSignature, true),
        ...extensions,
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate, false),
      ],
    });
    return pem(certificate);
  }
}

/** When our authority signed a certificate, to the second. */
export function issuedMsOf(certificate: X509Certificate): number {
  return certificate.validFromDate.getTime() + backdatedMs;
}

/** Whether `der` is the SPKI of a key on P-256, the one curve that nodes use. */
export function isNodePublicKey(der: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

/** 16 random bytes; the first is in 0x40–0x7f, so that the number is positive and its text is always 32 digits. */
function newSerial(env: Env): string {
  const bytes = env.random.bytes(16);
  if (bytes.length !== 16) throw new AppError('E_INTERNAL', 'no random bytes for a serial number');
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY').trim()}\n`;
}

function importKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(keyPem), algorithm, true, ['sign']);
}
