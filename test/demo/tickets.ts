/** The ticket office of the demo: makes a key, and tickets that only this key can have signed. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const VALID_MS = 3_600_000;

export class TicketOffice {
  readonly #event: string;
  readonly #keyId: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  #sold = 0;

  constructor(event: string, keyId: string) {
    this.#event = event;
    this.#keyId = keyId;
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  /** What gates need to check tickets: a JSON Web Key Set (RFC 7517) with the public half only. */
  keySet(): string {
    return JSON.stringify({ keys: [{ ...this.#publicKey.export({ format: 'jwk' }), kid: this.#keyId }] });
  }

  sell(notAfterMs = Date.now() + VALID_MS): string {
    this.#sold += 1;
    const ticket = { id: `T${this.#sold}`, event: this.#event, notAfter: notAfterMs, key: this.#keyId };
    const payload = Buffer.from(JSON.stringify(ticket)).toString('base64url');
    return `${payload}.${sign(null, Buffer.from(payload), this.#privateKey).toString('base64url')}`;
  }
}
