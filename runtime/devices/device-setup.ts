/** A Device and its profile as the view has them, read once: what a driver needs, or why there can be none. Pure. */
import type { Driver } from '../../devices/driver.ts';
import { type Profile, readProfile } from '../../devices/profile.ts';
import type { Device, DeviceProfile, Json } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/twin/merge.ts';

export interface DeviceSetup {
  /** Twin id: `NAMESPACE.NAME`. */
  id: string;
  device: Device;
  /** Undefined where it cannot be read: `fault` says why. */
  profile: Profile | undefined;
  /** Undefined: apps are its driver, or `fault` says why there is none. */
  driver: Driver | undefined;
  /** Of `spec.protocols`. */
  address: Readonly<Record<string, string>>;
  /** `adminState` is LOCKED: nothing is written to it. */
  locked: boolean;
  fault?: string;
  /** What a connection depends on; another one is a new connection. */
  basis: Json;
}

/** A profile is replaced, never changed. */
const read = new WeakMap<DeviceProfile, Profile | { fault: string }>();

export function setupOf(
  device: Device,
  profiles: ReadonlyMap<string, DeviceProfile>,
  drivers: ReadonlyMap<string, Driver>,
): DeviceSetup {
  const { namespace = 'default', name } = device.metadata;
  const { profileName, adminState, protocols = {} } = device.spec;
  const source = profiles.get(`${namespace}/${profileName}`);
  const profile = source === undefined ? undefined : profileOf(source);
  const [protocol] = Object.keys(protocols).filter((each) => drivers.has(each));
  const readable = profile !== undefined && !('fault' in profile);
  const setup = {
    id: `${namespace}.${name}`,
    device,
    profile: readable ? profile : undefined,
    driver: protocol === undefined ? undefined : drivers.get(protocol),
    address: protocol === undefined ? {} : textsOf(protocols[protocol] ?? {}),
    locked: adminState === 'LOCKED',
    basis: [source?.spec ?? null, protocols] as unknown as Json,
  };
  const fault = faultOf();
  return fault === undefined ? setup : { ...setup, fault };

  function faultOf(): string | undefined {
    if (profile === undefined) return `there is no DeviceProfile ${profileName} in the namespace ${namespace}`;
    if ('fault' in profile) return `the DeviceProfile ${profileName} cannot be used: ${profile.fault}`;
    const wanted = Object.keys(protocols);
    if (protocol !== undefined || wanted.length === 0) return undefined;
    return `this terminal has no driver for ${wanted.join(', ')}, only for ${[...drivers.keys()].join(', ')}`;
  }
}

export function sameBasis(one: DeviceSetup, other: DeviceSetup): boolean {
  return sameJson(one.basis, other.basis);
}

function profileOf(source: DeviceProfile): Profile | { fault: string } {
  let profile = read.get(source);
  if (profile === undefined) {
    profile = parse(source);
    read.set(source, profile);
  }
  return profile;
}

function parse(source: DeviceProfile): Profile | { fault: string } {
  try {
    return readProfile(source.spec as unknown as Json);
  } catch (error) {
    return { fault: (error as Error).message };
  }
}

/** YAML makes numbers of what OpenYurt means as texts. */
function textsOf(address: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(address).map(([key, value]) => [key, String(value)]));
}
