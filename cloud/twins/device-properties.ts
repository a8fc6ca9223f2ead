/**
 * What OpenYurt's clients write into a Device, and read from it, is the twin's desired and reported: texts there,
 * values of the profile's types here. Pure.
 */
import { type Profile, parseValue, readProfile } from '../../devices/profile.ts';
import { AppError } from '../../protocol/errors.ts';
import { type Device, type DeviceProfile, type Json, keys, type Twin } from '../../protocol/kubernetes.ts';
import { type Members, sameJson } from '../../protocol/twin/merge.ts';
import { checkedSection } from '../../protocol/twin/section.ts';

/** What a Device wants of its twin, as far as it can be understood. */
export interface WantedProperties {
  values: ReadonlyMap<string, Json>;
  /** One sentence each. */
  faults: readonly string[];
}

/** The id of the twin of a Device. */
export function twinIdOf({ metadata }: Device): string {
  return `${metadata.namespace}.${metadata.name}`;
}

/** `NAMESPACE/NAME` of the Device whose twin would have this id; namespaces have no dots. */
export function deviceKeyOf(twinId: string): string | undefined {
  const dot = twinId.indexOf('.');
  return dot < 1 ? undefined : `${twinId.slice(0, dot)}/${twinId.slice(dot + 1)}`;
}

const profiles = new WeakMap<DeviceProfile, Profile | AppError>();

/** Read once per revision of the object. */
export function profileOf(object: DeviceProfile): Profile | AppError {
  let profile = profiles.get(object);
  if (profile === undefined) {
    try {
      profile = readProfile(object.spec as unknown as Json);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      profile = error;
    }
    profiles.set(object, profile);
  }
  return profile;
}

/** `spec.deviceProperties` as the profile types them. */
export function wantedProperties(device: Device, profile: Profile): WantedProperties {
  const values = new Map<string, Json>();
  const faults: string[] = [];
  for (const [key, { name, desiredValue }] of Object.entries(device.spec.deviceProperties ?? {})) {
    const resource = profile.resources.get(name || key);
    if (resource === undefined) faults.push(`deviceProperties.${key} is no resource of ${device.spec.profileName}`);
    else if (!resource.writable) faults.push(`deviceProperties.${key} cannot be written`);
    else
      try {
        values.set(resource.name, parseValue(resource, desiredValue));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        faults.push(`deviceProperties.${key}: ${error.message}`);
      }
  }
  return { values, faults };
}

/**
 * The twin with what changed in `spec.deviceProperties` since it was looked at last; the very same one when nothing
 * did, and undefined when it would be over the limits of a twin. What somebody wrote into the twin itself stands until
 * the Device says something new.
 */
export function withProperties(twin: Twin, { values }: WantedProperties): Twin | undefined {
  const before = takenOver(twin);
  const wanted = Object.fromEntries(values);
  if (sameJson(before, wanted)) return twin;
  const desired = { ...twin.spec.desired };
  for (const [name, value] of Object.entries(before))
    if (!values.has(name) && sameJson(desired[name], value)) delete desired[name];
  for (const [name, value] of values) if (!sameJson(before[name], value)) desired[name] = value;
  if (!isSection(desired)) return undefined;
  const annotations: Record<string, string> = {
    ...twin.metadata.annotations,
    [keys.deviceProperties]: JSON.stringify(wanted),
  };
  if (!sameJson(desired, twin.spec.desired)) annotations[keys.changedBy] = 'Device';
  return { ...twin, metadata: { ...twin.metadata, annotations }, spec: { ...twin.spec, desired } };
}

/** What is, as texts by the name of the resource; what the twin reports beyond the profile is left out. */
export function actualProperties(twin: Twin | undefined, profile: Profile) {
  const reported = twin?.status?.reported?.value ?? {};
  const names = Object.keys(reported).filter((name) => profile.resources.has(name));
  return Object.fromEntries(names.map((name) => [name, { name, actualValue: textOf(reported[name]!) }]));
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

function takenOver({ metadata }: Twin): Members {
  try {
    return JSON.parse(metadata.annotations?.[keys.deviceProperties] ?? '{}') as Members;
  } catch {
    return {};
  }
}

function isSection(desired: Members): boolean {
  try {
    checkedSection(desired, 'spec.desired');
    return true;
  } catch {
    return false;
  }
}
