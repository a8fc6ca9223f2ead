/** A history of tokens, certificates and revocations, and what a store must hold after each step of it. */
import type { IdentityStore, NodeCertificate, TokenRecord } from '../../../../cloud/identity/identity-store.ts';
import { MemoryIdentityStore } from '../../../../cloud/identity/memory-identity-store.ts';
import { randomHex } from '../../../../protocol/env.ts';
import type { Json } from '../../../../protocol/kubernetes.ts';
import type { SimRandom } from '../../../sim/random.ts';

export interface IdentityStep {
  work(store: IdentityStore): Promise<unknown>;
  /** All that a store holds once it is done. */
  after: Json;
}

const NODES = ['gate-1', 'gate-2', 'gate-3'];
const YEAR_MS = 365 * 24 * 3_600_000;

export class IdentityHistory {
  readonly #random: SimRandom;
  /** Does each step first: what is expected of the real one. */
  readonly #expected = new MemoryIdentityStore();
  #nowMs = 1_000;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  async next(): Promise<IdentityStep> {
    const work = await this.#choose();
    await work(this.#expected);
    return { work, after: await identitiesOf(this.#expected) };
  }

  async #choose(): Promise<IdentityStep['work']> {
    this.#nowMs += 1_000;
    const nowMs = this.#nowMs;
    const node = this.#random.pick(NODES);
    const [token] = (await this.#expected.tokens()).filter(({ usesLeft }) => usesLeft > 0);
    if (token === undefined || this.#random.chance(0.15)) {
      const fresh = this.#token(nowMs);
      return (store) => store.saveToken(fresh);
    }
    const current = await this.#expected.currentCertificate(node);
    if (current === undefined || this.#random.chance(0.15)) {
      const certificate = this.#certificate(node, nowMs);
      const replace = current !== undefined;
      return (store) => store.enrol({ tokenId: token.id, certificate, replace, nowMs });
    }
    const successor = (await this.#expected.successors()).find((each) => each.node === node);
    if (successor !== undefined && this.#random.chance(0.6)) return (store) => store.promote(successor, nowMs);
    switch (this.#random.integer(0, 4)) {
      case 0:
        return (store) => store.revokeNode(node, nowMs);
      case 1:
        return (store) => store.suspendNode(node, current.suspendedMs === undefined ? nowMs : undefined);
      case 2:
        return (store) => store.moveNode(node, `pool-${nowMs}`);
      case 3:
        return (store) => store.deleteToken(token.id);
      default: {
        const next = this.#certificate(node, nowMs);
        return (store) => store.saveSuccessor(next);
      }
    }
  }

  #token(createdMs: number): TokenRecord {
    const id = randomHex(this.#random, 4);
    const times = { createdMs, expiresMs: createdMs + YEAR_MS };
    return { id, secretHash: randomHex(this.#random, 32), pool: 'p', replace: true, usesMax: 3, usesLeft: 3, ...times };
  }

  #certificate(node: string, issuedMs: number): NodeCertificate {
    const serial = randomHex(this.#random, 16);
    const times = { issuedMs, notAfterMs: issuedMs + YEAR_MS };
    return { serial, node, pool: 'p', keyHash: randomHex(this.#random, 32), certificatePem: `PEM ${serial}`, ...times };
  }
}

/** All that `store` holds, in an order of its own; null when it is empty. */
export async function identitiesOf(store: IdentityStore): Promise<Json> {
  const bySerial = (all: NodeCertificate[]) => all.sort((one, other) => (one.serial < other.serial ? -1 : 1));
  const revocations = (await store.revocations()).sort((one, other) => (one.node < other.node ? -1 : 1));
  const held = {
    tokens: await store.tokens(),
    certificates: bySerial(await store.certificates()),
    successors: bySerial(await store.successors()),
    revocations,
  };
  if (Object.values(held).every(({ length }) => length === 0)) return null;
  return JSON.parse(JSON.stringify(held)) as Json;
}
