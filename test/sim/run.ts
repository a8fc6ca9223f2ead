/**
 * One seed from beginning to end, in two phases: *safety* (faults as the seed draws them), then *liveness* (all faults
 * end; within a bound everything must come to rest), then an orderly stop after which nothing may be left.
 */
import { actionKind } from '../../cloud/kinds/registry.ts';
import type { Action } from '../../protocol/kubernetes.ts';
import { A1Retained } from './checkers/a1-retained.ts';
import { checkBounds } from './checkers/b1-bounds.ts';
import { C1Actions } from './checkers/c1-actions.ts';
import { I1Identity } from './checkers/i1-identity.ts';
import { checkQuiet } from './checkers/l1-quiet.ts';
import { M1Twins } from './checkers/m1-twins.ts';
import { S1Events } from './checkers/s1-events.ts';
import { Projection } from './checkers/t1-views.ts';
import { T2Revisions } from './checkers/t2-revisions.ts';
import { T2Twins } from './checkers/t2-twins.ts';
import { checkVersions, checkVersionsAtRest } from './checkers/v1-versions.ts';
import { type Invariant, Verdicts, type Violation } from './checkers/verdicts.ts';
import { W1Workloads } from './checkers/w1-workloads.ts';
import { W2Once } from './checkers/w2-once.ts';
import { Faults } from './faults.ts';
import { Fleet, type FleetOptions, fleetDefaults } from './fleet.ts';
import { type Unrest, unrest } from './rest.ts';
import type { TraceOptions } from './trace.ts';
import { World } from './world.ts';

export interface RunOptions extends Partial<FleetOptions> {
  seed: string | number;
  /** Simulated minutes of the safety phase. */
  minutes: number;
  /** Without faults the operator still acts. */
  faults?: boolean;
  trace?: TraceOptions;
}

export interface RunReport {
  seed: string;
  events: number;
  messages: number;
  operatorActions: number;
  faults: Record<string, number>;
  /** Looks by invariant. */
  checked: Record<Invariant, number>;
  /** Empty when everything held. */
  violations: Violation[];
  /** World time from the end of the faults to rest. */
  restMs: number;
  traceHash: string;
}

const minuteMs = 60_000;
/** A silent link of the metered profile is noticed within 300 s, then back-off and a first sync may follow. */
const REST_MS_MAX = 10 * minuteMs;
const STOP_MS_MAX = 2 * minuteMs;
const CLOSE_MS_MAX = 5_000;
/** Between two looks of the checkers that look from time to time. */
const LOOK_MS = 2_000;
/** The fleet is built up before anything goes wrong. */
const CALM_MS = 30_000;

export async function runSeed(options: RunOptions): Promise<RunReport> {
  const run = new Run(options);
  return run.play();
}

class Run {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #verdicts: Verdicts;
  readonly #events: S1Events;
  readonly #workloads: W1Workloads;
  readonly #twins: M1Twins;
  readonly #actions: C1Actions;
  readonly #fleet: Fleet;
  readonly #faults: Faults;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#world = new World(options.seed, options.trace);
    this.#verdicts = new Verdicts(() => this.#world.nowMs);
    this.#events = new S1Events(this.#verdicts);
    this.#workloads = new W1Workloads(this.#verdicts);
    this.#twins = new M1Twins(this.#verdicts);
    this.#actions = new C1Actions(this.#verdicts);
    const observers = [
      new T2Revisions(this.#verdicts),
      new T2Twins(this.#verdicts),
      this.#twins,
      this.#actions,
      this.#events,
      this.#workloads,
      new W2Once(this.#verdicts),
      new A1Retained(this.#verdicts),
      new I1Identity(this.#verdicts, () => this.#world.nowMs),
    ];
    this.#fleet = new Fleet(this.#world, { ...fleetDefaults, ...options }, observers, (error) => {
      this.#verdicts.broken('fault', error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    this.#faults = new Faults(this.#fleet);
  }

  async play(): Promise<RunReport> {
    const world = this.#world;
    const endMs = this.#options.minutes * minuteMs;
    this.#fleet.start();
    this.#operateUntil(endMs);
    if (this.#options.faults !== false) world.schedule(CALM_MS, () => this.#faults.begin());
    await this.#lookUntil(endMs);
    this.#faults.heal();
    this.#fleet.operator.applyAll();
    this.#fleet.twinOperator.applyAll();
    this.#fleet.busy = false;
    const healedMs = world.nowMs;
    if (this.#holds) await this.#rest(healedMs + REST_MS_MAX);
    const restMs = world.nowMs - healedMs;
    if (this.#holds) await this.#stop();
    return {
      seed: world.seed,
      events: world.events,
      messages: this.#fleet.network.traffic().messagesDelivered,
      operatorActions: this.#fleet.operator.actions,
      faults: this.#faults.counts(),
      checked: this.#verdicts.counts(),
      violations: this.#verdicts.violations,
      restMs,
      traceHash: world.trace.hash(),
    };
  }

  get #holds(): boolean {
    return this.#verdicts.violations.length === 0;
  }

  /** Ends early when an invariant is broken: what comes later says little. */
  async #lookUntil(endMs: number): Promise<void> {
    while (this.#world.nowMs < endMs && this.#holds) {
      await this.#world.run(Math.min(endMs, this.#world.nowMs + LOOK_MS));
      checkBounds(this.#fleet, this.#verdicts);
      checkVersions(this.#fleet, this.#verdicts);
    }
  }

  #operateUntil(endMs: number): void {
    const random = this.#world.random.fork('pace of the operator');
    const act = () => {
      if (this.#world.nowMs > endMs) return;
      this.#fleet.operator.act();
      this.#fleet.twinOperator.act();
      this.#fleet.thefts.look();
      this.#world.schedule(this.#world.nowMs + random.between(0, 2 * this.#fleet.options.operateEveryMs), act);
    };
    this.#world.schedule(CALM_MS, act);
  }

  async #rest(untilMs: number): Promise<void> {
    const reasons = new Map<string, Unrest & { times: number }>();
    while (this.#holds) {
      const left = await unrest(this.#fleet);
      if (left === undefined) return this.#checkAtRest();
      const known = reasons.get(left.sentence) ?? { ...left, times: 0 };
      reasons.set(left.sentence, { ...known, times: known.times + 1 });
      if (this.#world.nowMs >= untilMs) break;
      await this.#lookUntil(this.#world.nowMs + LOOK_MS);
    }
    // Something is always on its way; what was found most often is what does not come to rest.
    const [worst] = [...reasons.values()].sort((one, other) => other.times - one.times);
    if (this.#holds && worst !== undefined) this.#verdicts.broken(worst.invariant, worst.sentence);
  }

  async #checkAtRest(): Promise<void> {
    const projection = await Projection.of(this.#fleet.hub.store!);
    for (const node of this.#fleet.served()) {
      const fault = projection.fault(node);
      this.#verdicts.check('T1', fault === undefined, () => `${node.name}: ${fault}`);
    }
    this.#events.settled(this.#fleet.hub.disk.live, new Set(this.#fleet.served().map(({ name }) => name)));
    this.#twins.settled(this.#fleet.served());
    const actions = (await this.#fleet.hub.store!.list(actionKind)).items as Action[];
    this.#actions.settled(actions, this.#fleet.hub.host.wall.now());
    checkVersionsAtRest(this.#fleet, this.#verdicts);
  }

  async #stop(): Promise<void> {
    this.#workloads.stopping();
    try {
      await this.#world.settle(this.#fleet.stop(), STOP_MS_MAX);
    } catch (error) {
      return this.#verdicts.broken('L1', error instanceof Error ? error.message : String(error));
    }
    // Closed channels are forgotten when the other side has answered.
    await this.#world.run(this.#world.nowMs + CLOSE_MS_MAX);
    checkQuiet(this.#fleet, this.#verdicts);
  }
}
