/**
 * What is cut: real code that writes below one directory and says what it has promised, and how to look at what a cut
 * left of that. Both run in the same process image; between them stands only the directory and the marks.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Env } from '../../../protocol/env.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import type { SimRandom } from '../../sim/random.ts';

/** What was told at one moment. `begun`: asked for, may have taken effect. `done`: acknowledged, must have. */
export interface Mark {
  phase: 'begun' | 'done';
  /** Of what: one thing that has one state at a time. */
  lane: string;
  /** The how-manieth state of it, from 1. */
  step: number;
  /** The state, with `begun`. */
  state?: Json;
}

export interface Drive {
  env: Env;
  directory: string;
  random: SimRandom;
  mark(mark: Mark): void;
}

export interface Cut {
  env: Env;
  directory: string;
  /** All that was told before the cut, in order. */
  marks: readonly Mark[];
}

export interface Scenario {
  /** `runtime/…` or `hub/…`. */
  name: string;
  /** Runs under the recorder, in an empty directory. */
  drive(drive: Drive): Promise<void>;
  /** Opens what is left with the real code; throws what is wrong with it. */
  verify(cut: Cut): Promise<void>;
}

/** One thing whose states follow each other, each asked for after the one before was acknowledged. */
export class Lane {
  readonly #drive: Drive;
  readonly #lane: string;
  #step = 0;

  constructor(drive: Drive, lane: string) {
    this.#drive = drive;
    this.#lane = lane;
  }

  /** `state`: what the thing is once `work` has been done. Not called while an earlier step is under way. */
  async step<T>(state: Json, work: () => Promise<T>): Promise<T> {
    this.begin(state);
    const result = await work();
    this.done();
    return result;
  }

  /** The two halves of a step, where the state shows itself only within the work. */
  begin(state: Json): void {
    this.#step += 1;
    this.#drive.mark({ phase: 'begun', lane: this.#lane, step: this.#step, state });
  }

  done(): void {
    this.#drive.mark({ phase: 'done', lane: this.#lane, step: this.#step });
  }
}

/** Names of all lanes that were ever begun and start with `prefix`. */
export function lanesOf(marks: readonly Mark[], prefix: string): string[] {
  return [...new Set(marks.map(({ lane }) => lane).filter((lane) => lane.startsWith(prefix)))];
}

/** The states that `lane` may be in: the last acknowledged one, and what was asked for after it. */
export function possibleStates(marks: readonly Mark[], lane: string): Json[] {
  const own = marks.filter((mark) => mark.lane === lane);
  const acknowledged = own.findLast(({ phase }) => phase === 'done')?.step ?? 0;
  const states = own.flatMap(({ phase, step, state }) =>
    phase === 'begun' && step >= acknowledged ? [state ?? null] : [],
  );
  return acknowledged === 0 ? [null, ...states] : states;
}

/** Throws unless `found` is a state that `lane` may be in. */
export function expectState(marks: readonly Mark[], lane: string, found: Json): void {
  const possible = possibleStates(marks, lane);
  if (possible.some((state) => isDeepStrictEqual(state, found))) return;
  throw new Error(`${lane} is ${shortened(found)}, and must be one of ${shortened(possible)}`);
}

/** Whether anything of `lane` was acknowledged. */
export function isAcknowledged(marks: readonly Mark[], lane: string): boolean {
  return marks.some((mark) => mark.lane === lane && mark.phase === 'done');
}

export function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

const shortened = (value: Json): string => JSON.stringify(value).slice(0, 2_000);
