/**
 * I1: from the moment in which it is durable that a node was revoked, or that its name belongs to another terminal,
 * nobody who shows an earlier certificate of it is greeted, gets an object of a view, or has a report acknowledged;
 * what the hub was already writing may be acknowledged a moment later. That goes for certificates issued until then by
 * their own dates: later ones a hub that lost its store, and whose clock went back, cannot know of. And no identity is taken for copied that
 * nobody copied. A decision that a restored or lost store of the hub does not know is forgotten with it, as
 * `cloud/identity/README.md` says.
 */
import { decodeMessage } from '../../../protocol/codec.ts';
import { granted } from '../exchange.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Issued, Observer } from '../observer.ts';
import type { Verdicts } from './verdicts.ts';

/** A report that came before may be on its way to the disk. */
const UNDER_WAY_MS = 1_000;

interface Ended {
  node: string;
  atMs: number;
  /** Certificates that were issued up to this wall-clock time are meant. */
  throughMs: number;
  /** The number of the certificate that took its place; undefined: revoked. */
  by: string | undefined;
}

export class I1Identity implements Observer {
  readonly #verdicts: Verdicts;
  readonly #nowMs: () => number;
  /** Node to all certificates that were ever signed for it. */
  readonly #issued = new Map<string, Issued[]>();
  /** By number. */
  readonly #ended = new Map<string, Ended>();
  readonly #copied = new Set<string>();

  constructor(verdicts: Verdicts, nowMs: () => number) {
    this.#verdicts = verdicts;
    this.#nowMs = nowMs;
  }

  certificateIssued(node: string, certificate: Issued): void {
    const certificates = this.#issued.get(node) ?? [];
    certificates.push(certificate);
    this.#issued.set(node, certificates);
  }

  nodeRevoked(node: string, revokedMs: number): void {
    this.#end(node, undefined, revokedMs);
  }

  nodeEnrolled(node: string, serial: string): void {
    const issuedMs = this.#issued.get(node)?.find((certificate) => certificate.serial === serial)?.issuedMs;
    this.#end(node, serial, issuedMs ?? 0);
  }

  identityCopied(node: string): void {
    this.#copied.add(node);
  }

  nodeSuspended(node: string): void {
    this.#verdicts.check('I1', this.#copied.has(node), () => `${node} is shut out, and nobody copied its identity`);
  }

  hubStoreReplaced({ identity }: Pick<HubDiskState, 'identity'>): void {
    for (const [serial, { node, by, throughMs }] of this.#ended) {
      // The revocation that it knows may be an earlier one, of earlier certificates.
      const revoked = (identity.revocations.get(node) ?? Number.NEGATIVE_INFINITY) >= throughMs;
      const known = by === undefined ? revoked : identity.certificates.has(by);
      if (!known) this.#ended.delete(serial);
    }
  }

  hubSent(serial: string, bytes: Uint8Array): void {
    const ended = this.#ended.get(serial);
    const served = ended !== undefined && serves(bytes, this.#nowMs() - ended.atMs);
    this.#verdicts.check('I1', !served, () => {
      const why = ended?.by === undefined ? 'revoked' : 'replaced';
      return `whoever shows certificate ${serial} of ${ended?.node}, which was ${why}, is served by the hub`;
    });
  }

  #end(node: string, by: string | undefined, throughMs: number): void {
    for (const { serial, issuedMs } of this.#issued.get(node) ?? [])
      if (serial !== by && issuedMs <= throughMs && !this.#ended.has(serial))
        this.#ended.set(serial, { node, atMs: this.#nowMs(), throughMs, by });
  }
}

/** Whether a frame gives something to a terminal, not only the news that it gets nothing. */
function serves(bytes: Uint8Array, afterMs: number): boolean {
  const answered = granted(bytes);
  if (answered !== undefined) return answered;
  const frame = decodeMessage(bytes, 'down');
  if (!frame.known) return false;
  const { message } = frame;
  if (message.name === 'reportAck') return afterMs > UNDER_WAY_MS;
  if (message.name === 'delta') return message.puts.length > 0;
  return message.name === 'welcome' || message.name === 'chunk' || message.name === 'packed';
}
