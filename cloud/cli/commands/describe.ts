/** `stile describe`: an object with what belongs to it. */
import { AppError, codeOf } from '../../../protocol/errors.ts';
import { type Deployment, type KubeObject, keys, type Node, type Pod } from '../../../protocol/kubernetes.ts';
import { describeObject, type Related } from '../description.ts';
import { getObject, listObjects } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { discover, type Resource, resolveKind, resourceOfObject } from '../resources.ts';
import { parseSubjects, type Subject } from '../subjects.ts';

export interface DescribeOptions extends ConnectionOptions {
  allNamespaces?: boolean;
  selector?: string;
}

export async function describe(world: World, args: readonly string[], options: DescribeOptions): Promise<void> {
  const connection = await world.connect(options);
  const resources = await discover(connection);
  await describeSubjects(world, connection, resources, parseSubjects(resources, args), options);
}

/** The `describe` of nouns such as `node` and `pool`. */
export async function describeByName(
  world: World,
  kind: string,
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  const connection = await world.connect(options);
  const resources = await discover(connection);
  const subject = { resource: resolveKind(resources, kind), names: [...names] };
  await describeSubjects(world, connection, resources, [subject], options);
}

async function describeSubjects(
  world: World,
  connection: Connection,
  resources: readonly Resource[],
  subjects: readonly Subject[],
  options: DescribeOptions,
): Promise<void> {
  const descriptions: string[] = [];
  for (const subject of subjects)
    for (const object of await objectsOf(world, connection, subject, options)) {
      const related = await relatedTo(world, connection, resources, object);
      descriptions.push(describeObject(object, related, world.clock.now()));
    }
  if (descriptions.length === 0) world.terminal.tell('No resources found');
  world.terminal.out(descriptions.join('\n\n'));
}

async function objectsOf(
  world: World,
  connection: Connection,
  { resource, names }: Subject,
  options: DescribeOptions,
): Promise<KubeObject[]> {
  const namespace = options.namespace ?? connection.namespace;
  if (names.length === 0) {
    const labels = options.selector === undefined ? {} : { labels: options.selector };
    const where = options.allNamespaces ? undefined : namespace;
    return (await listObjects(connection, { resource, namespace: where, ...labels })).items;
  }
  const objects: KubeObject[] = [];
  for (const name of names) {
    try {
      objects.push(...(await byNameOrBeginning(connection, resource, namespace, name)));
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
  return objects;
}

/** As kubectl: a name that does not exist stands for all that begin with it. */
async function byNameOrBeginning(connection: Connection, resource: Resource, namespace: string, name: string) {
  try {
    return [await getObject(connection, resource, namespace, name)];
  } catch (error) {
    if (codeOf(error) !== 'E_NOT_FOUND') throw error;
    const { items } = await listObjects(connection, { resource, namespace });
    const found = items.filter((item) => item.metadata.name.startsWith(name));
    if (found.length === 0) throw error;
    return found;
  }
}

async function relatedTo(
  world: World,
  connection: Connection,
  resources: readonly Resource[],
  object: KubeObject,
): Promise<Related> {
  const { name, namespace, uid } = object.metadata;
  const list = async (
    apiVersion: string,
    kind: string,
    where: { namespace?: string; labels?: string; fields?: string },
  ) => {
    const resource = resourceOfObject(resources, apiVersion, kind);
    if (resource === undefined) return [];
    return (await listObjects(connection, { resource, namespace: where.namespace, ...where })).items;
  };
  const fields = [
    `involvedObject.name=${name}`,
    `involvedObject.kind=${object.kind}`,
    ...(namespace === undefined ? [] : [`involvedObject.namespace=${namespace}`]),
    // Events about a Node name it, not its uid, in the uid's place.
    ...(uid === undefined || object.kind === 'Node' ? [] : [`involvedObject.uid=${uid}`]),
  ].join(',');
  const events = list('v1', 'Event', { ...(namespace === undefined ? {} : { namespace }), fields });
  const isKind = (kind: string, group: string) => object.kind === kind && object.apiVersion.split('/')[0] === group;
  return {
    // What is told beside the object must not hide the object.
    events: await events.catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      world.terminal.tell(`warning: the events of ${name} cannot be read: ${error.message}`);
      return [];
    }),
    nodes: isKind('NodePool', 'apps.openyurt.io')
      ? ((await list('v1', 'Node', { labels: `${keys.nodePool}=${name}` })) as Node[])
      : [],
    pods: isKind('Node', 'v1') ? ((await list('v1', 'Pod', { fields: `spec.nodeName=${name}` })) as Pod[]) : [],
    deployments: isKind('YurtAppSet', 'apps.openyurt.io')
      ? (
          (await list('apps/v1', 'Deployment', {
            ...(namespace === undefined ? {} : { namespace }),
            labels: keys.poolName,
          })) as Deployment[]
        ).filter((deployment) => deployment.metadata.ownerReferences?.some((owner) => owner.uid === uid))
      : [],
  };
}
