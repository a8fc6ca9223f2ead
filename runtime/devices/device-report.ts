/** What a device's twin should report, and the patch that makes it so. Pure. */
import type { Profile, Resource } from '../../devices/profile.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { diff, type Members } from '../../protocol/twin/merge.ts';

/** The member of `reported` that tells of the device itself. No resource has such a name: theirs begin with a letter. */
export const DEVICE_MEMBER = '_device';

export interface DeviceState {
  /** Whether the device answers. */
  up: boolean;
  /** Why not, in one sentence. */
  fault?: string;
  /** `adminState` is LOCKED. */
  locked?: true;
  /** Why a desired value is not the device's, by resource. */
  faults?: Readonly<Record<string, string>>;
}

/** What apps may read of a device. */
export function isReported(resource: Resource): boolean {
  return resource.readable && !resource.hidden && !resource.event;
}

/** What apps may desire of a device. */
export function isDesirable(resource: Resource): boolean {
  return resource.writable && !resource.hidden && !resource.event;
}

/**
 * Merge patch from `reported` to what is known; undefined when it is there already. A resource that was not read yet
 * keeps what was reported of it last; a member that is none of the profile's is removed, where there is a profile.
 */
export function reportPatch(
  reported: Members,
  profile: Profile | undefined,
  readings: ReadonlyMap<string, Json>,
  state: DeviceState | undefined,
): Members | undefined {
  const current = Object.fromEntries(Object.entries(reported).filter(([name]) => !name.startsWith('$')));
  const kept = Object.entries(current).filter(([name]) => {
    const resource = profile?.resources.get(name);
    return profile === undefined || name === DEVICE_MEMBER || (resource !== undefined && isReported(resource));
  });
  const told: Members = state === undefined ? {} : { [DEVICE_MEMBER]: state as unknown as Json };
  const patch = diff(current, { ...Object.fromEntries(kept), ...Object.fromEntries(readings), ...told });
  return Object.keys(patch).length === 0 ? undefined : patch;
}
