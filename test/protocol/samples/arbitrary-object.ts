/** Arbitrary Kubernetes objects: what a schema expects, mixed with everything it does not. */
import fc from 'fast-check';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { knownKinds } from '../../../protocol/objects/known-kinds.ts';
import type { Field, Struct } from '../../../protocol/objects/object-schema.ts';

/** Texts that trip encoders: integer-like, prototype names, half surrogates, order beyond the basic plane, long. */
const oddText = fc.constantFrom(
  ...['', '__proto__', 'constructor', 'toString', '9', '10', '-1', '\ud800', '\udc00x', '\ufffd', '😀', '\uffff', 'é'],
  ...['True', 'v1', 'TCP', 'name', 'x'.repeat(31), 'x'.repeat(32), 'y'.repeat(300)],
);
const text = fc.oneof(fc.string(), oddText);
const number = fc.oneof(
  fc.constantFrom(0, -0, 127, 128, -32, -33, 65_535, 65_536, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 1e300, 0.1),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.maxSafeInteger(),
);

const { value: anyJson, members } = fc.letrec<{ value: unknown; members: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'json' },
    fc.oneof(text, number, fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'json' }),
    tie('members'),
  ),
  members: fc
    .array(fc.tuple(text, tie('value')), { maxLength: 4, depthIdentifier: 'json' })
    .map((entries) => ownMembers(entries)),
}));

/** As `JSON.parse` makes them: `__proto__` is a member like any other. */
function ownMembers(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

function structValue(struct: Struct): fc.Arbitrary<Record<string, unknown>> {
  const some = fc.subarray([...struct.fields], { maxLength: Math.min(6, struct.fields.length) });
  const known = some.chain((fields) => fc.tuple(...fields.map(([name, field]) => fieldValue(name, field))));
  const rest = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: members });
  return fc.tuple(known, rest).map(([entries, others]) => ownMembers([...Object.entries(others), ...entries]));
}

function fieldValue(name: string, field: Field): fc.Arbitrary<readonly [string, unknown]> {
  const odd = { weight: 1, arbitrary: anyJson };
  const named = (value: fc.Arbitrary<unknown>) => value.map((item) => [name, item] as const);
  if (field.form === 'json') return named(anyJson);
  if (field.form === 'words') return named(fc.oneof(odd, { weight: 4, arbitrary: fc.constantFrom(...field.words) }));
  const fitting = field.form === 'struct' ? structValue(field) : fc.array(structValue(field.of), { maxLength: 3 });
  return named(fc.oneof(odd, { weight: 5, arbitrary: fitting }));
}

function withMeta(object: Record<string, unknown>, apiVersion: string, kind: string, name: string): KubeObject {
  const given = object.metadata;
  const metadata = typeof given === 'object' && given !== null && !Array.isArray(given) ? given : {};
  return { ...object, apiVersion, kind, metadata: { ...metadata, name } };
}

const knownObject = fc
  .constantFrom(...knownKinds)
  .chain(({ apiVersion, kind, struct }) =>
    fc.tuple(structValue(struct), text).map(([object, name]) => withMeta(object, apiVersion, kind, name)),
  );
const customObject = fc
  .tuple(members, text, text, text)
  .map(([object, apiVersion, kind, name]) => withMeta(object, apiVersion, kind, name));

export const arbitraryJson = anyJson;
export const arbitraryObject = fc.oneof({ weight: 4, arbitrary: knownObject }, { weight: 1, arbitrary: customObject });
