/**
 * The `sim` driver: devices without wires, for demos, tests and first steps. They behave: they take time, fail and jam,
 * as `spec.protocols.sim` says, e.g. `{model: barrier, travelMs: "800", jamRate: "0.05", latencyMs: "20"}`.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { DeviceConnection, DeviceListener, DeviceSetting, Driver } from '../driver.ts';
import { barrier } from './barrier.ts';
import { type Machine, type Output, Settings, type Verdict } from './machine.ts';
import { scanner } from './scanner.ts';
import { turnstile } from './turnstile.ts';

/** By `model`. */
export const models: Readonly<Record<string, Machine<unknown>>> = {
  barrier: barrier as Machine<unknown>,
  turnstile: turnstile as Machine<unknown>,
  scanner: scanner as Machine<unknown>,
};

export const simDriver: Driver = {
  protocol: 'sim',
  async open(env, setting, listener) {
    const { address, profile, id } = setting;
    const model = address.model ?? '';
    const machine = Object.hasOwn(models, model) ? models[model] : undefined;
    if (machine === undefined)
      throw new AppError('E_INPUT_INVALID', `protocols.sim.model of ${id} is one of ${Object.keys(models).join(', ')}`);
    const strange = [
      ...[...profile.resources.keys()].filter((name) => !machine.resources.includes(name)),
      ...[...profile.commands.keys()].filter((name) => !machine.commands.includes(name)),
    ];
    if (strange.length > 0)
      throw new AppError('E_INPUT_INVALID', `a simulated ${address.model} has no ${strange.join(', ')}`);
    return new SimDevice(env, machine, setting, listener);
  },
};

class SimDevice implements DeviceConnection {
  readonly #env: Env;
  readonly #machine: Machine<unknown>;
  readonly #setting: DeviceSetting;
  readonly #listener: DeviceListener;
  readonly #settings: Settings;
  readonly #scope: Scope;
  /** Something changed that may be due earlier than what was waited for. */
  readonly #changed = new Wakeup();
  /** Commands that are on their way; they hear of every step. */
  readonly #waiting = new Set<() => void>();
  #state: unknown;
  /** Counts the commands that set something in motion: a later one takes over from those before it. */
  #turn = 0;

  constructor(env: Env, machine: Machine<unknown>, setting: DeviceSetting, listener: DeviceListener) {
    this.#env = env;
    this.#machine = machine;
    this.#setting = setting;
    this.#listener = listener;
    this.#settings = new Settings(setting.address);
    this.#state = machine.start(this.#settings);
    this.#scope = new Scope(env.clock, (err) => env.log.error('simulated device failed', { device: setting.id, err }));
    listener.reachable(true);
    for (const [resource, value] of Object.entries(machine.readings(this.#state)))
      this.#tell({ reading: resource, value });
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#live(signal)));
  }

  async read(resource: string, signal: AbortSignal): Promise<Json> {
    await this.#latency(signal);
    const value = this.#machine.readings(this.#state)[resource];
    if (value === undefined) throw new AppError('E_DEVICE_FAILED', `${this.#setting.id} has no reading of ${resource}`);
    this.#tell({ reading: resource, value });
    return value;
  }

  async write(resource: string, value: Json, signal: AbortSignal): Promise<void> {
    await this.#command(resource, value, signal);
  }

  async invoke(
    command: string,
    values: Readonly<Record<string, Json>>,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    const [operation] = this.#setting.profile.commands.get(command)?.operations ?? [];
    const value = operation === undefined ? undefined : (values[operation.resource] ?? operation.defaultValue);
    await this.#command(command, value, signal);
    return this.#machine.readings(this.#state);
  }

  close(): Promise<void> {
    return this.#scope.stop();
  }

  async #command(name: string, value: Json | undefined, signal: AbortSignal): Promise<void> {
    await this.#latency(signal);
    const step = this.#machine.command(this.#state, name, value, this.#moment());
    this.#take(step);
    let verdict: Verdict = step.verdict;
    if (verdict === 'going' && step.outputs.length > 0) this.#turn += 1;
    const turn = this.#turn;
    while (verdict === 'going') {
      await this.#step(signal);
      verdict = this.#turn === turn ? this.#machine.outcome(this.#state) : { failed: 'a later command took over' };
    }
    if (verdict !== 'done') throw new AppError('E_DEVICE_FAILED', `${this.#setting.id}: ${verdict.failed}`);
  }

  /** What happens by itself. */
  async #live(signal: AbortSignal): Promise<void> {
    for (;;) {
      const dueMs = this.#machine.dueMs(this.#state);
      if (dueMs === undefined) await this.#changed.wait(signal);
      else {
        const waitMs = dueMs - this.#env.clock.monotonic();
        if (waitMs > 0) await this.#sleepUnlessChanged(waitMs, signal);
        this.#take(this.#machine.elapsed(this.#state, this.#moment()));
      }
    }
  }

  async #sleepUnlessChanged(waitMs: number, signal: AbortSignal): Promise<void> {
    const either = new AbortController();
    const both = AbortSignal.any([signal, either.signal]);
    const stop = this.#onStep(() => either.abort());
    await this.#env.clock.sleep(waitMs, both).catch(() => signal.throwIfAborted());
    stop();
  }

  #step(signal: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([signal, this.#scope.signal]);
    return new Promise((resolve, reject) => {
      const cancelled = () => {
        stop();
        reject(new AppError('E_CANCELLED', `${this.#setting.id} was not waited for`));
      };
      const stop = this.#onStep(() => {
        stop();
        ending.removeEventListener('abort', cancelled);
        resolve();
      });
      if (ending.aborted) cancelled();
      else ending.addEventListener('abort', cancelled, { once: true });
    });
  }

  #onStep(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  #take({ state, outputs }: { state: unknown; outputs: Output[] }): void {
    const same = state === this.#state;
    this.#state = state;
    for (const output of outputs) this.#tell(output);
    if (same) return;
    this.#changed.wake();
    for (const listener of [...this.#waiting]) listener();
  }

  #tell(output: Output): void {
    const { resources } = this.#setting.profile;
    if ('event' in output) {
      if (resources.has(output.event)) this.#listener.event(output.event, output.data);
    } else if (resources.has(output.reading)) this.#listener.reading(output.reading, output.value);
  }

  async #latency(signal: AbortSignal): Promise<void> {
    const latencyMs = this.#settings.number('latencyMs', 0);
    if (latencyMs > 0) await this.#env.clock.sleep(latencyMs, AbortSignal.any([signal, this.#scope.signal]));
    if (this.#env.random.next() < this.#settings.number('failRate', 0))
      throw new AppError('E_DEVICE_FAILED', `${this.#setting.id} did not answer`);
  }

  #moment() {
    return { nowMs: this.#env.clock.monotonic(), chance: this.#env.random.next() };
  }
}
