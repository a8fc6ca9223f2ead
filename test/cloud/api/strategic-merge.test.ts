import { describe, expect, it } from 'vitest';
import { strategicMergePatch } from '../../../cloud/api/strategic-merge.ts';
import type { Json } from '../../../protocol/kubernetes.ts';

const container = (name: string, rest: Record<string, Json> = {}) => ({ name, image: `${name}:1`, ...rest });

interface Example {
  what: string;
  original: Json;
  patch: Json;
  result: Json;
}

const examples: Example[] = [
  {
    what: 'merges containers by name and keeps the others',
    original: { spec: { containers: [container('a'), container('b')] } },
    patch: { spec: { containers: [{ name: 'b', image: 'b:2' }] } },
    result: { spec: { containers: [container('a'), { name: 'b', image: 'b:2' }] } },
  },
  {
    what: 'appends an element whose key is new',
    original: { containers: [container('a')] },
    patch: { containers: [container('b')] },
    result: { containers: [container('a'), container('b')] },
  },
  {
    what: 'merges the env of a container by name and its ports by containerPort',
    original: { containers: [container('a', { env: [{ name: 'X', value: '1' }], ports: [{ containerPort: 80 }] })] },
    patch: {
      containers: [
        {
          name: 'a',
          env: [{ name: 'X', value: '2' }],
          ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }],
        },
      ],
    },
    result: {
      containers: [
        container('a', {
          env: [{ name: 'X', value: '2' }],
          ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }],
        }),
      ],
    },
  },
  {
    what: 'merges the ports of a service by port',
    original: { spec: { ports: [{ port: 80, name: 'http' }] } },
    patch: { spec: { ports: [{ port: 80, targetPort: 8080 }] } },
    result: { spec: { ports: [{ port: 80, name: 'http', targetPort: 8080 }] } },
  },
  {
    what: 'merges conditions and addresses by type',
    original: {
      status: { conditions: [{ type: 'Ready', status: 'False' }], addresses: [{ type: 'Hostname', address: 'a' }] },
    },
    patch: {
      status: { conditions: [{ type: 'Ready', status: 'True' }], addresses: [{ type: 'InternalIP', address: 'b' }] },
    },
    result: {
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [
          { type: 'Hostname', address: 'a' },
          { type: 'InternalIP', address: 'b' },
        ],
      },
    },
  },
  {
    what: 'replaces taints, tolerations and commands whole',
    original: { taints: [{ key: 'a' }], tolerations: [{ key: 'a' }], command: ['a', 'b'] },
    patch: { taints: [{ key: 'b' }], tolerations: [], command: ['c'] },
    result: { taints: [{ key: 'b' }], tolerations: [], command: ['c'] },
  },
  {
    what: 'adds finalizers to the set that is there',
    original: { metadata: { finalizers: ['a', 'b'] } },
    patch: { metadata: { finalizers: ['b', 'c'] } },
    result: { metadata: { finalizers: ['a', 'b', 'c'] } },
  },
  {
    what: 'takes what $deleteFromPrimitiveList names off a set',
    original: { metadata: { finalizers: ['a', 'b'] } },
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
    result: { metadata: { finalizers: ['b'] } },
  },
  {
    what: 'removes an element by $patch: delete',
    original: { containers: [container('a'), container('b')] },
    patch: { containers: [{ $patch: 'delete', name: 'a' }] },
    result: { containers: [container('b')] },
  },
  {
    what: 'replaces a list that carries $patch: replace',
    original: { containers: [container('a'), container('b')] },
    patch: { containers: [{ $patch: 'replace' }, container('c')] },
    result: { containers: [container('c')] },
  },
  {
    what: 'replaces and empties objects by $patch',
    original: { a: { x: 1, y: 2 }, b: { x: 1 } },
    patch: { a: { $patch: 'replace', z: 3 }, b: { $patch: 'delete' } },
    result: { a: { z: 3 }, b: {} },
  },
  {
    what: 'drops what $retainKeys does not name',
    original: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    patch: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    result: { strategy: { type: 'Recreate' } },
  },
  {
    what: 'orders a list by $setElementOrder and keeps what only the server has in its place',
    original: { containers: [container('a'), container('sidecar'), container('b')] },
    patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'a:2' }] },
    result: { containers: [container('sidecar'), container('b'), { name: 'a', image: 'a:2' }] },
  },
  {
    what: 'removes members by null, at any depth, and never stores a null or a directive',
    original: { a: { b: 1, c: 2 } },
    patch: { a: { b: null }, fresh: { x: null, y: { $patch: 'merge', z: 1 } } },
    result: { a: { c: 2 }, fresh: { y: { z: 1 } } },
  },
];

describe('strategic merge patch', () => {
  it.each(examples)('$what', ({ original, patch, result }) => {
    expect(strategicMergePatch(original, patch)).toEqual(result);
  });

  it('changes neither of its arguments', () => {
    const original = { containers: [container('a', { env: [{ name: 'X', value: '1' }] })] };
    const patch = { containers: [{ name: 'a', env: [{ name: 'X', value: '2' }] }] };
    const before = JSON.stringify([original, patch]);
    strategicMergePatch(original, patch);
    expect(JSON.stringify([original, patch])).toBe(before);
  });

  it('refuses an element without the key of its list', () => {
    expect(() => strategicMergePatch({}, { containers: [{ image: 'x' }] })).toThrow(/containers.*lacks name/);
  });

  it('refuses a directive that it does not know', () => {
    expect(() => strategicMergePatch({}, { spec: { $patch: 'explode' } })).toThrow(/explode.*spec/);
  });
});
