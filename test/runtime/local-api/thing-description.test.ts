/** Descriptions are valid by W3C's own schema, and say what their reader may do, no more. */
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import schema from 'wot-thing-description-types/schema/td-json-schema-validation.json' with { type: 'json' };
import { type Profile, readProfile, valueTypes } from '../../../devices/profile.ts';
import { models } from '../../../devices/sim/sim-driver.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import type { TwinVerb } from '../../../runtime/local-api/rights.ts';
import { type Description, describeThing, type Reader } from '../../../runtime/local-api/thing-description.ts';

// Formats are those of addresses, of which a description here has none but its own.
const isValid = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);

const reader = (...verbs: TwinVerb[]): Reader => ({
  base: 'http://127.0.0.1:8080',
  ticket: 'read.owner.x.y',
  may: (verb) => verbs.includes(verb),
});
const all = reader('get', 'desired', 'reported', 'invoke');

function expectValid(description: Description): void {
  isValid(description);
  expect(isValid.errors ?? []).toEqual([]);
}

function profileOf(model: string): Profile {
  const { resources, commands } = models[model]!;
  const events = ['jam', 'scan', 'misread', 'passage', 'forced', 'unused'];
  return readProfile({
    description: `a ${model}`,
    deviceResources: resources.map((name) => ({
      name,
      description: 'what it is',
      tag: events.includes(name) ? 'event' : '',
      properties: { valueType: 'String', readWrite: 'RW', defaultValue: 'x', units: '1' },
    })),
    deviceCommands: commands.map((name) => ({
      name,
      readWrite: 'W',
      resourceOperations: [{ deviceResource: resources[0]! }],
    })),
  });
}

test('the schema refuses what is no description', () => {
  expect(isValid({ title: 'x' })).toBe(false);
});

test.each(['barrier', 'turnstile', 'scanner'])('a %s is described by its profile', (model) => {
  const description = describeThing({ id: `default.${model}-1`, profile: profileOf(model) }, all);
  expectValid(description);
  const { resources, commands } = models[model]!;
  const named = [...Object.keys(description.properties!), ...Object.keys(description.events!)];
  expect(named.filter((name) => name !== '_device').sort()).toEqual([...resources].sort());
  expect(Object.keys(description.actions!)).toEqual([...commands]);
});

test('any other twin has the properties desired and reported', () => {
  const description = describeThing({ id: 'gate-1', profile: undefined }, all, [
    { href: 'http://127.0.0.1:8080/things/default.it', rel: 'item', type: 'application/td+json' },
  ]);
  expectValid(description);
  expect(Object.keys(description.properties!)).toEqual(['desired', 'reported']);
});

test('every type of a value has its schema', () => {
  const profile = readProfile({
    deviceResources: valueTypes.map((valueType) => ({
      name: valueType,
      properties: { valueType, readWrite: 'RW', minimum: '-5', maximum: '40', units: '°C' },
    })),
  });
  const description = describeThing({ id: 'default.it', profile }, all);
  expectValid(description);
  const properties = description.properties as Record<string, Json>;
  expect(properties.Int16).toMatchObject({ type: 'integer', minimum: -5, maximum: 40, unit: '°C' });
  expect(properties.Uint8).toMatchObject({ type: 'integer', minimum: 0, maximum: 40 });
  expect(properties.Float32).toMatchObject({ type: 'number', minimum: -5, maximum: 40 });
  expect([properties.Bool, properties.String, properties.Object]).toMatchObject(
    ['boolean', 'string', 'object'].map((type) => ({ type })),
  );
});

test('what is read, written or hidden only is described so', () => {
  const resource = (name: string, readWrite: string, rest: object = {}) => ({
    name,
    properties: { valueType: 'Bool', readWrite },
    ...rest,
  });
  const profile = readProfile({
    deviceResources: [resource('r', 'R'), resource('w', 'W'), resource('h', 'RW', { isHidden: true })],
    deviceCommands: [
      {
        name: 'go',
        readWrite: 'W',
        resourceOperations: [{ deviceResource: 'h' }, { deviceResource: 'w', defaultValue: 'true' }],
      },
      { name: 'secret', isHidden: true, readWrite: 'W', resourceOperations: [{ deviceResource: 'h' }] },
    ],
  });
  const description = describeThing({ id: 'default.it', profile }, all);
  expectValid(description);
  const { r, w, h } = description.properties as Record<string, { readOnly?: boolean; forms: { op: string[] }[] }>;
  expect([r, w]).toMatchObject([
    { readOnly: true, observable: true },
    { writeOnly: true, observable: false },
  ]);
  expect([r!.forms[0]!.op, w!.forms.map(({ op }) => op), h]).toEqual([
    ['readproperty'],
    [['writeproperty']],
    undefined,
  ]);
  expect(description.actions).toMatchObject({ go: { input: { required: ['h'], properties: { h: {}, w: {} } } } });
  expect(description.actions).not.toHaveProperty('secret');
});

test('what its reader may not do is left out', () => {
  const thing = { id: 'default.barrier-1', profile: profileOf('barrier') };
  const mayRead = describeThing(thing, reader('get'));
  expectValid(mayRead);
  expect(mayRead.actions).toEqual({});
  expect(JSON.stringify(mayRead)).not.toContain('writeproperty');
  const stranger = describeThing(thing, reader());
  expectValid(stranger);
  expect(stranger).not.toHaveProperty('properties');
});

test('an observing client finds the stream before the long poll, and needs no header for it', () => {
  const { properties } = describeThing({ id: 'gate-1', profile: undefined }, all);
  const { forms } = (properties as Record<string, { forms: Record<string, Json>[] }>).reported!;
  const observing = forms.filter(({ op }) => (op as string[]).includes('observeproperty'));
  expect(observing).toMatchObject([
    { subprotocol: 'sse', href: expect.stringContaining('?ticket=') },
    { subprotocol: 'sse', href: expect.stringContaining('?ticket='), security: ['ticket'] },
    { subprotocol: 'longpoll' },
  ]);
});
