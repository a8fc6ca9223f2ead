/**
 * C1: an action takes effect at most once, whatever either side loses; one that is said to be completed took effect;
 * and at rest each action that the hub still has is over: with a result, or expired; but one that was asked for by a
 * clock that was ahead expires by that clock.
 */

import { ACTION_LIFE_MS } from '../../../cloud/twins/action-admission.ts';
import type { Action } from '../../../protocol/kubernetes.ts';
import { finalPhases } from '../../../protocol/twin/action-result.ts';
import type { Observer } from '../observer.ts';
import { TOKEN } from '../twin-devices.ts';
import type { Verdicts } from './verdicts.ts';

/** The first action that is not over and should be at `nowMs`, by a clock that is right; undefined: none. */
export function actionFault(actions: readonly Action[], nowMs: number): string | undefined {
  const open = actions.find(
    ({ spec, status }) =>
      !finalPhases.has(status?.phase ?? 'Pending') && Date.parse(spec.expiresTime) <= nowMs + ACTION_LIFE_MS,
  );
  return open && `action ${open.metadata.name} on ${open.spec.nodeName} is ${open.status?.phase ?? 'Pending'}`;
}

export class C1Actions implements Observer {
  readonly #verdicts: Verdicts;
  /** By the text that came with it: where it took effect. */
  readonly #taken = new Map<string, string>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  actionTaken(host: string, token: string): void {
    const before = this.#taken.get(token);
    this.#verdicts.check('C1', before === undefined, () => `action ${token} took effect at ${before} and at ${host}`);
    this.#taken.set(token, host);
  }

  /** At rest. */
  settled(actions: readonly Action[], nowMs: number): void {
    for (const action of actions) {
      const fault = actionFault([action], nowMs);
      this.#verdicts.check('C1', fault === undefined, () => fault ?? '');
      const token = (action.spec.input as Record<string, string>)[TOKEN]!;
      const holds = action.status?.phase !== 'Completed' || this.#taken.has(token);
      this.#verdicts.check('C1', holds, () => `action ${token} is said to be completed and never took effect`);
    }
  }
}
