/** Device and DeviceProfile iot.openyurt.io/v1alpha1. */
import { type Device, type DeviceProfile, keys } from '../../kubernetes.ts';
import { column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

export const deviceRow: ResourceRow<Device> = {
  group: 'iot.openyurt.io',
  version: 'v1alpha1',
  kind: 'Device',
  plural: 'devices',
  shortNames: ['dev'],
  categories: ['yurt'],
  namespaced: true,
  status: true,
  columns: [
    column<Device>('Node', (device) => device.metadata.annotations?.[keys.deviceNode] ?? ''),
    column<Device>('Profile', (device) => device.spec.profileName),
    column<Device>('State', (device) => device.status?.operatingState ?? 'UNKNOWN'),
    column<Device>('NodePool', (device) => device.spec.nodePool ?? '', { priority: 1 }),
    column<Device>('Managed', (device) => String(device.spec.managed ?? true), { priority: 1 }),
  ],
};

export const deviceProfileRow: ResourceRow<DeviceProfile> = {
  group: 'iot.openyurt.io',
  version: 'v1alpha1',
  kind: 'DeviceProfile',
  plural: 'deviceprofiles',
  shortNames: ['dp'],
  categories: ['yurt'],
  namespaced: true,
  status: true,
  columns: [
    column<DeviceProfile>('Manufacturer', (profile) => profile.spec.manufacturer ?? ''),
    column<DeviceProfile>('Model', (profile) => profile.spec.model ?? ''),
    column<DeviceProfile>('Resources', (profile) => profile.spec.deviceResources?.length ?? 0, { type: 'integer' }),
    column<DeviceProfile>('Commands', (profile) => profile.spec.deviceCommands?.length ?? 0, { type: 'integer' }),
  ],
};
