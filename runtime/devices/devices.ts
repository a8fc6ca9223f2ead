/**
 * The devices of this terminal: each Device of the view with a driver for one of its protocols is kept connected and
 * joined with its twin, with and without the hub.
 */
import type { DeviceConnection, Driver } from '../../devices/driver.ts';
import { type Command, checkValue, type Profile } from '../../devices/profile.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Device, DeviceProfile, Json } from '../../protocol/kubernetes.ts';
import { isMembers, sameJson } from '../../protocol/twin/merge.ts';
import type { Twins } from '../twins/twins.ts';
import { DeviceEvents } from './device-events.ts';
import { DeviceRun } from './device-run.ts';
import { type DeviceSetup, sameBasis, setupOf } from './device-setup.ts';

export interface DevicesPorts {
  twins: Pick<Twins, 'get' | 'patch' | 'onChange'>;
  /** By the name in `spec.protocols`. */
  drivers: ReadonlyMap<string, Driver>;
}

/** A command whose input was checked. */
export interface PreparedAction {
  run(signal: AbortSignal): Promise<Json | undefined>;
}

export class Devices {
  readonly events: DeviceEvents;
  readonly #env: Env;
  readonly #ports: DevicesPorts;
  readonly #onFailure: (error: unknown) => void;
  readonly #runs = new Map<string, DeviceRun>();
  /** Runs that let go of their device, by its id. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #unsubscribe: () => void;

  /** `onFailure` hears of what only a bug can break. */
  constructor(env: Env, ports: DevicesPorts, onFailure: (error: unknown) => void) {
    this.#env = env;
    this.#ports = ports;
    this.#onFailure = onFailure;
    this.events = new DeviceEvents(env.clock, env.random);
    this.#unsubscribe = ports.twins.onChange(({ id }) => this.#runs.get(id)?.look());
  }

  /** The devices that there shall be; the rest is let go. Asking twice is harmless. */
  apply(devices: readonly Device[], profiles: readonly DeviceProfile[]): void {
    const named = new Map(
      profiles.map((profile) => [`${profile.metadata.namespace ?? 'default'}/${profile.metadata.name}`, profile]),
    );
    const setups = new Map<string, DeviceSetup>();
    for (const device of devices) {
      const setup = setupOf(device, named, this.#ports.drivers);
      setups.set(setup.id, setup);
    }
    for (const id of [...this.#runs.keys()])
      if (!setups.has(id)) {
        this.#end(id);
        this.events.forget(id);
      }
    for (const setup of setups.values()) this.#set(setup);
  }

  get(id: string): DeviceSetup | undefined {
    return this.#runs.get(id)?.setup;
  }

  /**
   * A command of a device, ready to be sent. `input`: an object of values by the resources that it takes.
   * Errors: `E_NOT_FOUND`, `E_INPUT_INVALID`, `E_DEVICE_FAILED` while the device cannot be told anything.
   */
  prepare(id: string, name: string, input: Json | undefined): PreparedAction {
    const run = this.#runs.get(id);
    if (run === undefined) throw new AppError('E_NOT_FOUND', `this terminal has no device ${id}`);
    const { profile } = run.setup;
    const command = profile?.commands.get(name);
    if (profile === undefined || command === undefined || command.hidden)
      throw new AppError('E_NOT_FOUND', `${id} has no action ${name}${actionsIn(profile)}`);
    const values = inputValues(profile, command, input);
    const connection: DeviceConnection = run.connection();
    return { run: (signal) => connection.invoke(name, values, signal) };
  }

  /** Resolves when every device was let go. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    for (const id of [...this.#runs.keys()]) this.#end(id);
    await Promise.all(this.#ending.values());
  }

  #set(setup: DeviceSetup): void {
    const { id } = setup;
    const run = this.#runs.get(id);
    if (run !== undefined && sameBasis(run.setup, setup)) {
      if (!sameJson(run.setup.device as unknown as Json, setup.device as unknown as Json)) run.update(setup);
      return;
    }
    if (run !== undefined) this.#end(id);
    const next = new DeviceRun(this.#env, setup, {
      twins: this.#ports.twins,
      event: (name, data) => this.events.add(id, name, data),
      onFailure: this.#onFailure,
    });
    this.#runs.set(id, next);
    next.start(this.#ending.get(id) ?? Promise.resolve());
    next.look();
  }

  #end(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    const ending = Promise.all([this.#ending.get(id), run.stop()]).then(
      () => {},
      (error: unknown) => this.#env.log.warn('device not closed', { device: id, err: error }),
    );
    this.#ending.set(id, ending);
    void ending.then(() => {
      if (this.#ending.get(id) === ending) this.#ending.delete(id);
    });
  }
}

/** Names of the resources whose values a command takes. */
export function inputsOf({ writable, operations }: Command): string[] {
  return writable ? operations.map(({ resource }) => resource) : [];
}

/** Errors: `E_INPUT_INVALID`. */
function inputValues(profile: Profile, command: Command, input: Json | undefined): Record<string, Json> {
  const given = input ?? {};
  if (!isMembers(given)) throw new AppError('E_INPUT_INVALID', `the input of ${command.name} is an object`);
  const names = inputsOf(command);
  const strange = Object.keys(given).find((name) => !names.includes(name));
  if (strange !== undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      `${command.name} takes no ${strange}, it takes ${names.join(', ') || 'nothing'}`,
    );
  const values: Record<string, Json> = {};
  for (const { resource: name, defaultValue } of command.writable ? command.operations : []) {
    const resource = profile.resources.get(name)!;
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const value = own ?? defaultValue ?? resource.defaultValue;
    if (value === undefined) throw new AppError('E_INPUT_INVALID', `${command.name} needs a value for ${name}`);
    values[name] = checkValue(resource, value);
  }
  return values;
}

function actionsIn(profile: Profile | undefined): string {
  const names = [...(profile?.commands.values() ?? [])].filter(({ hidden }) => !hidden).map(({ name }) => name);
  return names.length === 0 ? '' : `, it has ${names.join(', ')}`;
}
