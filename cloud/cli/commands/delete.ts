/** `stile delete`: asks for the removal and waits until the objects are gone. */
import { AppError, codeOf } from '../../../protocol/errors.ts';
import type { KubeObject, Node, Pod } from '../../../protocol/kubernetes.ts';
import { getObject, listObjects } from '../listing.ts';
import { inOrderOfCreation } from '../manifest.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import type { Output } from '../print.ts';
import { discover, pathOf, qualifiedName, type Resource, resolveKind } from '../resources.ts';
import { parseSubjects } from '../subjects.ts';
import { place, readManifests } from './apply.ts';

export interface DeleteOptions extends ConnectionOptions {
  filename: string[];
  recursive?: boolean;
  all?: boolean;
  selector?: string;
  ignoreNotFound?: boolean;
  gracePeriodSeconds?: number;
  wait: boolean;
  /** How long `wait` may last. */
  timeoutMs: number;
  output: Output;
}

/** How often a removal is looked for. */
const POLL_MS = 250;

interface Victim {
  resource: Resource;
  namespace: string | undefined;
  name: string;
}

interface Deleted extends Victim {
  /** The object's uid: one of the same name that is made meanwhile is another. */
  uid: string | undefined;
}

export async function deleteObjects(world: World, args: readonly string[], options: DeleteOptions): Promise<void> {
  if (options.filename.length > 0 && args.length > 0) throw new AppError('E_USAGE', 'give -f or KIND NAME, not both');
  const manifests = options.filename.length > 0 ? await readManifests(world, options) : undefined;
  const connection = await world.connect(options);
  const resources = await discover(connection);
  const victims =
    manifests === undefined
      ? await victimsOf(connection, resources, args, options)
      : // What lives in a namespace goes before it.
        inOrderOfCreation(manifests)
          .reverse()
          .map((manifest) => place(manifest, resources, connection, options.namespace))
          .map(({ resource, namespace, object }) => ({ resource, namespace, name: object.metadata.name }));
  await deleteEach(world, connection, victims, options);
}

/** Deletes objects of one kind by name; the `delete` of nouns such as `node` and `pool`. */
export async function deleteByName(
  world: World,
  kind: string,
  names: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  const connection = await world.connect(options);
  const resource = resolveKind(await discover(connection), kind);
  const namespace = options.namespace ?? connection.namespace;
  await deleteEach(
    world,
    connection,
    names.map((name) => ({ resource, namespace, name })),
    options,
  );
}

async function deleteEach(
  world: World,
  connection: Connection,
  victims: readonly Victim[],
  options: DeleteOptions,
): Promise<void> {
  const deleted: Deleted[] = [];
  for (const victim of victims) {
    try {
      deleted.push({ ...victim, uid: await requestDeletion(connection, victim, options) });
      const name = qualifiedName(victim.resource, victim.name);
      world.terminal.out(options.output === 'name' ? `${name}\n` : `${name} deleted\n`);
    } catch (error) {
      if (codeOf(error) === 'E_NOT_FOUND' && options.ignoreNotFound) continue;
      if (victims.length === 1 || codeOf(error) === 'E_LINK_UNREACHABLE') throw error;
      world.report(error);
    }
  }
  if (!options.wait) return;
  const deadlineMs = world.clock.monotonic() + options.timeoutMs;
  for (const victim of deleted) await awaitGone(world, connection, victim, deadlineMs);
}

async function requestDeletion(
  connection: Connection,
  { resource, namespace, name }: Victim,
  options: DeleteOptions,
): Promise<string | undefined> {
  const answer = await connection.api<KubeObject & { details?: { uid?: string } }>({
    method: 'DELETE',
    path: pathOf(resource, namespace, name),
    body: {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      propagationPolicy: 'Background',
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    },
  });
  // An object that is gone at once is answered with a Status, one that lingers with itself.
  return answer.metadata?.uid ?? answer.details?.uid;
}

async function awaitGone(world: World, connection: Connection, victim: Deleted, deadlineMs: number): Promise<void> {
  const name = qualifiedName(victim.resource, victim.name);
  for (;;) {
    const object = await current(connection, victim);
    if (object === undefined) return;
    if (world.clock.monotonic() >= deadlineMs) {
      await refuseOffline(connection, object, name);
      const holders = object.metadata.finalizers ?? [];
      const reason = holders.length > 0 ? `; it is held by ${holders.join(', ')}` : '';
      throw new AppError('E_TIMEOUT', `${name} is marked for deletion and not gone yet${reason}`);
    }
    await world.clock.sleep(POLL_MS);
  }
}

/** Undefined when the object that we deleted is gone, whether or not another took its name. */
async function current(connection: Connection, victim: Deleted): Promise<KubeObject | undefined> {
  try {
    const object = await getObject(connection, victim.resource, victim.namespace, victim.name);
    return victim.uid === undefined || object.metadata.uid === victim.uid ? object : undefined;
  } catch (error) {
    if (codeOf(error) === 'E_NOT_FOUND') return undefined;
    throw error;
  }
}

/** A pod goes when its terminal has stopped it; one that is away does so when it returns. */
async function refuseOffline(connection: Connection, object: KubeObject, name: string): Promise<void> {
  const nodeName = object.kind === 'Pod' ? (object as Pod).spec.nodeName : undefined;
  if (nodeName === undefined) return;
  const path = `/api/v1/nodes/${encodeURIComponent(nodeName)}`;
  const node = await connection.api<Node>({ method: 'GET', path }).catch(() => undefined);
  const ready = node?.status?.conditions?.find((condition) => condition.type === 'Ready')?.status;
  if (ready === 'True') return;
  throw new AppError(
    'E_NODE_OFFLINE',
    `${name} is marked for deletion, but its node ${nodeName} is away and stops it when it returns; ` +
      'leave out the waiting with --wait=false, or forget the pod with --grace-period=0',
  );
}

async function victimsOf(
  connection: Connection,
  resources: readonly Resource[],
  args: readonly string[],
  options: DeleteOptions,
): Promise<Victim[]> {
  const namespace = options.namespace ?? connection.namespace;
  const victims: Victim[] = [];
  for (const { resource, names } of parseSubjects(resources, args)) {
    for (const name of names) victims.push({ resource, namespace, name });
    if (names.length > 0) continue;
    if (!options.all && options.selector === undefined)
      throw new AppError('E_USAGE', `name the ${resource.plural} to delete, or say -l SELECTOR or --all`);
    const labels = options.selector === undefined ? {} : { labels: options.selector };
    const { items } = await listObjects(connection, { resource, namespace, ...labels });
    for (const item of items) victims.push({ resource, namespace: item.metadata.namespace, name: item.metadata.name });
  }
  return victims;
}
