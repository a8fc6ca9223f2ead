/** `stile apply -f`: client-side apply, so that it and `kubectl apply` can take turns on the same object. */
import { AppError, codeOf } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { inOrderOfCreation, type Manifest, parseManifests } from '../manifest.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { documentText, type Output } from '../print.ts';
import { discover, pathOf, qualifiedName, type Resource, resourceOfObject } from '../resources.ts';
import {
  lastAppliedOf,
  type PatchForm,
  patchFormOf,
  patchMediaTypes,
  threeWayPatch,
  withLastApplied,
} from '../three-way-patch.ts';

export type DryRun = 'none' | 'client' | 'server';

export interface ApplyOptions extends ConnectionOptions {
  filename: string[];
  recursive?: boolean;
  dryRun: DryRun;
  /** `table` prints the answer in words: `pod/x created`. */
  output: Output;
}

/** An object and where it goes. */
export interface Placed {
  object: KubeObject;
  resource: Resource;
  namespace: string | undefined;
  origin: string;
}

/** All manifests are read and understood before the first one is sent; after that, one failure does not stop the rest. */
export async function apply(world: World, options: ApplyOptions): Promise<void> {
  const manifests = inOrderOfCreation(await readManifests(world, options));
  const connection = await world.connect(options);
  const resources = await discover(connection);
  const placed = manifests.map((manifest) => place(manifest, resources, connection, options.namespace));
  const applied: KubeObject[] = [];
  for (const item of placed) {
    try {
      const { verb, object } = await applyOne(world, connection, item, options.dryRun);
      applied.push(object);
      if (options.output === 'table') world.terminal.out(`${nameOf(item)} ${verb}${dryRunWords[options.dryRun]}\n`);
      else if (options.output === 'name') world.terminal.out(`${nameOf(item)}\n`);
    } catch (error) {
      // A hub that is gone stays gone for the rest.
      if (['E_LINK_UNREACHABLE', 'E_TIMEOUT'].includes(codeOf(error))) throw error;
      world.report(withOrigin(error, item.origin));
    }
  }
  if ((options.output === 'json' || options.output === 'yaml') && applied.length > 0)
    world.terminal.out(documentText(options.output, applied, placed.length === 1));
}

export async function readManifests(
  world: World,
  options: { filename: string[]; recursive?: boolean },
): Promise<Manifest[]> {
  if (options.filename.length === 0)
    throw new AppError('E_USAGE', 'name the manifests with -f, --filename <path>: a file, a folder or -');
  const texts = [];
  for (const path of options.filename) texts.push(...(await world.files.read(path, options.recursive ?? false)));
  return parseManifests(texts);
}

/** Finds the kind's place on the server and fills in the namespace. `E_INPUT_INVALID` names the line. */
export function place(
  { object, origin }: Manifest,
  resources: readonly Resource[],
  connection: Connection,
  namespaceOption: string | undefined,
): Placed {
  const resource = resourceOfObject(resources, object.apiVersion, object.kind);
  if (resource === undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      `${origin}: the server has no kind ${object.kind} in ${object.apiVersion}; ${otherVersions(object, resources)}`,
    );
  if (!resource.namespaced) return { object, resource, namespace: undefined, origin };
  const own = object.metadata.namespace;
  if (own !== undefined && namespaceOption !== undefined && own !== namespaceOption)
    throw new AppError('E_INPUT_INVALID', `${origin}: the object is of namespace ${own}, not of -n ${namespaceOption}`);
  const namespace = own ?? namespaceOption ?? connection.namespace;
  return { object: { ...object, metadata: { ...object.metadata, namespace } }, resource, namespace, origin };
}

export function nameOf({ resource, object }: Placed): string {
  return qualifiedName(resource, object.metadata.name);
}

export function withOrigin(error: unknown, origin: string): unknown {
  if (!(error instanceof AppError)) return error;
  return new AppError(error.code, `${origin}: ${error.message}`, { details: error.details, cause: error });
}

const dryRunWords: Record<DryRun, string> = { none: '', client: ' (dry run)', server: ' (server dry run)' };

type Verb = 'created' | 'configured' | 'unchanged';

/**
 * The field manager is kubectl's own, so that on a real cluster both programs own the same fields and a change from
 * one to the other is no conflict of server-side apply.
 */
function writeQuery(dryRun: DryRun) {
  return {
    fieldManager: 'kubectl-client-side-apply',
    fieldValidation: 'Strict',
    dryRun: dryRun === 'server' ? 'All' : undefined,
  };
}

export async function applyOne(
  world: World,
  connection: Connection,
  item: Placed,
  dryRun: DryRun,
): Promise<{ verb: Verb; object: KubeObject; live?: KubeObject }> {
  const path = pathOf(item.resource, item.namespace, item.object.metadata.name);
  const wanted = withLastApplied(item.object);
  const live = await getOrNothing(connection, path);
  if (live === undefined) {
    if (dryRun === 'client') return { verb: 'created', object: item.object };
    const body = { method: 'POST', path: pathOf(item.resource, item.namespace), query: writeQuery(dryRun) } as const;
    return { verb: 'created', object: await connection.api<KubeObject>({ ...body, body: wanted }) };
  }
  const last = lastAppliedOf(live);
  if (last === undefined)
    world.terminal.tell(
      `warning: ${nameOf(item)} was not made by apply: what the manifest does not mention stays as it is`,
    );
  const form = patchFormOf(item.resource.group);
  const patch = threeWayPatch(form, last, wanted, live);
  if (patch === undefined) return { verb: 'unchanged', object: live, live };
  if (dryRun === 'client') return { verb: 'configured', object: live, live };
  const object = await sendPatch(connection, path, form, patch, dryRun);
  // The server may find that the patch says what is there already, e.g. what it had filled in by itself.
  const same = dryRun === 'none' && object.metadata.resourceVersion === live.metadata.resourceVersion;
  return { verb: same ? 'unchanged' : 'configured', object, live };
}

async function sendPatch(connection: Connection, path: string, form: PatchForm, patch: object, dryRun: DryRun) {
  const query = writeQuery(dryRun);
  return connection.api<KubeObject>({ method: 'PATCH', path, query, body: patch, contentType: patchMediaTypes[form] });
}

async function getOrNothing(connection: Connection, path: string): Promise<KubeObject | undefined> {
  try {
    return await connection.api<KubeObject>({ method: 'GET', path });
  } catch (error) {
    if (codeOf(error) === 'E_NOT_FOUND') return undefined;
    throw error;
  }
}

function otherVersions(object: KubeObject, resources: readonly Resource[]): string {
  const found = resources.filter((resource) => resource.kind === object.kind);
  if (found.length === 0) return 'is the name right?';
  return `it has ${found.map((resource) => `${resource.group}${resource.group && '/'}${resource.version}`).join(', ')}`;
}
