/**
 * A simulated device as a state machine: commands and time in, readings and events out. Pure; `sim-driver.ts` gives it
 * time and chance.
 */
import type { Json } from '../../protocol/kubernetes.ts';

export type Output = { reading: string; value: Json } | { event: string; data: Json };

export interface Step<State> {
  state: State;
  /** In the order in which they are told. */
  outputs: Output[];
}

/** How a command went: done, refused for a reason, or on its way until a step settles it. */
export type Verdict = 'done' | 'going' | { failed: string };

export interface Machine<State> {
  /** Resources and commands that a profile of this model may name. */
  readonly resources: readonly string[];
  readonly commands: readonly string[];
  start(settings: Settings): State;
  /** All readings as they are. */
  readings(state: State): Record<string, Json>;
  /** A written resource or an invoked command. `chance` is in [0, 1). */
  command(state: State, name: string, value: Json | undefined, at: Moment): Step<State> & { verdict: Verdict };
  /** Time has come to `dueMs`. */
  elapsed(state: State, at: Moment): Step<State>;
  /** Monotonic ms at which something happens by itself; undefined: nothing does. */
  dueMs(state: State): number | undefined;
  /** What became of the command that was going. */
  outcome(state: State): Verdict;
}

export interface Moment {
  /** Monotonic. */
  nowMs: number;
  /** In [0, 1). */
  chance: number;
}

/** Texts of `spec.protocols.sim`, as the numbers that models ask for. */
export class Settings {
  readonly #address: Readonly<Record<string, string>>;

  constructor(address: Readonly<Record<string, string>>) {
    this.#address = address;
  }

  number(name: string, otherwise: number): number {
    const value = Number(this.#address[name] ?? otherwise);
    return Number.isFinite(value) && value >= 0 ? value : otherwise;
  }
}
