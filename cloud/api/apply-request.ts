/** Who writes by which name, and what an apply asks for, checked at the door. Pure but for reading the body. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { wrongOption } from '../../protocol/resources/api/parameters.ts';
import { badRequest, refuse } from '../../protocol/resources/api/status.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import { addressed } from './admission.ts';
import { asTypedObject, decodeYaml } from './body.ts';
import { ownable, type Part, requireDistinctItems } from './field-change.ts';
import { type Shape, shapeOf } from './field-shape.ts';
import type { Writer } from './managed-fields.ts';
import { fieldManagerOf, isForced } from './write-parameters.ts';
import type { WriteCall, WriteParts } from './write-parts.ts';

export interface ApplyRequest {
  /** All that the client wants of the object, at the place that the path names. */
  config: KubeObject;
  writer: Writer;
  shape: Shape;
  part: Part;
  /** Fields of others are taken from them. */
  force: boolean;
}

/** `PATCH` with an apply patch: YAML or JSON. Refuses with BadRequest what is no configuration or has no manager. */
export async function applyRequestOf(parts: WriteParts, call: WriteCall): Promise<ApplyRequest> {
  const { kind, path, query } = call;
  if (!query.get('fieldManager')) throw wrongOption('fieldManager is required for an apply patch: say who applies');
  const body = asTypedObject(decodeYaml(await call.body()));
  const { managedFields } = (body.metadata ?? {}) as { managedFields?: unknown };
  if (Array.isArray(managedFields) && managedFields.length > 0)
    throw badRequest('metadata.managedFields must be nil: leave out of an applied object who owns its fields');
  const { metadata, ...rest } = addressed(call, body);
  const { managedFields: _managedFields, ...given } = metadata;
  const config = { ...rest, metadata: given } as KubeObject;
  const shape = shapeOf(parts.kinds.schemas, kind.schema);
  const part: Part = path.subresource === 'status' ? 'status' : kind.status ? 'main' : 'all';
  requireDistinctItems(ownable(config, part), shape);
  return { config, writer: { ...updaterOf(call), operation: 'Apply' }, shape, part, force: isForced(query) };
}

/** Who writes in another way than apply. */
export function updaterOf({ kind, path, query, userAgent }: WriteCall): Writer {
  const { subresource } = path;
  return {
    manager: fieldManagerOf(query, userAgent),
    operation: 'Update',
    apiVersion: apiVersionOf(kind),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** An apply that creates needs the right to create, besides the one to patch. As upstream. */
export async function requireMayCreate({ authorize }: WriteParts, { identity, path, kind }: WriteCall): Promise<void> {
  const { namespace, name } = path;
  const resource = {
    group: kind.group,
    version: kind.version,
    plural: kind.plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
  const decision = await authorize({ identity, verb: 'create', path: '', resource });
  if (decision.allowed) return;
  const why = decision.reason === '' ? '' : `: ${decision.reason}`;
  throw refuse(
    'Forbidden',
    `${kind.plural} ${JSON.stringify(name)} is forbidden: there is none yet, and you may patch but not create it${why}`,
  );
}
