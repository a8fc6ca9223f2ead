/**
 * What a signer says of an executable, and whether somebody trusted says it. A statement is text, so that openssl
 * and a person can make and read it; the signature is over all bytes before the first line that holds one:
 *
 *   stile-runtime update 1
 *   version 0.2.0
 *   platform linux-x64
 *   bytes 112266048
 *   sha256 9f86d081…
 *   signature BASE64            one or more, Ed25519; one by a trusted key is enough
 *
 * Pure.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { AppError } from '../../protocol/errors.ts';
import { isVersion } from './version-order.ts';

export interface Statement {
  version: string;
  /** `linux-x64` or `linux-arm64`. */
  platform: string;
  bytes: number;
  /** SHA-256, 64 hexadecimal digits. */
  digest: string;
}

export const STATEMENT_BYTES_MAX = 4_096;
export const KEYS_MAX = 16;
/** An executable at most: what does not end is refused before it fills the disk. */
export const EXECUTABLE_BYTES_MAX = 512 * 1024 * 1024;
const SIGNATURES_MAX = 8;
const SIGNATURE_BYTES = 64;

const form =
  /^stile-runtime update 1\nversion (\S{1,100})\nplatform ([a-z0-9]{1,16}-[a-z0-9]{1,16})\nbytes ([1-9]\d{0,11})\nsha256 ([0-9a-f]{64})\n$/;
const signatureForm = /^signature ([A-Za-z0-9+/]{86}==)$/;

/** The text that a signer signs. */
export function statementText({ version, platform, bytes, digest }: Statement): string {
  return `stile-runtime update 1\nversion ${version}\nplatform ${platform}\nbytes ${bytes}\nsha256 ${digest}\n`;
}

/**
 * What `text` states, once one of `keys` has signed it.
 * Errors: `E_UPDATE_UNTRUSTED`, `E_INPUT_INVALID` for what is no statement.
 */
export function trustedStatement(text: string, keys: readonly KeyObject[]): Statement {
  if (keys.length === 0)
    throw new AppError(
      'E_UPDATE_UNTRUSTED',
      'this terminal takes no updates, for it knows no key to check them with: start it with --update-key FILE',
    );
  const { signed, signatures } = partsOf(text);
  const isTrusted = signatures.some((signature) =>
    keys.some((key) => verify(null, Buffer.from(signed), key, signature)),
  );
  if (!isTrusted)
    throw new AppError(
      'E_UPDATE_UNTRUSTED',
      `no signature of the update is by one of the ${keys.length} keys that this terminal trusts: sign it with one of them`,
    );
  const [, version, platform, bytes, digest] = form.exec(signed) ?? [];
  if (version === undefined || !isVersion(version) || Number(bytes) > EXECUTABLE_BYTES_MAX)
    throw new AppError('E_INPUT_INVALID', 'the statement is signed, and says nothing that this version understands');
  return { version, platform: platform!, bytes: Number(bytes), digest: digest! };
}

function partsOf(text: string): { signed: string; signatures: Buffer[] } {
  const begin = text.indexOf('\nsignature ') + 1;
  const lines = begin === 0 ? [] : text.slice(begin).trimEnd().split('\n');
  const signatures = lines.flatMap((line) => {
    const base64 = signatureForm.exec(line)?.[1];
    return base64 === undefined ? [] : [Buffer.from(base64, 'base64')];
  });
  const isWhole = signatures.length === lines.length && signatures.every(({ length }) => length === SIGNATURE_BYTES);
  if (text.length > STATEMENT_BYTES_MAX || lines.length === 0 || lines.length > SIGNATURES_MAX || !isWhole)
    throw new AppError('E_INPUT_INVALID', 'this is no signed statement about a version of stile-runtime');
  return { signed: text.slice(0, begin), signatures };
}

/** The Ed25519 public keys of a file in PEM, one or several. Errors: `E_INPUT_INVALID`. `source`: named in errors. */
export function updateKeys(text: string, source: string): KeyObject[] {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > KEYS_MAX)
    throw new AppError('E_INPUT_INVALID', `${source} holds ${blocks.length} keys in PEM, 1 to ${KEYS_MAX} can be used`);
  return blocks.map((block) => {
    const key = publicKey(block);
    if (key?.asymmetricKeyType !== 'ed25519')
      throw new AppError('E_INPUT_INVALID', `${source} holds something else than public keys of Ed25519 in PEM`);
    return key;
  });
}

/** A private key is not taken for its public half: it has no place on a terminal. */
function publicKey(block: string): KeyObject | undefined {
  if (!block.startsWith('-----BEGIN PUBLIC KEY-----')) return undefined;
  try {
    return createPublicKey(block);
  } catch {
    return undefined;
  }
}

/** Bytes of a file that `machineOf` looks at. */
export const HEADER_BYTES = 20;
/** `e_machine` of little-endian ELF of 64 bit. Source: elf(5), System V ABI. */
const machines: Readonly<Record<number, string>> = { 62: 'linux-x64', 183: 'linux-arm64' };

/** The platform that an executable is for; undefined for one that is not ELF, such as a script. */
export function machineOf(header: Uint8Array): string | undefined {
  const bytes = Buffer.from(header);
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const isWideLittle = bytes[4] === 2 && bytes[5] === 1;
  return (isWideLittle ? machines[bytes.readUInt16LE(18)] : undefined) ?? 'another machine';
}
