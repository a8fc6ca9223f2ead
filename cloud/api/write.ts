/** Create, replace, patch and delete. */

import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { mediaTypeOf } from '../../protocol/resources/api/negotiation.ts';
import { listParameters, wrongOption } from '../../protocol/resources/api/parameters.ts';
import { type Answer, json } from '../../protocol/resources/api/parts.ts';
import { renderingOf } from '../../protocol/resources/api/read.ts';
import { renderList, renderObject } from '../../protocol/resources/api/rendering.ts';
import {
  alreadyExists,
  conflict,
  notFound,
  StatusError,
  type StatusReason,
  success,
} from '../../protocol/resources/api/status.ts';
import type { UpdateOptions } from '../store/resource-store.ts';
import { addressed, admit, checkFields, decodeObject, forCreate, forUpdate, requireNamespace } from './admission.ts';
import { type ApplyRequest, applyRequestOf, requireMayCreate, updaterOf } from './apply-request.ts';
import { changeBytes } from './change-size.ts';
import { deletionOf } from './deletion.ts';
import { shapeOf } from './field-shape.ts';
import { adoptOwners, apply, type Owner, ownersAfterCreate, ownersAfterUpdate, withOwners } from './managed-fields.ts';
import { applyMediaType, patchOf } from './patch.ts';
import { writeBounds } from './write-bounds.ts';
import { isDryRun } from './write-parameters.ts';
import { type WriteCall, type WriteParts, writeOf } from './write-parts.ts';

export async function createObject(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const rendering = renderingOf(env, call);
  const object = forCreate(call.kind, await decodeObject(call));
  const { created, warnings } = await createFrom(parts, call, object);
  return json(201, renderObject(rendering, created), warnings);
}

/** Writes a new object; `owners` of it are kept when somebody applied it. */
async function createFrom(
  parts: WriteParts,
  call: WriteCall,
  object: KubeObject,
  owners?: readonly Owner[],
): Promise<{ created: KubeObject; warnings: string[] }> {
  const { kind } = call;
  const dryRun = isDryRun(call.query.getAll('dryRun'));
  const { name } = object.metadata;
  if (name !== undefined) call.facts.name = name;
  await requireNamespace(parts, call, name);
  const warnings = [
    ...checkFields(parts.kinds, call, object),
    ...(kind.advice === undefined ? [] : [kind.advice]),
    ...(parts.advise?.(object, kind) ?? []),
  ];
  const write = writeOf(call, undefined);
  const completed = (await parts.complete?.(object, write)) ?? object;
  const admitted = admit(parts.kinds, kind, completed, undefined);
  await parts.guard?.(admitted, write);
  try {
    const created = await parts.store.create(kind, withOwners(admitted, owners), { dryRun });
    call.facts.name = created.metadata.name;
    return { created, warnings };
  } catch (error) {
    if (codeOf(error) === 'E_CONFLICT') throw alreadyExists({ kind, name: name ?? object.metadata.generateName ?? '' });
    throw error;
  }
}

export async function replaceObject(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const rendering = renderingOf(env, call);
  const object = await decodeObject(call);
  const { written, warnings } = await rewrite(env, parts, call, { to: () => object });
  return json(200, renderObject(rendering, written), warnings);
}

export async function patchObject(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const rendering = renderingOf(env, call);
  if (mediaTypeOf(call.contentType) === applyMediaType) return applyObject(env, parts, call);
  if (call.query.has('force')) throw wrongOption('force may not be specified for a patch that is no apply patch');
  const patch = patchOf(await call.body(), call.contentType, call.kind.builtin);
  const { written, warnings } = await rewrite(env, parts, call, { to: (previous) => addressed(call, patch(previous)) });
  return json(200, renderObject(rendering, written), warnings);
}

/** Server-side apply: creates the object where there is none. */
async function applyObject(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const rendering = renderingOf(env, call);
  const applied = await applyRequestOf(parts, call);
  const { kind, path } = call;
  for (let attempt = 1; ; attempt++) {
    const present = await parts.store.get(kind, path.namespace, path.name!);
    try {
      if (present === undefined) return await applyNew(env, parts, call, applied, rendering);
      const { written, warnings } = await rewrite(env, parts, call, applied);
      return json(200, renderObject(rendering, written), warnings);
    } catch (error) {
      // Somebody else created or deleted it meanwhile: then it is the other case.
      const overtaken = isReason(error, present === undefined ? 'AlreadyExists' : 'NotFound');
      if (!overtaken || attempt >= writeBounds.conflictTriesMax) throw error;
    }
  }
}

async function applyNew(
  env: Env,
  parts: WriteParts,
  call: WriteCall,
  { config, writer, shape, part }: ApplyRequest,
  rendering: ReturnType<typeof renderingOf>,
): Promise<Answer> {
  const { kind, path } = call;
  if (path.subresource !== undefined) throw notFound({ kind, name: path.name! });
  if (config.metadata.uid)
    throw conflict(
      { kind, name: path.name! },
      `uid mismatch: the provided object specified uid ${config.metadata.uid}, and no existing object was found`,
    );
  await requireMayCreate(parts, call);
  const owners = ownersAfterCreate(config, writer, { shape, part, nowMs: env.clock.now() });
  const { created, warnings } = await createFrom(parts, { ...call, verb: 'create' }, forCreate(kind, config), owners);
  return json(201, renderObject(rendering, created), warnings);
}

/** A change in another way than apply; `to` returns a new object. */
export interface Change {
  to(previous: KubeObject): KubeObject;
}

/**
 * Writes `change` of the stored object, again when somebody else was faster and the client did not say on which
 * revision it builds. The change sees the newest object each time.
 */
export async function rewrite(
  env: Env,
  parts: WriteParts,
  call: WriteCall,
  change: Change | ApplyRequest,
): Promise<{ written: KubeObject; warnings: string[] }> {
  const { kind, path } = call;
  const subject = { kind, name: path.name! };
  const options: UpdateOptions = { dryRun: isDryRun(call.query.getAll('dryRun')) };
  if (path.subresource === 'status') options.subresource = 'status';
  for (let attempt = 1; ; attempt++) {
    const previous = await parts.store.get(kind, path.namespace, path.name!);
    if (previous === undefined) throw notFound(subject);
    const { asked, ownersOf } = changed(env, parts, call, previous, change);
    requireSame(subject, previous, asked);
    const next = forUpdate(kind, previous, asked, options.subresource);
    const warnings = checkFields(parts.kinds, call, next, previous);
    const write = writeOf(call, previous);
    const completed = options.subresource === 'status' ? next : ((await parts.complete?.(next, write)) ?? next);
    const valid = admit(parts.kinds, kind, completed, previous);
    const admitted = withOwners(valid, ownersOf(valid));
    await parts.guard?.(admitted, write);
    const { managedFields } = admitted.metadata;
    if (options.subresource !== undefined && managedFields !== undefined) options.managedFields = managedFields;
    try {
      const written = await parts.store.update(kind, admitted, options);
      // A binding writes twice.
      call.facts.changeBytes = (call.facts.changeBytes ?? 0) + changeBytes(previous, written);
      return { written, warnings };
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT' || attempt >= writeBounds.conflictTriesMax) throw error;
    }
  }
}

export async function deleteObject(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const { kind, path } = call;
  const rendering = renderingOf(env, call);
  const deletion = deletionOf(await call.body(), call.contentType, call.query);
  call.facts.dryRun = deletion.dryRun;
  const deleted = await deletion.run(parts, call, path.namespace, path.name!);
  if (isHeld(deleted)) return json(200, renderObject(rendering, deleted));
  return json(200, success({ kind, name: path.name! }, deleted.metadata.uid));
}

/** Deletes what a list of the same parameters shows, page by page, and answers with it. */
export async function deleteObjects(env: Env, parts: WriteParts, call: WriteCall): Promise<Answer> {
  const { kind } = call;
  const rendering = renderingOf(env, call);
  const { options } = listParameters(call);
  const deletion = deletionOf(await call.body(), call.contentType, call.query);
  call.facts.dryRun = deletion.dryRun;
  const deleted: KubeObject[] = [];
  let token = options.continue;
  do {
    const page = await parts.store.list(kind, {
      ...options,
      limit: options.limit ?? writeBounds.deletePageItems,
      ...(token === undefined ? {} : { continue: token }),
    });
    for (const { metadata } of page.items) {
      try {
        deleted.push(await deletion.run(parts, call, metadata.namespace, metadata.name));
      } catch (error) {
        // Somebody else deleted it first: that is what was wanted.
        if (codeOf(error) !== 'E_NOT_FOUND') throw error;
      }
    }
    token = options.limit === undefined ? page.continue : undefined;
  } while (token !== undefined && !call.signal.aborted);
  const metadata = { resourceVersion: parts.store.revision(kind) };
  return { type: 'slices', code: 200, slices: renderList(rendering, deleted, metadata) };
}

/** What is asked of `previous`, and who owns the fields of what becomes of it. */
function changed(
  env: Env,
  parts: WriteParts,
  call: WriteCall,
  previous: KubeObject,
  change: Change | ApplyRequest,
): { asked: KubeObject; ownersOf(valid: KubeObject): readonly Owner[] | undefined } {
  const nowMs = env.clock.now();
  if ('to' in change) {
    const asked = adoptOwners(change.to(previous), previous);
    const writer = updaterOf(call);
    const shape = shapeOf(parts.kinds.schemas, call.kind.schema);
    return { asked, ownersOf: (valid) => ownersAfterUpdate(previous, valid, writer, { shape, nowMs }) };
  }
  const { config, writer, shape, part, force } = change;
  requireSame({ kind: call.kind, name: call.path.name! }, previous, config);
  const { object, owners } = apply(previous, config, writer, { shape, part, force, nowMs });
  return { asked: object, ownersOf: () => owners };
}

/** Refuses a change that builds on another revision, or on another object of the same name. */
function requireSame(
  subject: { kind: WriteCall['kind']; name: string },
  previous: KubeObject,
  asked: KubeObject,
): void {
  const { resourceVersion, uid } = asked.metadata;
  if (resourceVersion && resourceVersion !== previous.metadata.resourceVersion)
    throw conflict(
      subject,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  if (uid && uid !== previous.metadata.uid)
    throw conflict(
      subject,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`,
    );
}

/** Marked for deletion, but kept by a finalizer or a grace period. */
function isHeld({ metadata }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined) return false;
  return (metadata.finalizers ?? []).length > 0 || (metadata.deletionGracePeriodSeconds ?? 0) > 0;
}

function isReason(error: unknown, reason: StatusReason): boolean {
  return error instanceof StatusError && error.status.reason === reason;
}
