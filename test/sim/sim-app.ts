/**
 * The app of a simulated terminal: reports events at random times, sometimes many at once, and notes what was kept.
 * What was not answered, because the runtime died, it reports again under the same id in the next life.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { NodeStore } from '../../runtime/store/node-store.ts';
import type { Terminal } from '../../runtime/terminal.ts';
import type { Observer } from './observer.ts';
import type { SimRandom } from './random.ts';
import type { Life } from './world.ts';

export interface SimAppParts {
  life: Life;
  node: { name: string };
  /** What was asked for and not answered; outlives the runtime. */
  unanswered: Set<string>;
  terminal: Terminal;
  store: NodeStore;
  random: SimRandom;
  observer: Required<Observer>;
  onFailure(error: unknown): void;
  /** Mean time between two reports. */
  eventEveryMs: number;
}

export const APP_EVENT = 'gate.entry';
const BURST_RATE = 0.03;
const BURST_EVENTS_MAX = 60;

/** What an app must be ready to hear: the disk is full, or the quota is reached. */
const refusals: ReadonlySet<string> = new Set(['E_STORE_FAILED', 'E_OUTBOX_FULL']);

/** Goes on for the whole life of the runtime, or until the answered function is called. */
export function runApp(parts: SimAppParts): () => void {
  const { life, node, random, eventEveryMs, unanswered } = parts;
  let count = 0;
  const report = () => {
    const events = random.chance(BURST_RATE) ? random.integer(2, BURST_EVENTS_MAX) : 1;
    for (let event = 0; event < events; event += 1) {
      count += 1;
      void append(parts, `${node.name}/${life.number}/${count}`);
    }
    next = life.after(random.between(0, 2 * eventEveryMs), report);
  };
  for (const id of unanswered) void append(parts, id);
  let next = life.after(random.between(0, 2 * eventEveryMs), report);
  return () => next.cancel();
}

async function append(
  { node, store, terminal, unanswered, observer, onFailure }: SimAppParts,
  id: string,
): Promise<void> {
  observer.eventAsked(node.name, store.state.epoch, id);
  unanswered.add(id);
  try {
    const { epoch, seq } = await terminal.link.append({ type: APP_EVENT, data: { id }, id });
    observer.eventKept(node.name, epoch, seq, id);
  } catch (error) {
    if (!refusals.has(codeOf(error))) onFailure(error);
  } finally {
    unanswered.delete(id);
  }
}
