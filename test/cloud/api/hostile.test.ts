/** Whatever a client sends as a patch or a body, the answer is a value or a refusal, and no prototype is changed. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeJson, decodeYaml } from '../../../cloud/api/body.ts';
import { patchOf } from '../../../cloud/api/patch.ts';
import { StatusError } from '../../../protocol/resources/api/status.ts';

/** Printed by fast-check with the path to the case; put it here to replay. */
const run = { seed: 1_324, numRuns: 1_500 };

const names = [
  'metadata',
  'spec',
  'containers',
  'env',
  'ports',
  'finalizers',
  'name',
  '__proto__',
  'constructor',
  '$patch',
];
const directives = ['$setElementOrder/containers', '$deleteFromPrimitiveList/finalizers', '$retainKeys'];
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, 'delete', 'replace', 'merge', 'main', 0, 80, true),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom(...names, ...directives), tie('tree')), { maxLength: 5 })
      .map((entries) =>
        JSON.parse(`{${entries.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join(',')}}`),
      ),
  ),
}));

const pointer = fc
  .array(fc.constantFrom(...names, '0', '-', '~0', '~1', ''), { maxLength: 4 })
  .map((parts) => `/${parts.join('/')}`);
const operation = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'explode'),
    path: pointer,
    from: pointer,
    value: tree,
  },
  { requiredKeys: ['op'] },
);

const object = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', finalizers: ['a/b', 'c/d'] },
  spec: {
    containers: [{ name: 'main', image: 'x', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }] }],
  },
};
const before = JSON.stringify(object);

/** The result of `act`, or undefined where it refuses; any other error is a failure of the test. */
function refusable<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(StatusError);
    return undefined;
  }
}

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(JSON.stringify(object)).toBe(before);
});

describe('a hostile client', () => {
  it.each(['merge-patch+json', 'strategic-merge-patch+json'])('cannot break %s', (type) => {
    fc.assert(
      fc.property(tree, (patch) => {
        const body = Buffer.from(JSON.stringify(patch));
        refusable(() => JSON.stringify(patchOf(body, `application/${type}`, true)(object)));
      }),
      run,
    );
  });

  it('cannot break json-patch+json', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 4 }), (operations) => {
        const body = Buffer.from(JSON.stringify(operations));
        refusable(() => JSON.stringify(patchOf(body, 'application/json-patch+json', true)(object)));
      }),
      run,
    );
  });

  it('cannot break the reading of JSON and YAML', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 100, unit: fc.constantFrom(...'abk:-[]{}&*!|>\'"#%@,?\n\t 01~.<=') }),
      fc.json(),
    );
    fc.assert(
      fc.property(text, (body) => {
        refusable(() => decodeJson(Buffer.from(body)));
        refusable(() => decodeYaml(Buffer.from(body)));
      }),
      run,
    );
  });

  it('cannot hold the server with a YAML alias that contains itself', () => {
    for (const body of ['&a [*a, *a]', '&a {b: *a, c: *a}', 'a: &a [1, &b [*a, *b]]'])
      expect(() => decodeYaml(Buffer.from(body))).toThrow('nested deeper than 100 levels');
  });
});
