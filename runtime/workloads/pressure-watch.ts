/**
 * Looks at what the machine has left. Short of disk, content of images that no pod names goes first; then, one at a
 * time, a pod. It works from local facts alone: the hub has no say in it, and need not be there.
 */
import type { Env } from '../../protocol/env.ts';
import type { Condition, Pod } from '../../protocol/kubernetes.ts';
import {
  chooseVictim,
  type EvictionThresholds,
  evictionMessage,
  nextPressures,
  type Pressures,
  pressureConditions,
  type Readings,
  type Shortage,
  shortages,
} from './eviction.ts';
import type { Gauges } from './ports.ts';

export interface PressureWatchConfig extends EvictionThresholds {
  /** Between two looks. */
  pressureCheckMs: number;
}

/** A pod that could be evicted. */
export interface EvictablePod {
  uid: string;
  pod: Pod;
  /** Instance ids of its containers. */
  instances: readonly string[];
}

/** What the watch asks of the supervisor. */
export interface PressureRelief {
  /** Pods that run or may run, without those on their way out. */
  evictable(): EvictablePod[];
  /** A pod is on its way out: its end is waited for before another one is asked. */
  leaving(): boolean;
  collectImages(): Promise<void>;
  evict(uid: string, message: string): void;
  /** Called when something about the conditions changed, and at the first look. */
  told(conditions: Condition[]): void;
}

export class PressureWatch {
  readonly #env: Env;
  readonly #gauges: Gauges;
  readonly #config: PressureWatchConfig;
  readonly #relief: PressureRelief;
  #pressures: Pressures = {};
  #conditions: Condition[] = [];

  constructor(env: Env, gauges: Gauges, config: PressureWatchConfig, relief: PressureRelief) {
    this.#env = env;
    this.#gauges = gauges;
    this.#config = config;
    this.#relief = relief;
  }

  /** Nothing new is started meanwhile. */
  get underPressure(): boolean {
    return this.#pressures.memory !== undefined || this.#pressures.disk !== undefined;
  }

  /** Until `signal` aborts. A look that fails is no reason to stop looking. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        this.#env.log.warn('machine not read', { err: error });
      }
      await this.#env.clock.sleep(this.#config.pressureCheckMs, signal);
    }
  }

  async #look(): Promise<void> {
    let found = this.#judge(await this.#gauges.read());
    if (found.length === 0) return;
    if (found.some(({ kind }) => kind === 'disk')) {
      await this.#relief.collectImages();
      found = shortages(await this.#gauges.read(), this.#config);
    }
    const [worst] = found;
    if (worst !== undefined && !this.#relief.leaving()) await this.#evictFor(worst);
  }

  #judge(readings: Readings): Shortage[] {
    const { clock, log } = this.#env;
    const found = shortages(readings, this.#config);
    const before = this.#pressures;
    this.#pressures = nextPressures(before, found, clock.monotonic(), this.#config.pressureHoldMs);
    for (const { kind, message } of found) if (before[kind] === undefined) log.warn('node short', { kind, message });
    const conditions = pressureConditions(this.#pressures, this.#conditions, clock.now());
    const changed = conditions.some(({ status }, index) => status !== this.#conditions[index]?.status);
    this.#conditions = conditions;
    if (changed) this.#relief.told(conditions);
    return found;
  }

  async #evictFor(shortage: Shortage): Promise<void> {
    const pods = this.#relief.evictable();
    const usage = await this.#gauges.usage(new Map(pods.map(({ uid, instances }) => [uid, instances])));
    const candidates = pods.map(({ uid, pod }) => ({ pod, usage: usage.get(uid) ?? { memoryBytes: 0, diskBytes: 0 } }));
    const victim = chooseVictim(candidates, shortage.kind);
    const uid = pods.find(({ pod }) => pod === victim?.pod)?.uid;
    if (victim === undefined || uid === undefined) return;
    this.#env.log.warn('pod evicted', { pod: uid, resource: shortage.resource });
    this.#relief.evict(uid, evictionMessage(shortage, victim));
  }
}
