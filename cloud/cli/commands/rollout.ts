/** `stile rollout`: how far a Deployment or a YurtAppSet is, what it ran with before, and back to that. */
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject, YurtAppSet } from '../../../protocol/kubernetes.ts';
import { mergePatchMediaType } from '../../../protocol/merge-patch.ts';
import { sameJson } from '../../../protocol/resources/store/json-value.ts';
import { getObject, type Listed, listObjects, watchSelection } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { yamlText } from '../print.ts';
import { discover, pathOf, qualifiedName, type Resource, resourceOfObject } from '../resources.ts';
import {
  historyKinds,
  type Revision,
  restartPatch,
  revisionNumbered,
  revisionsOf,
  type Standing,
  standingOfRollout,
  undoPatch,
  undoTarget,
} from '../rollout-history.ts';
import { parseSubjects } from '../subjects.ts';
import { alignedLines, cellText } from '../table.ts';
import { poolChangeLines } from './pool-changes.ts';

export interface RolloutOptions extends ConnectionOptions {
  /** Of `history`: this one as a whole. */
  revision?: number;
  /** Of `undo`: there, instead of the one before. */
  toRevision?: number;
  /** Of `status`: 0 looks once. */
  timeoutMs: number;
  /** Of `undo`: only tell. */
  dryRun?: boolean;
}

interface Target {
  connection: Connection;
  resources: readonly Resource[];
  resource: Resource;
  namespace: string;
  name: string;
  /** `deployment.apps/web`. */
  title: string;
}

const forever = new Promise<never>(() => {});

/** Tells each step until the rollout is over. `E_TIMEOUT` when it is not in time, `E_NODE_OFFLINE` when terminals are away. */
export async function rolloutStatus(world: World, args: readonly string[], options: RolloutOptions): Promise<void> {
  const target = await targetOf(world, args, options);
  const first = await read(target);
  const over = new AbortController();
  const late = options.timeoutMs === 0 ? forever : world.clock.sleep(options.timeoutMs, over.signal).catch(() => {});
  let standing = standingOfRollout(first);
  tellStanding(world, target, standing);
  try {
    if (standing.state === 'underWay' && options.timeoutMs > 0) {
      const follow = followed(world, target, first, over, (next) => {
        if (next.sentence !== standing.sentence) tellStanding(world, target, next);
        standing = next;
      });
      await Promise.race([follow, late]);
    }
  } finally {
    over.abort();
  }
  if (standing.state === 'failed') throw new AppError('E_REMOTE', `${target.title}: ${standing.sentence}`);
  if (standing.state === 'underWay')
    throw new AppError(standing.nodesAway ? 'E_NODE_OFFLINE' : 'E_TIMEOUT', `${target.title}: ${standing.sentence}`);
}

/** The revisions as a table, or one of them as YAML. */
export async function rolloutHistory(world: World, args: readonly string[], options: RolloutOptions): Promise<void> {
  const target = await targetOf(world, args, options);
  const revisions = await historyOf(target, await read(target));
  if (options.revision !== undefined) {
    const { number, content } = revisionNumbered(revisions, options.revision);
    world.terminal.out(`# ${target.title} with revision #${number}\n${yamlText(content)}`);
    return;
  }
  const rows = revisions.map(({ number, cause }) => [String(number), cellText(cause)]);
  world.terminal.out(`${target.title}\n${alignedLines([['REVISION', 'CHANGE-CAUSE'], ...rows]).join('\n')}\n`);
}

/** Back to an earlier revision; of a YurtAppSet it is shown first what that means in each pool. */
export async function rolloutUndo(world: World, args: readonly string[], options: RolloutOptions): Promise<void> {
  const target = await targetOf(world, args, options);
  const object = await read(target);
  refuseOwned(target, object);
  if ((object.spec as { paused?: boolean }).paused === true)
    throw new AppError('E_INPUT_INVALID', `${target.title} is paused: resume it first, e.g. kubectl rollout resume`);
  const revision = undoTarget(await historyOf(target, object), options.toRevision);
  if (isPresent(object, revision)) {
    world.terminal.out(
      `${target.title} skipped rollback (it has the template of revision ${revision.number} already)\n`,
    );
    return;
  }
  if (object.kind === 'YurtAppSet') await tellPools(world, target, object as YurtAppSet, revision);
  if (options.dryRun === true) {
    world.terminal.out(`${target.title} would go back to revision ${revision.number} (dry run)\n`);
    return;
  }
  await patch(target, undoPatch(object, revision), 'application/json-patch+json');
  world.terminal.out(`${target.title} rolled back to revision ${revision.number}\n`);
}

/** New pods of the same template, by the rules of a rollout. */
export async function rolloutRestart(world: World, args: readonly string[], options: RolloutOptions): Promise<void> {
  const target = await targetOf(world, args, options);
  refuseOwned(target, await read(target));
  const now = new Date(world.clock.now()).toISOString();
  await patch(target, restartPatch(target.resource.kind, now), mergePatchMediaType);
  world.terminal.out(`${target.title} restarted\n`);
}

async function targetOf(world: World, args: readonly string[], options: ConnectionOptions): Promise<Target> {
  const connection = await world.connect(options);
  const resources = await discover(connection);
  const [subject, ...more] = parseSubjects(resources, args);
  if (more.length > 0 || subject!.names.length !== 1)
    throw new AppError('E_USAGE', 'rollout takes one object: KIND NAME or KIND/NAME');
  const { resource, names } = subject!;
  if (!Object.hasOwn(historyKinds, resource.kind))
    throw new AppError('E_USAGE', `${resource.plural} are not rolled out; name a deployment or a yurtappset`);
  const name = names[0]!;
  const namespace = options.namespace ?? connection.namespace;
  return { connection, resources, resource, namespace, name, title: qualifiedName(resource, name) };
}

async function read({ connection, resource, namespace, name }: Target): Promise<KubeObject> {
  return getObject(connection, resource, namespace, name);
}

async function historyOf(
  { connection, resources, resource, namespace }: Target,
  owner: KubeObject,
): Promise<Revision[]> {
  const { recordKind, recordsIn } = historyKinds[resource.kind]!;
  const records = resourceOfObject(resources, recordsIn, recordKind);
  if (records === undefined) throw new AppError('E_REMOTE', `the server keeps no ${recordKind}s, and so no history`);
  return revisionsOf(owner, (await listObjects(connection, { resource: records, namespace })).items);
}

/** What a YurtAppSet makes is its own: a change below it would be put right at once. */
function refuseOwned({ title }: Target, { metadata }: KubeObject): void {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return;
  const kind = owner.kind.toLowerCase();
  throw new AppError('E_INPUT_INVALID', `${title} is made by ${kind}/${owner.name}: name that instead`);
}

function isPresent(object: KubeObject, { content }: Revision): boolean {
  const spec = object.spec as { template?: object; workload?: object };
  return sameJson(object.kind === 'Deployment' ? spec.template : spec.workload, content);
}

async function tellPools(world: World, target: Target, set: YurtAppSet, { content }: Revision): Promise<void> {
  const after = { ...set, spec: { ...set.spec, workload: content as unknown as YurtAppSet['spec']['workload'] } };
  for (const line of await poolChangeLines(target.connection, target.resources, set, after)) world.terminal.tell(line);
}

async function patch(
  { connection, resource, namespace, name }: Target,
  body: object,
  contentType: string,
): Promise<void> {
  const query = { fieldManager: 'kubectl-rollout' };
  await connection.api({ method: 'PATCH', path: pathOf(resource, namespace, name), query, body, contentType });
}

function tellStanding(world: World, { title }: Target, { state, sentence }: Standing): void {
  if (state === 'done') world.terminal.out(`${title} ${sentence}\n`);
  else if (state === 'underWay') world.terminal.out(`Waiting for ${title}: ${cellText(sentence)}\n`);
}

/** Hands on each standing until the rollout is over, one way or the other. */
async function followed(
  world: World,
  { connection, resource, namespace, name, title }: Target,
  first: KubeObject,
  over: AbortController,
  onStanding: (standing: Standing) => void,
): Promise<void> {
  const selection = { resource, namespace, fields: `metadata.name=${name}` };
  const take = (object: KubeObject) => {
    const standing = standingOfRollout({ ...object, kind: resource.kind });
    onStanding(standing);
    if (standing.state !== 'underWay') over.abort();
  };
  const gone = () => new AppError('E_NOT_FOUND', `${title} was deleted meanwhile`);
  await watchSelection<Listed>(
    world,
    connection,
    selection,
    {
      accept: 'application/json',
      list: () => listObjects(connection, selection),
      revisionOf: ({ revision }) => revision,
      onListed: ({ items: [item] }) => {
        if (item?.metadata.uid !== first.metadata.uid) throw gone();
        take(item!);
      },
      onEvent: (type, object: never) => {
        if (type === 'DELETED') throw gone();
        take(object);
      },
    },
    over.signal,
  );
}
