/** OpenAPI schemas of devices. Source: openyurtio/openyurt pkg/apis/iot/v1alpha1. */
import type { Schema } from './schema.ts';
import {
  condition,
  described,
  flag,
  kindSchema,
  listOf,
  long,
  mapOf,
  record,
  text,
  textMap,
  texts,
} from './schema-parts.ts';

const adminState = described({ ...text, enum: ['LOCKED', 'UNLOCKED'] }, 'LOCKED: nothing is written to the device.');
const operatingState = described({ ...text, enum: ['UNKNOWN', 'UP', 'DOWN'] }, 'Whether the device answers.');

const deviceSpec = record(
  {
    serviceName: described(
      text,
      'The service that drives the device; kept for OpenYurt, the annotation stile.dev/node decides here.',
    ),
    profileName: described(text, 'Name of the DeviceProfile in the same namespace.'),
    notify: flag,
    description: text,
    adminState,
    operatingState,
    protocols: described(
      mapOf(textMap),
      'By driver, what it must know to find the device, e.g. sim: {model: barrier}.',
    ),
    labels: texts,
    location: text,
    managed: described(flag, 'false: what is changed on the terminal wins over the hub.'),
    nodePool: text,
    deviceProperties: described(
      mapOf(record({ name: text, putURL: text, desiredValue: text }, ['name', 'desiredValue'])),
      'What its resources shall be, as text.',
    ),
  },
  ['serviceName', 'profileName', 'notify'],
);

const deviceStatus = record({
  lastConnected: described(long, 'Milliseconds since 1970.'),
  lastReported: described(long, 'Milliseconds since 1970.'),
  synced: flag,
  edgeId: text,
  adminState,
  operatingState,
  deviceProperties: mapOf(record({ name: text, getURL: text, actualValue: text }, ['name', 'actualValue'])),
  conditions: listOf(condition),
});

const propertyNames = [
  ...['readWrite', 'minimum', 'maximum', 'defaultValue', 'mask', 'shift', 'scale', 'offset', 'base', 'assertion'],
  ...['mediaType', 'units', 'valueType'],
];
const resource = record(
  {
    name: text,
    description: text,
    isHidden: described(flag, 'Not offered to apps, only to commands.'),
    tag: described(text, 'event: something that happens, not something that is.'),
    attributes: described(mapOf({}), 'What the driver must know to find it.'),
    properties: record(Object.fromEntries(propertyNames.map((name) => [name, text]))),
  },
  ['name', 'properties'],
);
const operation = record({ deviceResource: text, mappings: textMap, defaultValue: text });
const command = record({ name: text, isHidden: flag, readWrite: text, resourceOperations: listOf(operation) }, [
  'name',
  'readWrite',
  'resourceOperations',
]);

const profileSpec = record({
  nodePool: text,
  description: text,
  manufacturer: text,
  model: text,
  labels: texts,
  deviceResources: described(listOf(resource), 'What can be read and written, and what can happen.'),
  deviceCommands: described(listOf(command), 'What can be asked for as a whole.'),
});

const group = 'iot.openyurt.io';
const version = 'v1alpha1';

export const iotSchemas: Readonly<Record<string, Schema>> = {
  'io.openyurt.iot.v1alpha1.Device': kindSchema(
    ...([group, version, 'Device', 'A thing attached to a terminal.'] as const),
    deviceSpec,
    deviceStatus,
  ),
  'io.openyurt.iot.v1alpha1.DeviceProfile': kindSchema(
    ...([group, version, 'DeviceProfile', 'What devices of one make can do.'] as const),
    profileSpec,
    record({ id: text, synced: flag }),
  ),
};
