import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeProtobuf } from '../../../cloud/api/protobuf.ts';
import { StatusError } from '../../../protocol/resources/api/status.ts';

/** A field with a length, of number `number`. */
function bytesField(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const typeMeta = Buffer.concat([bytesField(1, apiVersion), bytesField(2, kind)]);
  return Buffer.concat([Buffer.from('k8s\0'), bytesField(1, typeMeta), bytesField(2, raw), bytesField(3, '')]);
}

describe('Kubernetes protobuf', () => {
  it('gives roles and bindings, the core group by its empty name', () => {
    const rule = [bytesField(1, 'get'), bytesField(2, ''), bytesField(2, 'apps'), bytesField(3, 'pods')];
    const group = 'rbac.authorization.k8s.io';
    expect(decodeProtobuf(envelope(`${group}/v1`, 'Role', bytesField(2, Buffer.concat(rule))))).toMatchObject({
      rules: [{ verbs: ['get'], apiGroups: ['', 'apps'], resources: ['pods'] }],
    });
    const subject = Buffer.concat([bytesField(1, 'User'), bytesField(2, group), bytesField(3, 'ann')]);
    const reference = Buffer.concat([bytesField(1, group), bytesField(2, 'Role'), bytesField(3, 'reader')]);
    const raw = Buffer.concat([bytesField(2, subject), bytesField(3, reference)]);
    expect(decodeProtobuf(envelope(`${group}/v1`, 'RoleBinding', raw))).toMatchObject({
      subjects: [{ kind: 'User', apiGroup: group, name: 'ann' }],
      roleRef: { apiGroup: group, kind: 'Role', name: 'reader' },
    });
    const aggregated = bytesField(3, bytesField(1, 'x'));
    expect(() => decodeProtobuf(envelope(`${group}/v1`, 'ClusterRole', aggregated))).toThrow(StatusError);
  });

  it('gives the delete options that drain sends', () => {
    const raw = Buffer.concat([
      varintField(1, 30),
      bytesField(2, bytesField(1, 'uid-1')),
      bytesField(4, 'Background'),
      bytesField(5, 'All'),
    ]);
    expect(decodeProtobuf(envelope('v1', 'DeleteOptions', raw))).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 30,
      preconditions: { uid: 'uid-1' },
      propagationPolicy: 'Background',
      dryRun: ['All'],
    });
  });

  it('gives a namespace with its labels, without the empty texts and the zero time that Go writes', () => {
    const label = Buffer.concat([bytesField(1, 'zone'), bytesField(2, 'a')]);
    const metadata = Buffer.concat([
      bytesField(1, 'shop'),
      bytesField(2, ''),
      bytesField(8, Buffer.alloc(0)),
      bytesField(11, label),
      bytesField(14, 'keep/me'),
    ]);
    expect(decodeProtobuf(envelope('v1', 'Namespace', bytesField(1, metadata)))).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', labels: { zone: 'a' }, finalizers: ['keep/me'] },
    });
  });

  it('gives the values of a secret in base64 and an empty one as an empty text', () => {
    const entry = (key: string, value: Buffer) =>
      bytesField(2, Buffer.concat([bytesField(1, key), bytesField(2, value)]));
    const raw = Buffer.concat([entry('a', Buffer.from([0, 255])), entry('b', Buffer.alloc(0))]);
    expect(decodeProtobuf(envelope('v1', 'Secret', raw)).data).toEqual({ a: 'AP8=', b: '' });
  });

  it('keeps a map key called __proto__ as data', () => {
    const entry = Buffer.concat([bytesField(1, '__proto__'), bytesField(2, 'x')]);
    const { data } = decodeProtobuf(envelope('v1', 'ConfigMap', bytesField(2, entry))) as { data: object };
    expect(Object.keys(data)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });

  it('gives the deployment that kubectl creates, and refuses one that it would have to cut short', () => {
    const container = (rest: Buffer) =>
      Buffer.concat([bytesField(1, 'main'), bytesField(2, 'gate:1'), bytesField(14, ''), rest]);
    const spec = (rest: Buffer) => {
      const template = bytesField(
        2,
        Buffer.concat([bytesField(2, container(rest)), bytesField(3, ''), varintField(11, 0)]),
      );
      return Buffer.concat([varintField(1, 0), bytesField(3, template), bytesField(4, '')]);
    };
    const decoded = decodeProtobuf(envelope('apps/v1', 'Deployment', bytesField(2, spec(Buffer.alloc(0)))));
    expect(decoded.spec).toEqual({
      replicas: 0,
      template: { spec: { containers: [{ name: 'main', image: 'gate:1' }] } },
    });
    const withMounts = spec(bytesField(9, bytesField(1, 'data')));
    expect(() => decodeProtobuf(envelope('apps/v1', 'Deployment', bytesField(2, withMounts)))).toThrow(
      /application\/json/,
    );
  });

  it('refuses other types as unsupported and says what to send instead', () => {
    expect(() => decodeProtobuf(envelope('v1', 'Pod', Buffer.alloc(0)))).toThrow(/Pod.*application\/json/);
  });

  it('answers any bytes with a value or a refusal, never with another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, wrapped) => {
        const body = wrapped
          ? envelope('v1', 'ConfigMap', Buffer.from(noise))
          : Buffer.concat([Buffer.from('k8s\0'), noise]);
        try {
          expect(decodeProtobuf(body)).toBeTypeOf('object');
        } catch (error) {
          expect(error).toBeInstanceOf(StatusError);
        }
      }),
      { seed: 20_260, numRuns: 2_000 },
    );
  });
});
