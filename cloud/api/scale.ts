/** `/scale`: the number of replicas as an autoscaling/v1 Scale, whatever the kind calls it. */
import type { Env } from '../../protocol/env.ts';
import type { Deployment, KubeObject, LabelSelector } from '../../protocol/kubernetes.ts';
import { type Answer, json } from '../../protocol/resources/api/parts.ts';
import { renderingOf } from '../../protocol/resources/api/read.ts';
import { renderObject } from '../../protocol/resources/api/rendering.ts';
import { badRequest, invalid, notFound } from '../../protocol/resources/api/status.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { defineResource } from '../../protocol/resources/kinds/define-resource.ts';
import type { Kind } from '../kinds/kind.ts';
import { asTypedObject, decodeBody } from './body.ts';
import { patchOf } from './patch.ts';
import { rewrite } from './write.ts';
import type { WriteCall, WriteParts } from './write-parts.ts';

/** autoscaling/v1 */
interface Scale extends KubeObject {
  spec: { replicas: number };
  status: { replicas: number; selector: string };
}

/** How `kubectl get --subresource=scale` shows it; nothing is kept as one. */
const scaleRow = defineResource<Scale>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  namespaced: true,
  columns: [
    column<Scale>('Desired', ({ spec }) => spec.replicas, { type: 'integer' }),
    column<Scale>('Available', ({ status }) => status.replicas, { type: 'integer' }),
  ],
});

/** Kinds whose `spec.replicas` and `spec.selector` mean what a Scale says, by schema. Others say where it stands. */
const scalable: ReadonlySet<string> = new Set(['io.k8s.api.apps.v1.Deployment', 'io.k8s.api.apps.v1.StatefulSet']);

export function isScalable(kind: Pick<Kind, 'schema' | 'scale'>): boolean {
  return scalable.has(kind.schema) || kind.scale !== undefined;
}

export async function getScale(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const object = await parts.store.get(call.kind, call.path.namespace, call.path.name!);
  if (object === undefined) throw notFound({ kind: call.kind, name: call.path.name! });
  return json(200, renderObject({ ...renderingOf(env, call), kind: scaleRow }, scaleOf(call.kind, object)));
}

export async function replaceScale(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const scale = asTypedObject(decodeBody(await call.body(), call.contentType));
  if (scale.kind !== 'Scale') throw badRequest(`the body must be a Scale, not ${JSON.stringify(scale.kind)}`);
  const { written } = await rewrite(env, parts, call, { to: (object) => scaled(call, object, scale) });
  return json(200, scaleOf(call.kind, written));
}

export async function patchScale(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const patch = patchOf(await call.body(), call.contentType, true);
  const { written } = await rewrite(env, parts, call, {
    to: (object) => scaled(call, object, patch(scaleOf(call.kind, object))),
  });
  return json(200, scaleOf(call.kind, written));
}

function scaleOf({ scale }: Kind, object: KubeObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { spec, status } = object as Deployment;
  const replicas = scale === undefined ? (spec.replicas ?? 1) : valueAt(object, scale.specReplicas);
  const present = scale === undefined ? status?.replicas : valueAt(object, scale.statusReplicas);
  const selector = scale === undefined ? selectorText(spec.selector) : valueAt(object, scale.labelSelector ?? []);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: Number(replicas ?? 0) },
    status: { replicas: Number(present ?? 0), selector: typeof selector === 'string' ? selector : '' },
  };
}

function scaled(call: WriteCall, object: KubeObject, scale: Record<string, unknown>): KubeObject {
  const metadata = (scale.metadata ?? {}) as Partial<KubeObject['metadata']>;
  const replicas = ((scale.spec ?? {}) as { replicas?: unknown }).replicas ?? 0;
  if (!Number.isSafeInteger(replicas) || (replicas as number) < 0)
    throw invalid({ kind: { group: 'autoscaling', plural: 'scales', kind: 'Scale' }, name: call.path.name! }, [
      {
        field: 'spec.replicas',
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
      },
    ]);
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      resourceVersion: metadata.resourceVersion ?? '',
    },
    ...withValueAt(object, call.kind.scale?.specReplicas ?? ['spec', 'replicas'], replicas),
  };
}

function valueAt(value: unknown, [member, ...rest]: readonly string[]): unknown {
  if (member === undefined) return value;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, member)
    ? valueAt((value as Record<string, unknown>)[member], rest)
    : undefined;
}

/** The one member at the top that `path` leads into, with `value` at its end. */
function withValueAt(object: object, [member, ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  const own = (object as Record<string, unknown>)[member!];
  return {
    [member!]: rest.length === 0 ? value : { ...(own as object), ...withValueAt((own ?? {}) as object, rest, value) },
  };
}

/** `a=b,c in (d,e),!f` */
function selectorText(selector: LabelSelector | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...labels, ...expressions].join(',');
}
