/**
 * The ports to devices. A driver speaks one protocol of a Device's `spec.protocols`; what it is told and what it tells
 * are values as the profile types them. A driver for a wire works over a `Bus`, which several of its devices share.
 */
import type { Env } from '../protocol/env.ts';
import type { Json } from '../protocol/kubernetes.ts';
import type { Profile } from './profile.ts';

export interface DeviceSetting {
  /** Twin id. */
  id: string;
  profile: Profile;
  /** `spec.protocols` of this driver's name, e.g. `{model: barrier}`. */
  address: Readonly<Record<string, string>>;
}

/** What a device tells; calls never fail and never wait. */
export interface DeviceListener {
  /** A resource has this value now. */
  reading(resource: string, value: Json): void;
  /** Something happened: a resource whose tag is `event`. */
  event(resource: string, data: Json): void;
  /** Whether the device answers; `fault` says why not. */
  reachable(up: boolean, fault?: string): void;
}

export interface Driver {
  /** As in `spec.protocols`. */
  readonly protocol: string;
  /**
   * Begins to work with a device; resolves at once, also when the device does not answer yet.
   * Errors: `E_INPUT_INVALID` for an address or profile that the driver cannot work with.
   */
  open(env: Env, setting: DeviceSetting, listener: DeviceListener): Promise<DeviceConnection>;
}

export interface DeviceConnection {
  /** Asks now; the answer also comes as a reading. Errors: `E_DEVICE_FAILED`, `E_CANCELLED`. */
  read(resource: string, signal: AbortSignal): Promise<Json>;
  /** Resolves when the device has it. Errors: `E_DEVICE_FAILED`, `E_CANCELLED`. */
  write(resource: string, value: Json, signal: AbortSignal): Promise<void>;
  /**
   * A command of the profile; `values` by resource. Resolves when it has happened, with what it gave back.
   * Errors: `E_DEVICE_FAILED`, `E_CANCELLED`, which does not say that nothing happened.
   */
  invoke(command: string, values: Readonly<Record<string, Json>>, signal: AbortSignal): Promise<Json | undefined>;
  /** Idempotent; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** A wire, one request at a time. `Request` and `Answer` are the protocol's own. */
export interface Bus<Request, Answer> {
  /** Errors: `E_DEVICE_FAILED`, `E_TIMEOUT`, `E_CANCELLED`. */
  exchange(request: Request, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}
