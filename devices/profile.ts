/**
 * What a device can do, as data: a DeviceProfile (OpenYurt iot.openyurt.io/v1alpha1, whose fields are EdgeX's) read once,
 * with its texts as the types that they mean. Resources become properties of the device's twin, or events where their
 * `tag` is `event`; commands become actions.
 */
import { AppError } from '../protocol/errors.ts';
import type { Json } from '../protocol/kubernetes.ts';

export const integerRanges = {
  Uint8: [0, 0xff],
  Uint16: [0, 0xffff],
  Uint32: [0, 0xffff_ffff],
  Uint64: [0, Number.MAX_SAFE_INTEGER],
  Int8: [-0x80, 0x7f],
  Int16: [-0x8000, 0x7fff],
  Int32: [-0x8000_0000, 0x7fff_ffff],
  Int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;

export const valueTypes = [
  'Bool',
  'String',
  'Object',
  'Float32',
  'Float64',
  ...(Object.keys(integerRanges) as (keyof typeof integerRanges)[]),
] as const;
export type ValueType = (typeof valueTypes)[number];

export interface Profile {
  description: string;
  resources: ReadonlyMap<string, Resource>;
  commands: ReadonlyMap<string, Command>;
}

export interface Resource {
  name: string;
  description: string;
  valueType: ValueType;
  readable: boolean;
  writable: boolean;
  /** Not offered to apps, only to commands. */
  hidden: boolean;
  /** Something that happens, not something that is. */
  event: boolean;
  units: string;
  minimum?: number;
  maximum?: number;
  defaultValue?: Json;
  /** What a wire carries is `(value - offset) / scale`. */
  scale: number;
  offset: number;
  /** What the driver must know to find it. */
  attributes: Readonly<Record<string, Json>>;
}

export interface Command {
  name: string;
  readable: boolean;
  writable: boolean;
  hidden: boolean;
  operations: readonly Operation[];
}

export interface Operation {
  resource: string;
  /** Written when the caller gives no value. */
  defaultValue?: Json;
}

type Members = { readonly [key: string]: Json | undefined };

/** Resources and commands that one profile may have. */
const ENTRIES_MAX = 256;

/** `spec` of a DeviceProfile. Errors: `E_INPUT_INVALID` with every fault, one sentence each. */
export function readProfile(spec: Json): Profile {
  const faults: string[] = [];
  const members = objectOf(spec);
  const resources = readAll(members.deviceResources, 'deviceResources', faults, readResource);
  const commands = readAll(members.deviceCommands, 'deviceCommands', faults, (each, path, tell) =>
    readCommand(each, path, tell, resources),
  );
  if (faults.length > 0) throw new AppError('E_INPUT_INVALID', faults.join('; '), { details: { faults } });
  return { description: textOf(members.description), resources, commands };
}

/** `value` as the resource holds it. Errors: `E_INPUT_INVALID`. */
export function checkValue(resource: Resource, value: Json): Json {
  const fault = valueFault(resource, value);
  if (fault !== undefined) throw new AppError('E_INPUT_INVALID', `${resource.name} ${fault}`);
  return value;
}

/** A value that OpenYurt writes as text, e.g. `desiredValue: "true"`. Errors: `E_INPUT_INVALID`. */
export function parseValue(resource: Resource, text: string): Json {
  if (resource.valueType === 'String') return checkValue(resource, text);
  try {
    return checkValue(resource, JSON.parse(text) as Json);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('E_INPUT_INVALID', `${resource.name} ${expectation(resource)}, not ${JSON.stringify(text)}`);
  }
}

function valueFault(resource: Resource, value: Json): string | undefined {
  const { valueType, minimum = -Infinity, maximum = Infinity } = resource;
  if (!hasType(valueType, value)) return `${expectation(resource)}, not ${JSON.stringify(value)}`;
  if (typeof value === 'number' && (value < minimum || value > maximum))
    return `is from ${minimum} to ${maximum}, not ${value}`;
  return undefined;
}

function hasType(valueType: ValueType, value: Json): boolean {
  switch (valueType) {
    case 'Bool':
      return typeof value === 'boolean';
    case 'String':
      return typeof value === 'string';
    case 'Object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'Float32':
    case 'Float64':
      return typeof value === 'number' && Number.isFinite(value);
    default: {
      const [low, high] = integerRanges[valueType];
      return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
    }
  }
}

function expectation({ valueType }: Resource): string {
  const words: Partial<Record<ValueType, string>> = {
    Bool: 'is true or false',
    String: 'is a text',
    Object: 'is an object',
    Float32: 'is a number',
    Float64: 'is a number',
  };
  return words[valueType] ?? `is a whole number (${valueType})`;
}

type Tell = (fault: string) => void;

/** Entries by name; each names itself, once. */
function readAll<T extends { name: string }>(
  list: Json | undefined,
  path: string,
  faults: string[],
  read: (members: Members, path: string, tell: Tell) => T,
): Map<string, T> {
  const entries = new Map<string, T>();
  if (list === undefined || list === null) return entries;
  if (!Array.isArray(list) || list.length > ENTRIES_MAX) {
    faults.push(`${path} is a list of at most ${ENTRIES_MAX}`);
    return entries;
  }
  for (const [index, item] of list.entries()) {
    const at = `${path}[${index}]`;
    const entry = read(objectOf(item), at, (fault) => faults.push(fault));
    if (!/^[A-Za-z][\w.-]{0,62}$/.test(entry.name))
      faults.push(`${at}.name is a letter and up to 62 letters, digits, "_", "." or "-"`);
    else if (entries.has(entry.name)) faults.push(`${at}.name is ${entry.name}, as of another entry`);
    entries.set(entry.name, entry);
  }
  return entries;
}

function readResource(members: Members, path: string, tell: Tell): Resource {
  const properties = objectOf(members.properties);
  const valueType = textOf(properties.valueType);
  if (!isValueType(valueType)) tell(`${path}.properties.valueType is one of ${valueTypes.join(', ')}`);
  const { readable, writable } = directionOf(properties.readWrite, `${path}.properties.readWrite`, tell);
  const number = (name: string) => numberOf(properties[name], `${path}.properties.${name}`, tell);
  const [minimum, maximum] = [number('minimum'), number('maximum')];
  const resource: Resource = {
    name: textOf(members.name),
    description: textOf(members.description),
    valueType: isValueType(valueType) ? valueType : 'String',
    readable,
    writable,
    hidden: members.isHidden === true,
    event: members.tag === 'event',
    units: textOf(properties.units),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    scale: number('scale') ?? 1,
    offset: number('offset') ?? 0,
    attributes: objectOf(members.attributes) as Record<string, Json>,
  };
  if (minimum !== undefined && maximum !== undefined && minimum > maximum)
    tell(`${path}.properties.minimum ${minimum} is above maximum ${maximum}`);
  if (resource.scale === 0) tell(`${path}.properties.scale cannot be 0`);
  return withDefault(resource, properties.defaultValue, path, tell);
}

function withDefault(resource: Resource, text: Json | undefined, path: string, tell: Tell): Resource {
  if (text === undefined || text === null || text === '') return resource;
  try {
    return { ...resource, defaultValue: parseValue(resource, String(text)) };
  } catch (error) {
    tell(`${path}.properties.defaultValue: ${(error as AppError).message}`);
    return resource;
  }
}

function readCommand(members: Members, path: string, tell: Tell, resources: ReadonlyMap<string, Resource>): Command {
  const { readable, writable } = directionOf(members.readWrite, `${path}.readWrite`, tell);
  const list = Array.isArray(members.resourceOperations) ? members.resourceOperations : [];
  if (list.length === 0) tell(`${path}.resourceOperations names at least one resource`);
  const operations = list.slice(0, ENTRIES_MAX).map((item, index): Operation => {
    const { deviceResource, defaultValue } = objectOf(item);
    const at = `${path}.resourceOperations[${index}]`;
    const resource = resources.get(textOf(deviceResource));
    if (resource === undefined) tell(`${at}.deviceResource is no resource of this profile`);
    const operation = { resource: textOf(deviceResource) };
    if (resource === undefined || defaultValue === undefined || defaultValue === null || defaultValue === '')
      return operation;
    try {
      return { ...operation, defaultValue: parseValue(resource, String(defaultValue)) };
    } catch (error) {
      tell(`${at}.defaultValue: ${(error as AppError).message}`);
      return operation;
    }
  });
  return { name: textOf(members.name), readable, writable, hidden: members.isHidden === true, operations };
}

function directionOf(value: Json | undefined, path: string, tell: Tell) {
  const text = textOf(value).toUpperCase();
  if (!['R', 'W', 'RW', 'WR'].includes(text)) tell(`${path} is R, W or RW`);
  return { readable: text.includes('R'), writable: text.includes('W') };
}

/** OpenYurt writes numbers as texts. */
function numberOf(value: Json | undefined, path: string, tell: Tell): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isFinite(number) && typeof value !== 'boolean') return number;
  tell(`${path} is a number`);
  return undefined;
}

function objectOf(value: Json | undefined): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function isValueType(text: string): text is ValueType {
  return (valueTypes as readonly string[]).includes(text);
}
