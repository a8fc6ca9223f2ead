/**
 * The text that lets a terminal join: `stile1.ID.SECRET.FINGERPRINT`. The fingerprint is the SHA-256 of the CA
 * certificate's DER, so that the very first contact with the hub is already verified.
 */
import { AppError } from './errors.ts';

export interface JoinToken {
  /** Public name of the token: in lists and logs. */
  id: string;
  /** Known to the token's bearer alone; the hub keeps a hash of it. Base64url. */
  secret: string;
  /** Base64url of the 32 bytes of SHA-256 over the CA certificate's DER. */
  caFingerprint: string;
}

const PREFIX = 'stile1';
/** Longer text is no token of ours, whatever it says. */
const TOKEN_CHARACTERS_MAX = 256;

export function formatJoinToken(token: JoinToken): string {
  return [PREFIX, token.id, token.secret, token.caFingerprint].join('.');
}

/** Reads a token, white space around it allowed. Errors: `E_TOKEN_INVALID`; the text itself is never repeated. */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  const [prefix, id, secret, caFingerprint, ...rest] = trimmed.slice(0, TOKEN_CHARACTERS_MAX + 1).split('.');
  if (prefix !== PREFIX && /^stile\d+$/.test(prefix ?? ''))
    throw new AppError(
      'E_TOKEN_INVALID',
      `the join token has the form "${prefix}", this version reads "${PREFIX}": use the same release on both sides`,
    );
  const whole =
    prefix === PREFIX &&
    trimmed.length <= TOKEN_CHARACTERS_MAX &&
    rest.length === 0 &&
    /^[0-9a-f]{12}$/.test(id ?? '') &&
    /^[A-Za-z0-9_-]{43}$/.test(secret ?? '') &&
    /^[A-Za-z0-9_-]{43}$/.test(caFingerprint ?? '');
  if (!whole)
    throw new AppError(
      'E_TOKEN_INVALID',
      'this is no join token: copy the whole last line that "stile token create" printed',
    );
  return { id: id!, secret: secret!, caFingerprint: caFingerprint! };
}
