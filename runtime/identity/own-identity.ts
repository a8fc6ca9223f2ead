/**
 * Who this terminal is now, and where the hub is found: what the operator gave, then what the hub advertised, best
 * first. Certificates are renewed here: with a new key, over a connection that the present one opens.
 */
import { createPrivateKey, createPublicKey, sign, X509Certificate } from 'node:crypto';
import type { EnrolAnswer } from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { type PinnedTrust, validityOf } from '../../protocol/node/pinned-tls.ts';
import { type RenewRequest, renewalText } from '../../protocol/renewal.ts';
import { untilAborted } from '../../protocol/scope.ts';
import type { CertificateRenewal } from '../link/certificate-renewal.ts';
import {
  finishSwitch,
  type Identity,
  type IdentityGround,
  isOurs,
  nextKey,
  realGround,
  saveDestinations,
  switchIdentity,
} from './identity.ts';

/** How the terminal asks for its next certificate. Errors: the hub's own by code, `E_LINK_UNREACHABLE`. */
export type RenewFetcher = (hubUrl: string, trust: PinnedTrust, request: RenewRequest) => Promise<EnrolAnswer>;

/** Looking costs a few reads. */
const MEND_INTERVAL_MS = 3_600_000;

export class OwnIdentity implements CertificateRenewal {
  readonly #env: Env;
  readonly #dataDir: string;
  readonly #given: readonly string[];
  readonly #renew: RenewFetcher;
  readonly #ground: IdentityGround;
  #identity: Identity;
  /** Writes come one after another: a new list of addresses must not bring back an old certificate. */
  #writing: Promise<unknown> = Promise.resolve();

  /** `given`: an address of the command line; it is how an operator corrects a list that went stale. */
  constructor(
    env: Env,
    options: {
      dataDir: string;
      identity: Identity;
      given: string | undefined;
      renew: RenewFetcher;
      ground?: IdentityGround;
    },
  ) {
    this.#env = env;
    this.#dataDir = options.dataDir;
    this.#given = options.given === undefined ? [] : [options.given];
    this.#renew = options.renew;
    this.#ground = options.ground ?? realGround;
    this.#identity = options.identity;
  }

  get current(): Identity {
    return this.#identity;
  }

  destinations(): string[] {
    return [...new Set([...this.#given, ...this.#identity.destinations])];
  }

  get validity() {
    return validityOf(new X509Certificate(this.#identity.certificatePem));
  }

  /**
   * Finishes what a power cut interrupted and replaces what the flash lost; a disk that cannot be written costs the
   * terminal nothing. Resolves to the names of the files that were not whole.
   */
  async mend(): Promise<string[]> {
    try {
      const mended = await this.#write(() => finishSwitch(this.#dataDir, this.#identity, this.#ground));
      if (mended.length > 0) this.#env.log.warn('identity mended', { files: mended });
      return mended;
    } catch (error) {
      this.#env.log.warn('identity not written twice', { err: error });
      return [];
    }
  }

  /** Mends what went wrong on the disk while it is known here, each hour until `signal` aborts; `onMended` hears of it. */
  async watch(onMended: (files: string[]) => void, signal: AbortSignal): Promise<void> {
    await untilAborted(signal, async () => {
      for (;;) {
        await this.#env.clock.sleep(MEND_INTERVAL_MS, signal);
        const mended = await this.mend();
        if (mended.length > 0) onMended(mended);
      }
    });
  }

  /** Keeps the list that the hub told; one that is kept already costs no write. */
  learn(destinations: readonly string[]): void {
    if (destinations.length === 0 || destinations.join() === this.#identity.destinations.join()) return;
    this.#identity = { ...this.#identity, destinations: [...destinations] };
    this.#write(() => saveDestinations(this.#dataDir, this.#identity, this.#identity.destinations, this.#ground)).catch(
      (error: unknown) => this.#env.log.warn('addresses of the hub not kept', { err: error }),
    );
  }

  /** Tries the hub's addresses in turn; resolves when the new certificate is on the disk and in use. */
  async renew(): Promise<void> {
    const { keyPem, certificatePem, caPem, name } = this.#identity;
    const next = await this.#write(() => nextKey(this.#dataDir, this.#identity, this.#ground));
    const request = renewRequest(this.#identity, next);
    let last: unknown = new AppError('E_LINK_UNREACHABLE', 'no address of the hub is known: give one with --hub');
    for (const destination of this.destinations())
      try {
        const answer = await this.#renew(`https://${destination}`, { caPem, keyPem, certificatePem }, request);
        if (answer.node !== name || !isOurs(this.#identity, next, answer.certificate))
          throw new AppError('E_IDENTITY_UNTRUSTED', `${destination} answered with a certificate of another node`);
        const { pool, certificate } = answer;
        return await this.#adopt({
          ...this.#identity,
          pool: pool || this.#identity.pool,
          keyPem: next,
          certificatePem: certificate,
        });
      } catch (error) {
        last = error;
        const code = codeOf(error);
        if (code !== 'E_LINK_UNREACHABLE' && code !== 'E_IDENTITY_UNTRUSTED' && code !== 'E_REMOTE') break;
      }
    throw last;
  }

  async #adopt(renewed: Identity): Promise<void> {
    await this.#write(() =>
      switchIdentity(this.#dataDir, { ...renewed, destinations: this.#identity.destinations }, this.#ground),
    );
    // Not before it is on the disk: with its first use the old one ends.
    this.#identity = { ...renewed, destinations: this.#identity.destinations };
    this.#env.log.info('certificate renewed', { node: renewed.name, notAfterMs: this.validity.notAfterMs });
  }

  #write<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(work);
    this.#writing = result.catch(() => {});
    return result;
  }
}

function renewRequest(identity: Identity, nextKeyPem: string): RenewRequest {
  const key = createPrivateKey(nextKeyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  const { serialNumber } = new X509Certificate(identity.certificatePem);
  const text = Buffer.from(renewalText(serialNumber, identity.name, publicKey));
  const signed = (by: ReturnType<typeof createPrivateKey>) => sign('sha256', text, by).toString('base64');
  return { publicKey, proof: signed(key), oldProof: signed(createPrivateKey(identity.keyPem)) };
}
