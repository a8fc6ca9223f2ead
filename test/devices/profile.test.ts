/** A DeviceProfile as OpenYurt writes it, read once: what is right is typed, what is wrong is told, all of it. */
import { expect, test } from 'vitest';
import { checkValue, parseValue, readProfile } from '../../devices/profile.ts';
import type { AppError } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';

const resource = (name: string, properties: Record<string, Json>, rest: Record<string, Json> = {}): Json => ({
  name,
  description: '',
  isHidden: false,
  properties: { valueType: 'Int16', readWrite: 'RW', ...properties },
  ...rest,
});

const spec: Json = {
  description: 'a barrier',
  deviceResources: [
    resource('level', { minimum: '-5', maximum: '40', units: '°C', scale: '0.1', defaultValue: '20' }),
    resource('open', { valueType: 'Bool', readWrite: 'W' }),
    resource('jam', { valueType: 'Object', readWrite: 'R' }, { tag: 'event' }),
  ],
  deviceCommands: [
    {
      name: 'raise',
      isHidden: false,
      readWrite: 'W',
      resourceOperations: [{ deviceResource: 'open', defaultValue: 'true' }],
    },
  ],
};

test('texts become the types that they mean', () => {
  const { resources, commands } = readProfile(spec);
  expect(resources.get('level')).toMatchObject({
    minimum: -5,
    maximum: 40,
    scale: 0.1,
    defaultValue: 20,
    readable: true,
    writable: true,
    event: false,
  });
  expect(resources.get('jam')).toMatchObject({ event: true, writable: false });
  expect(commands.get('raise')?.operations).toEqual([{ resource: 'open', defaultValue: true }]);
});

test('an empty profile is one', () => {
  expect(readProfile({}).resources.size).toBe(0);
});

test.each<[string, Json, string]>([
  ['a type that nobody has', resource('a', { valueType: 'Int7' }), 'deviceResources[0].properties.valueType is one of'],
  ['no direction', resource('a', { readWrite: '' }), 'deviceResources[0].properties.readWrite is R, W or RW'],
  ['a bound that is no number', resource('a', { minimum: 'low' }), 'properties.minimum is a number'],
  ['a default beyond its bound', resource('a', { maximum: '5', defaultValue: '6' }), 'is from -Infinity to 5, not 6'],
  ['a default of another type', resource('a', { defaultValue: '"x"' }), 'is a whole number (Int16), not "x"'],
  ['bounds that leave nothing', resource('a', { minimum: 2, maximum: 1 }), 'properties.minimum 2 is above maximum 1'],
  ['no scale at all', resource('a', { scale: '0' }), 'scale cannot be 0'],
  ['a name with a space', resource('a b', {}), 'deviceResources[0].name is a letter'],
])('%s is refused', (_what, entry, fault) => {
  expect(() => readProfile({ deviceResources: [entry] })).toThrow(fault);
});

test('every fault is told at once', () => {
  const faulty = { deviceResources: [resource('a', { valueType: 'x' }), resource('a', {})], deviceCommands: 'none' };
  try {
    readProfile(faulty);
    expect.unreachable();
  } catch (error) {
    expect((error as AppError).details.faults).toHaveLength(3);
  }
});

test('a command names resources that there are', () => {
  const command = { name: 'x', readWrite: 'W', resourceOperations: [{ deviceResource: 'nothing' }] };
  expect(() => readProfile({ deviceCommands: [command] })).toThrow('is no resource of this profile');
  expect(() => readProfile({ deviceCommands: [{ name: 'x', readWrite: 'R' }] })).toThrow('at least one resource');
});

test.each<[string, Json, boolean]>([
  ['Uint8', 255, true],
  ['Uint8', 256, false],
  ['Uint8', -1, false],
  ['Int32', 1.5, false],
  ['Int64', 2 ** 53, false],
  ['Float32', 1.5, true],
  ['Bool', 'true', false],
  ['String', '', true],
  ['Object', {}, true],
  ['Object', [], false],
])('%s takes %j: %j', (valueType, value, taken) => {
  const [read] = [...readProfile({ deviceResources: [resource('a', { valueType })] }).resources.values()];
  if (taken) expect(checkValue(read!, value)).toEqual(value);
  else expect(() => checkValue(read!, value)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
});

test('a text is parsed as its type says', () => {
  const of = (valueType: string) =>
    [...readProfile({ deviceResources: [resource('a', { valueType })] }).resources.values()][0]!;
  expect(parseValue(of('String'), 'true')).toBe('true');
  expect(parseValue(of('Bool'), 'true')).toBe(true);
  expect(parseValue(of('Float64'), '1e3')).toBe(1_000);
  expect(() => parseValue(of('Bool'), 'yes')).toThrow('a is true or false, not "yes"');
});
