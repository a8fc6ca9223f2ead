/** What becomes of a node's identity when somebody decides about it: an operator, or the hub that saw a copy. */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { Scope } from '../../protocol/scope.ts';
import type { IdentityStore } from './identity-store.ts';
import type { Roster } from './roster.ts';

export interface NodeIdentityPeers {
  store: IdentityStore;
  roster: Roster;
  poolExists(pool: string): Promise<boolean>;
  /** Whether there is a Node object of that name. */
  nodeExists(node: string): Promise<boolean>;
  /** The node's identity is no more: sessions of it and connections end. */
  onRevoked(node: string): void;
  /** Two terminals use the identity: sessions and connections of both end, and the Node says so. */
  onSuspended(node: string, evidence: string): Promise<void>;
  /** An operator has decided: the Node says that it is over. */
  onResumed(node: string): Promise<void>;
  /** Puts the Node object into the pool. */
  relabel(node: string, pool: string): Promise<void>;
}

export class NodeIdentities {
  readonly #env: Env;
  readonly #peers: NodeIdentityPeers;
  readonly #scope: Scope;

  constructor(env: Env, peers: NodeIdentityPeers) {
    this.#env = env;
    this.#peers = peers;
    this.#scope = new Scope(env.clock);
  }

  /**
   * Ends a node's identity for good: no certificate that was issued for it until now ever counts again, whoever has
   * the key. Its name is free. Asking twice is harmless. Errors: `E_NOT_FOUND`.
   */
  async revoke(node: string): Promise<void> {
    await this.#mustExist(node);
    const nowMs = this.#peers.roster.decisionMs(this.#env.clock.now());
    await this.#peers.store.revokeNode(node, nowMs);
    this.#peers.roster.revoked(node, nowMs);
    this.#env.log.warn('node revoked', { node });
    this.#peers.onRevoked(node);
    await this.#peers.onResumed(node);
  }

  /** As `suspend`, without waiting; `stop` waits for it. */
  suspect(node: string, evidence: string): void {
    this.#spawn(node, () => this.suspend(node, evidence));
  }

  /** Says again on each suspended Node why: the hub may have ended between the deed and the word. */
  remind(): void {
    for (const node of this.#peers.roster.suspendedNodes())
      this.#spawn(node, () => this.#peers.onSuspended(node, 'Two terminals used this identity'));
  }

  stop(): Promise<void> {
    return this.#scope.stop();
  }

  /** Shuts out everybody who has the identity, until an operator resumes or revokes it. `evidence`: a sentence. */
  async suspend(node: string, evidence: string): Promise<void> {
    const current = this.#peers.roster.current(node);
    if (current === undefined || current.suspendedMs !== undefined) return;
    const nowMs = this.#env.clock.now();
    // First in memory: who asks while the disk is written is shut out already.
    this.#peers.roster.suspended(node, nowMs);
    this.#env.log.error('node suspended', { node, evidence });
    try {
      await this.#peers.store.suspendNode(node, nowMs);
    } finally {
      // A full disk must not leave both of them in.
      await this.#peers.onSuspended(node, evidence);
    }
  }

  /** The operator found that there is one terminal only. Errors: `E_NOT_FOUND`. */
  async resume(node: string): Promise<void> {
    await this.#mustExist(node);
    await this.#peers.store.suspendNode(node, undefined);
    this.#peers.roster.suspended(node, undefined);
    await this.#peers.onResumed(node);
  }

  /** Puts a node into another pool; its terminal keeps its certificate. Errors: `E_NOT_FOUND`. */
  async move(node: string, pool: string): Promise<void> {
    await this.#mustExist(node);
    if (!(await this.#peers.poolExists(pool)))
      throw new AppError('E_NOT_FOUND', `the pool ${JSON.stringify(pool)} does not exist: create its NodePool first`);
    await this.#peers.relabel(node, pool);
    await this.#peers.store.moveNode(node, pool);
    this.#peers.roster.moved(node, pool);
  }

  #spawn(node: string, work: () => Promise<void>): void {
    this.#scope.spawn(async () => {
      try {
        await work();
      } catch (error) {
        this.#env.log.error('node not suspended durably', { node, err: error });
      }
    });
  }

  async #mustExist(node: string): Promise<void> {
    if (this.#peers.roster.current(node) !== undefined || (await this.#peers.nodeExists(node))) return;
    throw new AppError('E_NOT_FOUND', `there is no node ${JSON.stringify(node.slice(0, 253))}: see "stile node list"`);
  }
}
