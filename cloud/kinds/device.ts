/**
 * Device and DeviceProfile iot.openyurt.io/v1alpha1. Source: openyurtio/openyurt pkg/apis/iot/v1alpha1, which has no
 * webhook for them; here a profile that no driver could read is refused where it is written.
 */

import { readProfile } from '../../devices/profile.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Device, DeviceProfile, Json } from '../../protocol/kubernetes.ts';
import { deviceProfileRow, deviceRow } from '../../protocol/resources/kinds/device.ts';
import { type FieldFault, required } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';

export const deviceKind = defineKind<Device>({
  ...deviceRow,
  builtin: false,
  schema: 'io.openyurt.iot.v1alpha1.Device',
  validate: ({ spec }) => (spec.profileName === '' ? [required('spec.profileName', 'what the device can do')] : []),
});

export const deviceProfileKind = defineKind<DeviceProfile>({
  ...deviceProfileRow,
  builtin: false,
  schema: 'io.openyurt.iot.v1alpha1.DeviceProfile',
  validate: ({ spec }) => profileFaults(spec as unknown as Json),
});

function profileFaults(spec: Json): FieldFault[] {
  try {
    readProfile(spec);
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const faults = Array.isArray(error.details.faults) ? (error.details.faults as string[]) : [error.message];
    return faults.map((fault) => {
      const [, path = '', message = fault] = /^([A-Za-z[\]0-9.]+):? (.*)$/.exec(fault) ?? [];
      return { field: path === '' ? 'spec' : `spec.${path}`, reason: 'FieldValueInvalid', message };
    });
  }
}
