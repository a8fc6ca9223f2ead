/** What a Device says of its twin: pure. */
import { AppError } from '../../protocol/errors.ts';
import { type Condition, type Device, type DeviceProfile, keys, type Twin } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { findCondition, type Verdict, withConditions } from '../controllers/condition.ts';
import type { Outcome } from '../controllers/step.ts';
import { deviceKind } from '../kinds/device.ts';
import { actualProperties, profileOf, twinIdOf, wantedProperties, withProperties } from './device-properties.ts';

/** Values of a device may change many times a second; its object is written once in so long, and when one is new. */
export const DEVICE_STATUS_MS = 60_000;
/** The condition of a Device: it has a twin that does all that the Device says. */
export const TWIN_READY = 'TwinReady';
/** Faults that one message lists. */
const FAULTS_SHOWN_MAX = 8;

export interface DeviceView {
  device: Device;
  profile: DeviceProfile | undefined;
  /** The node that the annotation names exists. */
  nodeExists: boolean;
  /** A node has the name that the twin would have. */
  nameTaken: boolean;
  twin: Twin | undefined;
  nowMs: number;
}

/** The member of reported in which a terminal tells of the device itself; no resource has such a name. */
const DEVICE_MEMBER = '_device';

type Account = Partial<NonNullable<Device['status']>>;

export function reconcileDevice(view: DeviceView): Outcome {
  const { device, nowMs } = view;
  const { conditions: before, ...status } = device.status ?? {};
  const verdict = verdictOf(view);
  const conditions = verdict === undefined ? before : withConditions(before, [verdict], nowMs);
  const next = accountOf(view);
  const news =
    next !== undefined && Object.entries(next).some(([key, value]) => !sameJson(status[key as never], value));
  const waitMs = (status.lastReported ?? -DEVICE_STATUS_MS) + DEVICE_STATUS_MS - nowMs;
  // A clock that was put back must not silence a device.
  const due = news && (waitMs <= 0 || waitMs > DEVICE_STATUS_MS || hasNewProperty(status, next));
  if (!due && conditions === before) return { steps: [], ...(news ? { lookAgainMs: waitMs } : {}) };
  const account = due ? { ...next, lastReported: nowMs } : {};
  const object: Device = {
    ...device,
    status: { ...status, ...account, ...(conditions === undefined ? {} : { conditions: conditions as Condition[] }) },
  };
  return {
    steps: [{ do: 'updateStatus', kind: deviceKind, object }],
    ...(news && !due ? { lookAgainMs: waitMs } : {}),
  };
}

/** A device that comes up tells one resource after the other; each is new once. */
function hasNewProperty({ deviceProperties = {} }: Account, next: Account): boolean {
  return Object.keys(next.deviceProperties ?? {}).some((name) => !Object.hasOwn(deviceProperties, name));
}

function verdictOf({ device, profile, nodeExists, nameTaken, twin }: DeviceView): Verdict | undefined {
  const fault = (reason: string, message: string): Verdict => ({ type: TWIN_READY, status: 'False', reason, message });
  const node = device.metadata.annotations?.[keys.deviceNode];
  const { profileName } = device.spec;
  if (node === undefined) {
    // Devices that no terminal drives are nobody's business here, unless one did.
    const known = findCondition(device.status?.conditions, TWIN_READY);
    return known && fault('NoNode', `No node drives it: set the annotation ${keys.deviceNode}.`);
  }
  if (nameTaken)
    return fault('NameTaken', `A node is called ${twinIdOf(device)}, as the twin would be: rename the device.`);
  if (!nodeExists) return fault('NodeMissing', `The node ${node} does not exist.`);
  if (profile === undefined)
    return fault('ProfileMissing', `There is no DeviceProfile ${profileName} in its namespace.`);
  const read = profileOf(profile);
  if (read instanceof AppError) return fault('ProfileFaulty', `${profileName}: ${read.message}`);
  const wanted = wantedProperties(device, read);
  const { faults } = wanted;
  if (faults.length > 0) return fault('PropertyFaulty', `${faults.slice(0, FAULTS_SHOWN_MAX).join('; ')}.`);
  if (twin !== undefined && withProperties(twin, wanted) === undefined)
    return fault('PropertyFaulty', 'With deviceProperties, desired of its twin would be larger than a twin may be.');
  return { type: TWIN_READY, status: 'True', reason: 'TwinMade', message: `${node} holds its twin.` };
}

/** Undefined while the node has told nothing. */
function accountOf({ twin, profile }: DeviceView): Account | undefined {
  const reported = twin?.status?.reported?.value;
  const read = profile && profileOf(profile);
  if (reported === undefined || read === undefined || read instanceof AppError) return undefined;
  const { up, locked } = (reported[DEVICE_MEMBER] ?? {}) as { up?: unknown; locked?: unknown };
  return {
    ...(typeof up === 'boolean' ? { operatingState: up ? 'UP' : 'DOWN' } : {}),
    adminState: locked === true ? 'LOCKED' : 'UNLOCKED',
    deviceProperties: actualProperties(twin, read),
  };
}
