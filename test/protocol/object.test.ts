import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../protocol/errors.ts';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import { encode } from '../../protocol/msgpack.ts';
import { decodeObject, encodeObject, project } from '../../protocol/object.ts';
import { knownKinds } from '../../protocol/objects/known-kinds.ts';
import { arbitraryJson, arbitraryObject } from './samples/arbitrary-object.ts';
import { boundPod, configMap, endpointSlice, runningPod, yurtAppSet } from './samples/objects.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const codeFrom = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return codeOf(error);
  }
  return 'nothing thrown';
};
/** The same value with the members of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

describe('the law of objects', () => {
  it('what is decoded is the projection of what was encoded, for every object', () => {
    fc.assert(
      fc.property(arbitraryObject, (object) => isDeepStrictEqual(decodeObject(encodeObject(object)), project(object))),
      { numRuns: 3_000, seed: 20_260_301 },
    );
  });

  it('equal projections give equal bytes, whatever the order of members', () => {
    fc.assert(
      fc.property(arbitraryObject, (object) => {
        const bytes = hex(encodeObject(object));
        const projection = project(object);
        return (
          bytes === hex(encodeObject(projection)) && bytes === hex(encodeObject(reversed(projection) as KubeObject))
        );
      }),
      { numRuns: 1_000, seed: 20_260_302 },
    );
  });

  it('projecting twice changes nothing', () => {
    fc.assert(
      fc.property(arbitraryObject, (object) => isDeepStrictEqual(project(project(object)), project(object))),
      { numRuns: 500, seed: 20_260_303 },
    );
  });

  it('a member of any shape survives in any known field', () => {
    const fields = ['spec', 'status', 'metadata'] as const;
    fc.assert(
      fc.property(fc.constantFrom(...fields), arbitraryJson, (field, value) => {
        const object = { ...boundPod(), ...(field === 'metadata' ? {} : { [field]: value }) } as KubeObject;
        return isDeepStrictEqual(decodeObject(encodeObject(object)), project(object));
      }),
      { numRuns: 500, seed: 20_260_304 },
    );
  });
});

describe('projection', () => {
  it('strips managedFields and resourceVersion of the object, and not of a reference inside', () => {
    const slice = endpointSlice(1) as KubeObject & { endpoints: { targetRef: Record<string, string> }[] };
    slice.metadata.resourceVersion = '12';
    slice.metadata.managedFields = [{ manager: 'kubectl' }];
    slice.endpoints[0]!.targetRef.resourceVersion = '7';
    const decoded = decodeObject(encodeObject(slice)) as typeof slice;
    expect(decoded.metadata).not.toHaveProperty('resourceVersion');
    expect(decoded.metadata).not.toHaveProperty('managedFields');
    expect(decoded.endpoints[0]!.targetRef.resourceVersion).toBe('7');
  });

  it('keeps null where the schema knows nothing and drops it where it does', () => {
    expect(decodeObject(encodeObject(yurtAppSet()))).toHaveProperty('spec.nothing', null);
    const pod = { ...boundPod(), status: null, extra: null } as KubeObject;
    expect(decodeObject(encodeObject(pod))).not.toHaveProperty('status');
    expect(decodeObject(encodeObject(pod))).toHaveProperty('extra', null);
  });

  it('a new resourceVersion does not change the bytes', () => {
    const later = boundPod();
    later.metadata.resourceVersion = '99999';
    expect(hex(encodeObject(later))).toBe(hex(encodeObject(boundPod())));
  });
});

describe('refusals', () => {
  it('an object without apiVersion, kind or name is no input', () => {
    for (const object of [{}, { apiVersion: 'v1', kind: 'Pod' }, { apiVersion: 'v1', kind: 'Pod', metadata: {} }]) {
      expect(codeFrom(() => encodeObject(object as KubeObject))).toBe('E_INPUT_INVALID');
    }
  });

  it('an object that is too large or too deep never reaches the wire', () => {
    const large = { ...configMap(), data: { all: 'x'.repeat(limits.objectBytesMax) } };
    expect(codeFrom(() => encodeObject(large))).toBe('E_WIRE_TOO_LARGE');
    let deep: Json = 1;
    for (let level = 0; level < limits.depthMax; level++) deep = { deep };
    expect(codeFrom(() => encodeObject({ ...yurtAppSet(), deep }))).toBe('E_WIRE_TOO_LARGE');
  });

  it.each<[string, unknown]>([
    ['not an array', { kind: 'Pod' }],
    ['an empty array', []],
    ['a code without content', [1]],
    ['an unknown kind code', [99, null]],
    ['a known kind without a name', [3, null]],
    ['a field that should be positional', [1, 'metadata', null]],
    ['an element that should be positional', [1, ['a', null], [['container'], null], null]],
    ['an empty struct', [1, ['a', null], [], null]],
    ['a rest that is no map', [1, ['a', 5], null]],
    ['a member in its position and in the rest', [1, ['a', { name: 'b' }], null]],
    ['a kind inside of the rest', [1, ['a', null], { kind: 'Node' }]],
    ['an index past the words', [1, ['a', null], [null, null, 77, null], null]],
    ['a custom kind without apiVersion', [0, { kind: 'A', metadata: { name: 'a' } }]],
    ['bytes in an object', [3, ['a', null], new Uint8Array(4), null]],
  ])('%s is malformed', (_, wire) => {
    expect(codeFrom(() => decodeObject(encode(wire)))).toBe('E_WIRE_MALFORMED');
  });
});

describe('versions', () => {
  it('positions that a newer sender appended are skipped', () => {
    const wire = [3, ['a', null], { k: 'v' }, null, true, 'appended', ['appended', 2], null];
    expect(decodeObject(encode(wire))).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { k: 'v' },
      immutable: true,
    });
  });

  it('members that an older sender did not know are read from the rest, and null among them is absent', () => {
    const wire = [3, ['a', null], { data: { k: 'v' }, immutable: null, other: null }];
    expect(decodeObject(encode(wire))).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { k: 'v' },
      other: null,
    });
  });

  it('every known kind has a code of its own that is not 0', () => {
    const codes = knownKinds.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes).not.toContain(0);
  });
});

describe('sizes', () => {
  it.each([
    ['a bound pod', boundPod(), 0.4],
    ['a running pod', runningPod(), 0.4],
    ['a slice of 50 endpoints', endpointSlice(50), 0.35],
  ])('%s keeps its share of JSON', (what, object, shareMax) => {
    const bytes = encodeObject(object).length;
    const jsonBytes = Buffer.byteLength(JSON.stringify(project(object)));
    const share = bytes / jsonBytes;
    console.log(`${what}: ${bytes} of ${jsonBytes} bytes, ${share.toFixed(3)} x JSON (at most ${shareMax})`);
    expect(share).toBeLessThanOrEqual(shareMax);
  });
});
