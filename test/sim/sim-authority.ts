/**
 * The authority of the simulated hub: certificates as the real one signs them, down to the bytes that
 * `X509Certificate` reads, but made at once and from the seed, where WebCrypto takes real time and real chance. Both
 * pass `test/contract/node-signer.ts`. Not alike from run to run: signatures, which ECDSA draws at random, so nothing
 * may depend on them but whether they hold.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { groups, type NodeCertificatePem, type NodeSigner, nodeUserPrefix } from '../../cloud/identity/authority.ts';
import type { Random } from '../../protocol/env.ts';
import { backdatedMs } from '../../protocol/renewal.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
const AUTHORITY_LIFE_MS = 20 * YEAR_MS;

export interface SimAuthorityOptions {
  random: Random;
  /** The hub's wall clock. */
  now(): number;
  /** Of a node's certificate. */
  lifeMs: number;
  /** Hears of each certificate before anybody has it. */
  onIssued?(node: string, certificate: Pick<NodeCertificatePem, 'serial' | 'issuedMs'>): void;
}

export class SimAuthority implements NodeSigner {
  readonly certificatePem: string;
  readonly fingerprint: string;
  readonly #options: SimAuthorityOptions;
  readonly #key: KeyObject;
  readonly #begunMs: number;

  constructor(options: SimAuthorityOptions) {
    const { random, now } = options;
    this.#options = options;
    this.#begunMs = now() - backdatedMs;
    this.#key = createPrivateKey(simKey(random));
    const der = certificate({
      serial: serialFrom(random),
      subject: authorityName,
      notBeforeMs: this.#begunMs,
      notAfterMs: now() + AUTHORITY_LIFE_MS,
      publicKey: createPublicKey(this.#key).export({ type: 'spki', format: 'der' }),
      extensions: [extension(oids.basicConstraints, true, sequence(authorityTrue))],
      signer: this.#key,
    });
    this.certificatePem = pemOf(der);
    this.fingerprint = createHash('sha256').update(der).digest('base64url');
  }

  async issueNode(name: string, publicKey: Uint8Array, issuedMsMin = 0): Promise<NodeCertificatePem> {
    const { random, now, lifeMs, onIssued } = this.#options;
    const issuedMs = wholeSeconds(Math.max(now(), issuedMsMin, this.#begunMs));
    const serial = serialFrom(random);
    const notAfterMs = wholeSeconds(issuedMs + lifeMs);
    const der = certificate({
      serial,
      subject: nameOf(groups.nodes, nodeUserPrefix + name),
      notBeforeMs: issuedMs - backdatedMs,
      notAfterMs,
      publicKey,
      extensions: [extension(oids.extendedKeyUsage, false, sequence(oid(oids.clientAuthentication)))],
      signer: this.#key,
    });
    const text = Buffer.from(serial).toString('hex').toUpperCase();
    onIssued?.(name, { serial: text, issuedMs });
    return { certificatePem: pemOf(der), serial: text, issuedMs, notAfterMs };
  }
}

/** A private key on P-256 from the seed, PKCS#8 in PEM. */
export function simKey(random: Random): string {
  const scalar = Buffer.from(random.bytes(32));
  // Below the order of the curve, and not zero.
  scalar[0] = (scalar[0]! & 0x7f) | 0x01;
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(scalar);
  const point = pair.getPublicKey();
  const [x, y, d] = [point.subarray(1, 33), point.subarray(33), scalar].map((part) => part.toString('base64url'));
  const key = createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d }, format: 'jwk' });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface CertificateFields {
  serial: Uint8Array;
  subject: Buffer;
  notBeforeMs: number;
  notAfterMs: number;
  /** SPKI in DER. */
  publicKey: Uint8Array;
  extensions: Buffer[];
  signer: KeyObject;
}

/** RFC 5280, section 4.1, in DER. */
function certificate(fields: CertificateFields): Buffer {
  const algorithm = sequence(oid(oids.ecdsaWithSha256));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, fields.serial),
    algorithm,
    authorityName,
    sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
    fields.subject,
    fields.publicKey,
    der(0xa3, sequence(...fields.extensions)),
  );
  const signature = sign('sha256', body, fields.signer);
  return sequence(body, algorithm, der(0x03, Buffer.of(0), signature));
}

const oids = {
  ecdsaWithSha256: '2a8648ce3d040302',
  organization: '55040a',
  commonName: '550403',
  basicConstraints: '551d13',
  extendedKeyUsage: '551d25',
  clientAuthentication: '2b06010505070302',
};
const authorityTrue = der(0x01, Buffer.of(0xff));
const authorityName = nameOf('Stile', 'Stile hub authority');

function nameOf(organization: string, commonName: string): Buffer {
  const part = (type: string, text: string) => der(0x31, sequence(oid(type), der(0x0c, Buffer.from(text))));
  return sequence(part(oids.organization, organization), part(oids.commonName, commonName));
}

function extension(type: string, critical: boolean, content: Buffer): Buffer {
  return sequence(oid(type), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, content));
}

/** Two digits for the year from 1950 to 2049, as RFC 5280 wants it, four after. */
function time(timeMs: number): Buffer {
  const text = new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  const year = Number(text.slice(0, 4));
  return year >= 1950 && year < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

function pemOf(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const wholeSeconds = (timeMs: number): number => Math.floor(timeMs / 1_000) * 1_000;

/** 16 bytes, positive and without a leading zero. */
function serialFrom(random: Random): Uint8Array {
  const bytes = random.bytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes;
}
