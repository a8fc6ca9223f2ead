/** Laws of fields and their changes, over generated objects. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { merged, without } from '../../../cloud/api/apply-merge.ts';
import { changeBetween, fieldsOf } from '../../../cloud/api/field-change.ts';
import {
  common,
  type FieldSet,
  fieldSetOf,
  fieldsV1Of,
  isEmpty,
  minus,
  sameFields,
  union,
} from '../../../cloud/api/field-set.ts';
import { shapeOf } from '../../../cloud/api/field-shape.ts';
import { schemas } from '../../../cloud/kinds/structure.ts';
import { sameJson } from '../../../protocol/resources/store/json-value.ts';

const shape = shapeOf(schemas, 'io.k8s.api.core.v1.PodSpec');

const name = fc.constantFrom('a', 'b', 'c');
const container = fc.record(
  {
    name,
    image: fc.constantFrom('x:1', 'x:2'),
    args: fc.array(name, { maxLength: 2 }),
    ports: fc.uniqueArray(
      fc.record({ containerPort: fc.constantFrom(80, 81), name }, { requiredKeys: ['containerPort'] }),
      { selector: ({ containerPort }) => containerPort, maxLength: 2 },
    ),
  },
  { requiredKeys: ['name'] },
);
const spec = fc.record(
  {
    containers: fc.uniqueArray(container, { selector: (each) => each.name, maxLength: 3 }),
    nodeSelector: fc.dictionary(name, name, { maxKeys: 2 }),
    hostNetwork: fc.boolean(),
    securityContext: fc.record({ runAsUser: fc.nat(2), runAsGroup: fc.nat(2) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

const runs = { numRuns: 500 };

test('a set survives its FieldsV1', () => {
  fc.assert(
    fc.property(spec, (value) => {
      const set = fieldsOf(value, shape);
      expect(sameFields(fieldSetOf(JSON.parse(JSON.stringify(fieldsV1Of(set))))!, set)).toBe(true);
    }),
    runs,
  );
});

test('sets behave as sets', () => {
  fc.assert(
    fc.property(spec, spec, (one, other) => {
      const [a, b] = [fieldsOf(one, shape), fieldsOf(other, shape)];
      const same = (x: FieldSet, y: FieldSet) => expect(sameFields(x, y)).toBe(true);
      same(union(minus(a, b), common(a, b)), a);
      same(minus(union(a, b), b), minus(a, b));
      expect(isEmpty(common(minus(a, b), b))).toBe(true);
    }),
    runs,
  );
});

test('nothing changed if and only if nothing differs, and what was removed is not in what came', () => {
  fc.assert(
    fc.property(spec, spec, (before, after) => {
      const { set, removed } = changeBetween(before, after, shape);
      const ordered = (value: typeof before) => ({
        ...value,
        ...(value.containers && { containers: value.containers.map(portsInOrder).sort(byName) }),
      });
      expect(isEmpty(set) && isEmpty(removed)).toBe(sameJson(ordered(before), ordered(after)));
      expect(isEmpty(minus(removed, fieldsOf(before, shape)))).toBe(true);
      expect(isEmpty(common(removed, fieldsOf(after, shape)))).toBe(true);
    }),
    runs,
  );
});

test('applying one thing after another leaves exactly what the last one says, for one who owns it all', () => {
  fc.assert(
    fc.property(spec, spec, (first, second) => {
      const [before, asked] = [fieldsOf(first, shape), fieldsOf(second, shape)];
      const object = without(merged(first, second, shape), minus(before, asked), asked, shape) ?? {};
      const { set, removed } = changeBetween(second, object, shape);
      expect([fieldsV1Of(set), fieldsV1Of(removed)]).toEqual([{}, {}]);
    }),
    runs,
  );
});

test('what is merged changes nothing but what was asked for, removes nothing, and a second time nothing at all', () => {
  fc.assert(
    fc.property(spec, spec, (live, config) => {
      const joined = merged(live, config, shape);
      const { set, removed } = changeBetween(live, joined, shape);
      expect(isEmpty(minus(set, fieldsOf(config, shape)))).toBe(true);
      expect(isEmpty(removed)).toBe(true);
      expect(merged(joined, config, shape)).toEqual(joined);
    }),
    runs,
  );
});

function portsInOrder<T extends { ports?: { containerPort: number }[] }>(each: T): T {
  return { ...each, ...(each.ports && { ports: each.ports.toSorted((a, b) => a.containerPort - b.containerPort) }) };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
