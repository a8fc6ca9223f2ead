/**
 * Identities that somebody copied: a second machine with the files of a terminal's identity and nothing else. When the
 * hub shuts both out, the operator decides: revoke and set the terminal up anew, or find the copy and resume.
 */
import type { Fleet } from './fleet.ts';
import type { SimRandom } from './random.ts';
import type { SimNode } from './sim-node.ts';

/** The operator looks at the Node and decides within this time. */
const DECISION_MS_MAX = 40_000;

interface Theft {
  victim: SimNode;
  copy: SimNode;
}

export class Thefts {
  readonly #fleet: Fleet;
  readonly #random: SimRandom;
  /** The latest of each terminal. */
  readonly #thefts = new Map<string, Theft>();
  readonly #deciding = new Set<string>();
  #count = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#random = fleet.world.random.fork('thefts');
  }

  /** Of a terminal that has one and is not robbed now. */
  steal(victim: SimNode): void {
    if (victim.identity === undefined || this.#thefts.get(victim.name)?.copy.host.life !== undefined) return;
    this.#count += 1;
    this.#thefts.set(victim.name, { victim, copy: this.#fleet.addCopy(victim, this.#count) });
  }

  /** Asked from time to time: what the hub is in doubt about gets its decision. */
  look(): void {
    for (const node of this.#fleet.hub.roster?.suspendedNodes() ?? []) {
      if (this.#deciding.has(node)) continue;
      this.#deciding.add(node);
      this.#fleet.errand(DECISION_MS_MAX, () => {
        this.#deciding.delete(node);
        this.#decide(node);
      });
    }
  }

  /** Every copy is found and destroyed, and every terminal that was robbed is set up anew. */
  end(): void {
    for (const { victim, copy } of this.#thefts.values()) {
      copy.die('power-cut');
      this.#fleet.visit(victim);
    }
  }

  #decide(node: string): void {
    const theft = this.#thefts.get(node);
    const { operator } = this.#fleet;
    if (theft !== undefined && this.#random.chance(0.4)) {
      theft.copy.die('power-cut');
      theft.copy.disk.lose();
      operator.resume(node);
    } else {
      operator.revoke(node);
      if (theft !== undefined) this.#fleet.visit(theft.victim);
    }
  }
}
