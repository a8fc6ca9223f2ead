/** Device and DeviceProfile. Source: OpenYurt iot.openyurt.io/v1alpha1. */
import { condition, objectMeta } from './meta.ts';
import { json, listOf, struct, words } from './object-schema.ts';

const adminState = words('UNLOCKED', 'LOCKED');
const operatingState = words('UP', 'DOWN', 'UNKNOWN');
const readWrite = words('RW', 'R', 'W');

const deviceSpec = struct('DeviceSpec', {
  serviceName: json,
  profileName: json,
  notify: json,
  description: json,
  adminState,
  operatingState,
  protocols: json,
  labels: json,
  location: json,
  managed: json,
  nodePool: json,
  deviceProperties: json,
});
const deviceStatus = struct('DeviceStatus', {
  lastConnected: json,
  lastReported: json,
  synced: json,
  edgeId: json,
  adminState,
  operatingState,
  deviceProperties: json,
  conditions: listOf(condition),
});

export const device = struct('Device', { metadata: objectMeta, spec: deviceSpec, status: deviceStatus });

const resourceProperties = struct('ResourceProperties', {
  valueType: words(
    'Bool',
    'String',
    'Uint8',
    'Uint16',
    'Uint32',
    'Uint64',
    'Int8',
    'Int16',
    'Int32',
    'Int64',
    'Float32',
    'Float64',
    'Object',
  ),
  readWrite,
  units: json,
  minimum: json,
  maximum: json,
  defaultValue: json,
  mask: json,
  shift: json,
  scale: json,
  offset: json,
  base: json,
  assertion: json,
  mediaType: json,
});
const deviceResource = struct('DeviceResource', {
  name: json,
  description: json,
  isHidden: json,
  tag: json,
  attributes: json,
  properties: resourceProperties,
});
const resourceOperation = struct('ResourceOperation', { deviceResource: json, mappings: json, defaultValue: json });
const deviceCommand = struct('DeviceCommand', {
  name: json,
  isHidden: json,
  readWrite,
  resourceOperations: listOf(resourceOperation),
});
const deviceProfileSpec = struct('DeviceProfileSpec', {
  nodePool: json,
  description: json,
  manufacturer: json,
  model: json,
  labels: json,
  deviceResources: listOf(deviceResource),
  deviceCommands: listOf(deviceCommand),
});
const deviceProfileStatus = struct('DeviceProfileStatus', { id: json, synced: json });

export const deviceProfile = struct('DeviceProfile', {
  metadata: objectMeta,
  spec: deviceProfileSpec,
  status: deviceProfileStatus,
});
