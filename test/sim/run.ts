/**
 * One seed from beginning to end, in two phases: *safety* (faults as the seed draws them), then *liveness* (all faults
 * end; within a bound everything must come to rest), then an orderly stop after which nothing may be left.
 */
import { type Invariant, Verdicts, type Violation } from './checkers/verdicts.ts';
import { Fleet, type FleetOptions, fleetDefaults } from './fleet.ts';
import { unrest } from './rest.ts';
import type { TraceOptions } from './trace.ts';
import { World } from './world.ts';

export interface RunOptions extends Partial<FleetOptions> {
  seed: string | number;
  /** Simulated minutes of the safety phase. */
  minutes: number;
  faults?: boolean;
  trace?: TraceOptions;
}

export interface RunReport {
  seed: string;
  events: number;
  messages: number;
  faults: Record<string, number>;
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
const STEP_MS = 1_000;

export async function runSeed(options: RunOptions): Promise<RunReport> {
  const world = new World(options.seed, options.trace);
  const verdicts = new Verdicts(() => world.nowMs);
  const fleet = new Fleet(world, { ...fleetDefaults, ...options }, [], (error) => {
    verdicts.broken('fault', error instanceof Error ? (error.stack ?? error.message) : String(error));
  });
  fleet.start();
  const operate = () => {
    if (world.nowMs > options.minutes * minuteMs) return;
    fleet.operator.act();
    world.schedule(world.nowMs + world.random.fork(`operate ${world.nowMs}`).between(0, 4_000), operate);
  };
  world.schedule(40_000, operate);
  await world.run(options.minutes * minuteMs);
  fleet.network.healAll();
  fleet.operator.applyAll();
  for (const node of fleet.nodes) node.reporting = false;
  const healedMs = world.nowMs;
  let why: string | undefined = 'x';
  while (why !== undefined && world.nowMs < healedMs + REST_MS_MAX) {
    await world.run(world.nowMs + STEP_MS);
    why = await unrest(fleet);
  }
  if (why !== undefined) verdicts.broken('settle', why);
  const restMs = world.nowMs - healedMs;
  await world.settle(fleet.stop(), STOP_MS_MAX);
  return {
    seed: world.seed,
    events: world.events,
    messages: fleet.network.traffic().messagesDelivered,
    faults: {},
    checked: verdicts.counts(),
    violations: verdicts.violations,
    restMs,
    traceHash: world.trace.hash(),
  };
}
