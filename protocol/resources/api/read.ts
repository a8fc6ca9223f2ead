/** Get and list. */
import type { Env } from '../../env.ts';
import { listParameters } from './parameters.ts';
import { type Answer, type Call, json, type ReadParts } from './parts.ts';
import { type ListMeta, type Rendering, renderList, renderObject } from './rendering.ts';
import { notFound, refuse } from './status.ts';
import { includeObjectOf } from './table.ts';

export async function getObject(env: Env, parts: ReadParts, call: Call): Promise<Answer> {
  const { kind, path } = call;
  const object = await parts.store.get(kind, path.namespace, path.name!);
  if (object === undefined) throw notFound({ kind, name: path.name! });
  return json(200, renderObject(renderingOf(env, call), object));
}

export async function listObjects(env: Env, parts: ReadParts, call: Call): Promise<Answer> {
  const rendering = renderingOf(env, call);
  const { options, revision, match } = listParameters(call);
  const result = await parts.store.list(call.kind, options);
  // The store keeps the newest state and the pages of snapshots being read, not every state there was.
  if (match === 'Exact' && revision !== result.revision)
    throw refuse('Expired', 'The resourceVersion for the provided list is too old: list without it.');
  const metadata: ListMeta = { resourceVersion: result.revision };
  if (result.continue !== undefined) metadata.continue = result.continue;
  if (result.remaining !== undefined) metadata.remainingItemCount = result.remaining;
  return { type: 'slices', code: 200, slices: renderList(rendering, result.items, metadata) };
}

export function renderingOf(env: Env, call: Call): Rendering {
  return { kind: call.kind, view: call.view, include: includeObjectOf(call.query), nowMs: env.clock.now() };
}
