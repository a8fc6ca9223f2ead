/**
 * One device with its driver, for as long as its profile and its address stay the same: desired goes to the driver,
 * readings and the device's state go to reported.
 *
 *   connecting --opened--> open (up or not, as the driver says)
 *        \--fault--> waiting --pause--> connecting        an address that cannot be: told, and that is all
 */
import type { DeviceConnection, DeviceListener } from '../../devices/driver.ts';
import { backoffDelayMs } from '../../protocol/backoff.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf, errorBody } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { checkedSection } from '../../protocol/twin/section.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { Twins } from '../twins/twins.ts';
import { DesiredWriter } from './desired-writer.ts';
import { type DeviceState, isReported, reportPatch } from './device-report.ts';
import type { DeviceSetup } from './device-setup.ts';

/** Readings that come meanwhile are reported together. */
export const REPORT_EVERY_MS = 50;
/** Between two attempts to report what could not be. */
const REPORT_RETRY_MS = 10_000;

export interface DeviceRunParts {
  twins: Pick<Twins, 'get' | 'patch'>;
  event(name: string, data: Json): void;
  onFailure(error: unknown): void;
}

export class DeviceRun {
  readonly #env: Env;
  readonly #parts: DeviceRunParts;
  readonly #scope: Scope;
  /** Something of what is to be reported, or of what is desired, may be new. */
  readonly #reports = new Wakeup();
  readonly #desires = new Wakeup();
  readonly #readings = new Map<string, Json>();
  readonly #faults = new Map<string, string>();
  readonly #writer: DesiredWriter | undefined;
  #setup: DeviceSetup;
  #connection: DeviceConnection | undefined;
  /** Undefined until there is something to say. */
  #reach: { up: boolean; fault?: string } | undefined;

  constructor(env: Env, setup: DeviceSetup, parts: DeviceRunParts) {
    this.#env = { ...env, log: env.log.child({ svc: 'device', device: setup.id }) };
    this.#setup = setup;
    this.#parts = parts;
    this.#scope = new Scope(env.clock, parts.onFailure);
    const { profile, driver } = setup;
    if (profile !== undefined && driver !== undefined)
      this.#writer = new DesiredWriter(this.#env, {
        profile,
        scope: this.#scope,
        write: (resource, value, signal) => this.connection().write(resource, value, signal),
        fault: (resource, message) => this.#writeFault(resource, message),
      });
  }

  get setup(): DeviceSetup {
    return this.#setup;
  }

  /** Begins when `after` has resolved: an earlier run of the device must have let go of it. */
  start(after: Promise<void>): void {
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#run(after, signal)));
  }

  /** The same device with nothing changed that the connection depends on. */
  update(setup: DeviceSetup): void {
    this.#setup = setup;
    this.look();
  }

  /** The twin may have changed. */
  look(): void {
    this.#reports.wake();
    this.#desires.wake();
  }

  /** Errors: `E_DEVICE_FAILED` while there is none, or the device is locked. */
  connection(): DeviceConnection {
    const { id, locked } = this.#setup;
    if (locked) throw new AppError('E_DEVICE_FAILED', `${id} is locked: its adminState is LOCKED`);
    if (this.#connection !== undefined) return this.#connection;
    throw new AppError('E_DEVICE_FAILED', `${id} is not connected: ${this.#reach?.fault ?? 'its driver starts'}`);
  }

  async stop(): Promise<void> {
    await this.#scope.stop();
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #run(after: Promise<void>, signal: AbortSignal): Promise<void> {
    await after;
    const { fault, driver } = this.#setup;
    // No driver and no fault: apps drive it.
    if (fault === undefined && driver === undefined) return;
    if (fault === undefined) this.#scope.spawn((stop) => untilAborted(stop, () => this.#connect(stop)));
    else this.#reached(false, fault);
    this.#scope.spawn((stop) => untilAborted(stop, () => this.#want(stop)));
    await this.#report(signal);
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { driver, profile, address, id } = this.#setup;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const connection = await driver!.open(this.#env, { id, profile: profile!, address }, this.#listener());
        this.#connection = connection;
        this.#env.log.info('device opened', { protocol: driver!.protocol });
        this.look();
        return;
      } catch (error) {
        this.#reached(false, errorBody(error).message);
        if (codeOf(error) === 'E_INPUT_INVALID') return;
        await this.#env.clock.sleep(backoffDelayMs(attempt, this.#env.random.next()), signal);
      }
    }
  }

  #listener(): DeviceListener {
    const { resources } = this.#setup.profile!;
    return {
      reading: (name, value) => {
        const resource = resources.get(name);
        if (resource !== undefined && isReported(resource)) this.#read(name, value);
      },
      event: (name, data) => {
        const resource = resources.get(name);
        if (resource?.event && !resource.hidden) this.#parts.event(name, data);
      },
      reachable: (up, fault) => this.#reached(up, fault),
    };
  }

  #reached(up: boolean, fault?: string): void {
    const before = this.#reach;
    this.#reach = { up, ...(fault === undefined ? {} : { fault }) };
    // A device that was away may have forgotten what was written to it, and what is known of it is of before.
    if (up && before?.up === false) {
      this.#readings.clear();
      this.#writer?.forget();
    }
    if (before?.up !== up || before.fault !== fault) {
      if (up) this.#env.log.info('device answers');
      else this.#env.log.warn('device does not answer', { fault });
    }
    this.look();
  }

  #writeFault(resource: string, message: string | undefined): void {
    if (this.#faults.get(resource) === message) return;
    if (message === undefined) this.#faults.delete(resource);
    else this.#faults.set(resource, message);
    this.look();
  }

  #read(name: string, value: Json): void {
    try {
      checkedSection({ [name]: value }, 'reported');
      this.#readings.set(name, value);
      this.look();
    } catch (error) {
      this.#env.log.warn('reading cannot be reported', { resource: name, err: error });
    }
  }

  async #want(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#desires.wait(signal);
      const twin = this.#parts.twins.get(this.#setup.id);
      if (this.#setup.locked || this.#connection === undefined || this.#reach?.up === false) this.#writer?.forget();
      // The hub makes the twin a moment after the device.
      else if (twin !== undefined) this.#writer?.want(twin.document.properties.desired, this.#readings);
    }
  }

  async #report(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#reports.wait(signal);
      const { id, profile } = this.#setup;
      const reported = this.#parts.twins.get(id)?.document.properties.reported;
      const patch = reported && reportPatch(reported, profile, this.#readings, this.#state());
      if (patch === undefined) continue;
      try {
        await this.#parts.twins.patch(id, { properties: { reported: patch } }, { durable: false });
        await this.#env.clock.sleep(REPORT_EVERY_MS, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#env.log.warn('device not reported', { err: error });
        await this.#env.clock.sleep(REPORT_RETRY_MS, signal);
        this.#reports.wake();
      }
    }
  }

  #state(): DeviceState | undefined {
    if (this.#reach === undefined) return undefined;
    return {
      ...this.#reach,
      ...(this.#setup.locked ? { locked: true as const } : {}),
      ...(this.#faults.size === 0 ? {} : { faults: Object.fromEntries(this.#faults) }),
    };
  }
}
