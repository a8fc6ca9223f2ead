/**
 * The few request bodies that kubectl's typed clients send only as protobuf, whatever we answer: delete options of
 * `drain`, evictions, access reviews, `create namespace|configmap|secret|deployment`.
 *
 * The envelope is the four bytes `k8s\0` and `runtime.Unknown {1: typeMeta {1: apiVersion, 2: kind}, 2: raw,
 * 3: contentEncoding, 4: contentType}` (kubernetes.io, "Kubernetes API concepts", Kubernetes Protobuf encoding). The
 * field numbers are those of the generated.proto files of k8s.io/api and k8s.io/apimachinery.
 */
import { badRequest, refuse } from '../../protocol/resources/api/status.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

type FieldType = 'string' | 'bytes' | 'bool' | 'int' | 'time' | Message | { map: 'string' | 'bytes' };

interface Field {
  name: string;
  type: FieldType;
  repeated?: true;
}

/**
 * Field number to field. Unknown numbers are skipped, as a protobuf reader should; in a `partial` message, of which
 * the table names only some fields, one that says anything is refused, so that nothing of an object is lost.
 */
interface Message {
  fields: Readonly<Record<number, Field>>;
  partial?: true;
}

const ownerReference: Message = {
  fields: {
    1: { name: 'kind', type: 'string' },
    3: { name: 'name', type: 'string' },
    4: { name: 'uid', type: 'string' },
    5: { name: 'apiVersion', type: 'string' },
    6: { name: 'controller', type: 'bool' },
    7: { name: 'blockOwnerDeletion', type: 'bool' },
  },
};

const objectMeta: Message = {
  fields: {
    1: { name: 'name', type: 'string' },
    2: { name: 'generateName', type: 'string' },
    3: { name: 'namespace', type: 'string' },
    5: { name: 'uid', type: 'string' },
    6: { name: 'resourceVersion', type: 'string' },
    8: { name: 'creationTimestamp', type: 'time' },
    11: { name: 'labels', type: { map: 'string' } },
    12: { name: 'annotations', type: { map: 'string' } },
    13: { name: 'ownerReferences', type: ownerReference, repeated: true },
    14: { name: 'finalizers', type: 'string', repeated: true },
  },
};

const metadata: Field = { name: 'metadata', type: objectMeta };

const deleteOptions: Message = {
  fields: {
    1: { name: 'gracePeriodSeconds', type: 'int' },
    2: {
      name: 'preconditions',
      type: { fields: { 1: { name: 'uid', type: 'string' }, 2: { name: 'resourceVersion', type: 'string' } } },
    },
    3: { name: 'orphanDependents', type: 'bool' },
    4: { name: 'propagationPolicy', type: 'string' },
    5: { name: 'dryRun', type: 'string', repeated: true },
  },
};

const accessReviewSpec: Message = {
  fields: {
    1: {
      name: 'resourceAttributes',
      type: {
        fields: {
          1: { name: 'namespace', type: 'string' },
          2: { name: 'verb', type: 'string' },
          3: { name: 'group', type: 'string' },
          4: { name: 'version', type: 'string' },
          5: { name: 'resource', type: 'string' },
          6: { name: 'subresource', type: 'string' },
          7: { name: 'name', type: 'string' },
        },
      },
    },
    2: {
      name: 'nonResourceAttributes',
      type: { fields: { 1: { name: 'path', type: 'string' }, 2: { name: 'verb', type: 'string' } } },
    },
  },
};

const labelSelector: Message = { fields: { 1: { name: 'matchLabels', type: { map: 'string' } } }, partial: true };

const container: Message = {
  fields: {
    1: { name: 'name', type: 'string' },
    2: { name: 'image', type: 'string' },
    3: { name: 'command', type: 'string', repeated: true },
    4: { name: 'args', type: 'string', repeated: true },
    6: {
      name: 'ports',
      type: {
        fields: {
          1: { name: 'name', type: 'string' },
          3: { name: 'containerPort', type: 'int' },
          4: { name: 'protocol', type: 'string' },
        },
        partial: true,
      },
      repeated: true,
    },
  },
  partial: true,
};

const podTemplate: Message = {
  fields: {
    1: metadata,
    2: {
      name: 'spec',
      type: { fields: { 2: { name: 'containers', type: container, repeated: true } }, partial: true },
    },
  },
};

const deploymentSpec: Message = {
  fields: {
    1: { name: 'replicas', type: 'int' },
    2: { name: 'selector', type: labelSelector },
    3: { name: 'template', type: podTemplate },
  },
  partial: true,
};

const policyRule: Field = {
  name: 'rules',
  type: {
    fields: Object.fromEntries(
      ['verbs', 'apiGroups', 'resources', 'resourceNames', 'nonResourceURLs'].map((name, index) => [
        index + 1,
        { name, type: 'string', repeated: true } satisfies Field,
      ]),
    ),
  },
  repeated: true,
};

/** As far as `kubectl create role|clusterrole` goes. */
const role: Message = { fields: { 1: metadata, 2: policyRule }, partial: true };

const roleBinding: Message = {
  fields: {
    1: metadata,
    2: {
      name: 'subjects',
      type: {
        fields: {
          1: { name: 'kind', type: 'string' },
          2: { name: 'apiGroup', type: 'string' },
          3: { name: 'name', type: 'string' },
          4: { name: 'namespace', type: 'string' },
        },
      },
      repeated: true,
    },
    3: {
      name: 'roleRef',
      type: {
        fields: {
          1: { name: 'apiGroup', type: 'string' },
          2: { name: 'kind', type: 'string' },
          3: { name: 'name', type: 'string' },
        },
      },
    },
  },
};

const messages: Readonly<Record<string, Message>> = {
  DeleteOptions: deleteOptions,
  'policy/v1 Eviction': { fields: { 1: metadata, 2: { name: 'deleteOptions', type: deleteOptions } } },
  'v1 Namespace': { fields: { 1: metadata } },
  /** As far as `kubectl create deployment` goes. The status is the server's. */
  'apps/v1 Deployment': { fields: { 1: metadata, 2: { name: 'spec', type: deploymentSpec } } },
  'v1 ConfigMap': {
    fields: {
      1: metadata,
      2: { name: 'data', type: { map: 'string' } },
      3: { name: 'binaryData', type: { map: 'bytes' } },
      4: { name: 'immutable', type: 'bool' },
    },
  },
  'v1 Secret': {
    fields: {
      1: metadata,
      2: { name: 'data', type: { map: 'bytes' } },
      3: { name: 'type', type: 'string' },
      4: { name: 'stringData', type: { map: 'string' } },
      5: { name: 'immutable', type: 'bool' },
    },
  },
  'rbac.authorization.k8s.io/v1 Role': role,
  'rbac.authorization.k8s.io/v1 ClusterRole': role,
  'rbac.authorization.k8s.io/v1 RoleBinding': roleBinding,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': roleBinding,
  'authorization.k8s.io/v1 SelfSubjectAccessReview': {
    fields: { 1: metadata, 2: { name: 'spec', type: accessReviewSpec } },
  },
  'authorization.k8s.io/v1 SelfSubjectRulesReview': {
    fields: { 1: metadata, 2: { name: 'spec', type: { fields: { 1: { name: 'namespace', type: 'string' } } } } },
  },
  'authentication.k8s.io/v1 SelfSubjectReview': { fields: { 1: metadata } },
};

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
/** Nested messages; the types above need five. */
const DEPTH_MAX = 8;

/**
 * The JSON form of an enveloped object, `apiVersion` and `kind` included.
 * Refuses with UnsupportedMediaType for a type that is not among the above, with BadRequest for broken bytes.
 */
export function decodeProtobuf(body: Buffer): Record<string, unknown> {
  if (body.length < magic.length || !body.subarray(0, magic.length).equals(magic))
    throw badRequest('the body is not a Kubernetes protobuf object: its first four bytes must be "k8s\\0"');
  let typeMeta: Record<string, unknown> = {};
  let raw: Buffer = Buffer.alloc(0);
  for (const [number, value] of fieldsOf(body.subarray(magic.length))) {
    if (number === 1 && Buffer.isBuffer(value))
      typeMeta = decodeMessage(
        { fields: { 1: { name: 'apiVersion', type: 'string' }, 2: { name: 'kind', type: 'string' } } },
        value,
        0,
      );
    if (number === 2 && Buffer.isBuffer(value)) raw = value;
  }
  const apiVersion = String(typeMeta.apiVersion ?? '');
  const kind = String(typeMeta.kind ?? '');
  // Delete options come under any group's version.
  const message = messages[kind === 'DeleteOptions' ? kind : `${apiVersion} ${kind}`];
  if (message === undefined) throw unsupported(kind || 'this object');
  return { apiVersion, kind, ...decodeMessage(message, raw, 0) };
}

function decodeMessage(message: Message, bytes: Buffer, depth: number): Record<string, unknown> {
  if (depth > DEPTH_MAX) throw malformed();
  const result: Record<string, unknown> = {};
  for (const [number, value] of fieldsOf(bytes)) {
    const field = message.fields[number];
    if (field === undefined) {
      if (message.partial && saysSomething(value)) throw unsupported('an object with these fields');
      continue;
    }
    const { name, type } = field;
    if (typeof type === 'object' && 'map' in type) {
      const [key, entry] = mapEntry(type.map, value, depth);
      // Defined, not assigned: a key may be called `__proto__`.
      result[name] ??= {};
      Object.defineProperty(result[name], key, { value: entry, enumerable: true, configurable: true, writable: true });
    } else if (field.repeated) {
      const list = (result[name] ?? []) as unknown[];
      list.push(decodeValue(type, value, depth));
      result[name] = list;
    } else {
      const decoded = decodeValue(type, value, depth);
      // Go writes absent texts as empty ones, and an absent time as zero.
      if (decoded !== '' && decoded !== undefined) result[name] = decoded;
    }
  }
  return result;
}

function mapEntry(valueType: 'string' | 'bytes', value: bigint | Buffer, depth: number): [string, unknown] {
  if (!Buffer.isBuffer(value)) throw malformed();
  const entry = decodeMessage(
    { fields: { 1: { name: 'key', type: 'string' }, 2: { name: 'value', type: valueType } } },
    value,
    depth + 1,
  );
  return [(entry.key as string | undefined) ?? '', entry.value ?? ''];
}

function decodeValue(type: Exclude<FieldType, { map: unknown }>, value: bigint | Buffer, depth: number): unknown {
  if (type === 'bool' || type === 'int') {
    if (Buffer.isBuffer(value)) throw malformed();
    return type === 'bool' ? value !== 0n : Number(BigInt.asIntN(64, value));
  }
  if (!Buffer.isBuffer(value)) throw malformed();
  if (type === 'string') return value.toString('utf8');
  if (type === 'bytes') return value.toString('base64');
  // Times are written by the server alone.
  if (type === 'time') return undefined;
  return decodeMessage(type, value, depth + 1);
}

/** The fields of one message in order: varints as numbers, everything with a length as bytes. */
function* fieldsOf(bytes: Buffer): Generator<[number, bigint | Buffer]> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed();
  };
  const take = (count: number): Buffer => {
    if (count > bytes.length - offset) throw malformed();
    offset += count;
    return bytes.subarray(offset - count, offset);
  };
  while (offset < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        yield [number, varint()];
        break;
      case 1:
        take(8);
        break;
      case 2:
        yield [number, take(Number(varint()))];
        break;
      case 5:
        take(4);
        break;
      default:
        throw malformed();
    }
  }
}

/** Go writes every plain field, also an empty one: zeros, empty texts, and messages of nothing but those. */
function saysSomething(value: bigint | Buffer, depth = 0): boolean {
  if (!Buffer.isBuffer(value)) return value !== 0n;
  if (depth > DEPTH_MAX) return true;
  try {
    return [...fieldsOf(value)].some(([, inner]) => saysSomething(inner, depth + 1));
  } catch {
    // No message, so a text.
    return true;
  }
}

function unsupported(what: string) {
  return refuse(
    'UnsupportedMediaType',
    `${what} cannot be read as ${protobufMediaType}: send it as application/json or application/yaml`,
  );
}

function malformed() {
  return badRequest('the body is not valid protobuf');
}
