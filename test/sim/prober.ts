/**
 * Probes and hooks on a simulated machine. Fault model: an answer takes some time, or none comes before the time limit;
 * what is asked while the runtime dies is never answered.
 */
import type { HandlerCall, HandlerOutcome, Prober } from '../../runtime/workloads/ports.ts';
import type { SimRandom } from './random.ts';
import type { Host } from './world.ts';

/** What the asked container says; undefined: nothing, until the limit. */
export type SimAnswers = (call: HandlerCall) => HandlerOutcome | undefined;

const answerMsMax = 50;

/** The port of the life that runs now. Without `answers` all is well everywhere. */
export function simProber(
  host: Host,
  random: SimRandom,
  answers: SimAnswers = () => ({ ok: true, message: '' }),
): Prober {
  const { life } = host;
  if (life === undefined) throw new Error(`${host.name} does not run`);
  return {
    probe: (call, timeoutMs, signal) =>
      new Promise((resolve) => {
        const finish = (outcome: HandlerOutcome) => {
          timer.cancel();
          signal.removeEventListener('abort', onAbort);
          resolve(outcome);
        };
        const onAbort = () => finish({ ok: false, message: 'the runtime is going down' });
        const answer = answers(call);
        const afterMs = answer === undefined ? timeoutMs : random.between(0, Math.min(timeoutMs, answerMsMax));
        const outcome = answer ?? { ok: false, message: `no answer within ${timeoutMs} ms` };
        const timer = life.after(afterMs, () => finish(outcome));
        signal.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
