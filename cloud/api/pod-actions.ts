/** What is done to a pod by posting to a part of it: binding it to a node, and evicting it. */

import type { Env } from '../../protocol/env.ts';
import type { Condition, KubeObject, Pod } from '../../protocol/kubernetes.ts';
import { type Answer, json } from '../../protocol/resources/api/parts.ts';
import { badRequest, conflict, refuse, success } from '../../protocol/resources/api/status.ts';
import { asTypedObject, decodeBody } from './body.ts';
import { deletionFrom } from './deletion.ts';
import { rewrite } from './write.ts';
import { isDryRun } from './write-parameters.ts';
import type { WriteCall, WriteParts } from './write-parts.ts';

/** `POST …/pods/NAME/binding` with a v1 Binding: sets `spec.nodeName`, once. */
export async function bindPod(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const { kind, path } = call;
  const binding = asTypedObject(decodeBody(await call.body(), call.contentType));
  requireKind(binding, 'v1', 'Binding');
  const target = (binding.target ?? {}) as { kind?: unknown; name?: unknown };
  if ((target.kind !== undefined && target.kind !== 'Node') || typeof target.name !== 'string' || target.name === '')
    throw badRequest('the target of a binding must be a Node with a name');
  const nodeName = target.name;
  const annotations = ((binding.metadata ?? {}) as Partial<KubeObject['metadata']>).annotations;
  const bind = (object: KubeObject) => {
    const pod = object as Pod;
    const bound = pod.spec.nodeName;
    if (bound) throw conflict({ kind, name: path.name! }, `pod ${path.name} is already assigned to node "${bound}"`);
    return {
      ...pod,
      metadata: {
        ...pod.metadata,
        ...(annotations === undefined ? {} : { annotations: { ...pod.metadata.annotations, ...annotations } }),
      },
      spec: { ...pod.spec, nodeName },
    };
  };
  await rewrite(env, parts, call, { to: bind });
  if (!isDryRun(call.query.getAll('dryRun'))) await markScheduled(env, parts, call);
  return json(201, success({}, undefined, 201));
}

/** `POST …/pods/NAME/eviction` with a policy/v1 Eviction: deletes with the pod's grace. No disruption budgets exist. */
export async function evictPod(parts: WriteParts, call: WriteCall): Promise<Answer> {
  const eviction = asTypedObject(decodeBody(await call.body(), call.contentType));
  requireKind(eviction, 'policy/v1', 'Eviction');
  const { name } = (eviction.metadata ?? {}) as { name?: unknown };
  if (name !== undefined && name !== '' && name !== call.path.name)
    throw badRequest(`the name of the eviction (${name}) does not match the name on the URL (${call.path.name})`);
  const deletion = deletionFrom(eviction.deleteOptions ?? {}, call.query);
  call.facts.dryRun = deletion.dryRun;
  await deletion.run(parts, call, call.path.namespace, call.path.name!);
  return json(201, success({}, undefined, 201));
}

/** Follows from the binding, which the guard has let pass. */
async function markScheduled(env: Env, { guard: _, ...parts }: WriteParts, call: WriteCall): Promise<void> {
  const scheduled: Condition = {
    type: 'PodScheduled',
    status: 'True',
    lastTransitionTime: `${new Date(env.clock.now()).toISOString().slice(0, 19)}Z`,
  };
  const mark = (object: KubeObject) => {
    const pod = object as Pod;
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== scheduled.type);
    return { ...pod, status: { phase: 'Pending', ...pod.status, conditions: [...others, scheduled] } };
  };
  await rewrite(env, parts, { ...call, path: { ...call.path, subresource: 'status' } }, { to: mark });
}

function requireKind(body: { apiVersion: string; kind: string }, apiVersion: string, kind: string): void {
  if (body.apiVersion === apiVersion && body.kind === kind) return;
  throw refuse('BadRequest', `the body must be a ${kind} of ${apiVersion}, not ${body.kind} of ${body.apiVersion}`);
}
