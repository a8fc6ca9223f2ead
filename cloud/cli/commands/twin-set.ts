/** `stile twin set|unset`: changes of desired, of one twin or of many, each built on the version that was looked at. */
import { AppError, codeOf } from '../../../protocol/errors.ts';
import { type Json, keys, type Twin } from '../../../protocol/kubernetes.ts';
import { mergePatch, mergePatchMediaType } from '../../../protocol/merge-patch.ts';
import { type Members, sameJson } from '../../../protocol/twin/merge.ts';
import { checkedSection } from '../../../protocol/twin/section.ts';
import { listObjects } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { pathOf, type Resource } from '../resources.ts';
import { patchOfAssignments, patchOfRemovals } from '../twin-text.ts';
import { awaySince, readTwin, twinResource } from './twin.ts';

export interface TwinSetOptions extends ConnectionOptions {
  /** The nodes of this pool; with a selector, what it finds there. */
  pool?: string;
  selector?: string;
  yes?: boolean;
  dryRun?: boolean;
  /** Of desired, that the change builds on. */
  ifVersion?: number;
}

/** Reports of a node change the object too: the write is tried again while desired is as it was. */
const CONFLICT_TRIES_MAX = 16;
/** Of many twins, written at once. */
const WRITES_IN_FLIGHT_MAX = 16;
/** Names that a preview lists. */
const NAMES_SHOWN_MAX = 20;

interface Wish {
  twin: Twin;
  desired: Members;
}

export function setTwins(world: World, words: readonly string[], options: TwinSetOptions): Promise<void> {
  return changeTwins(world, words, options, 'PATH=VALUE', patchOfAssignments);
}

export function unsetTwins(world: World, words: readonly string[], options: TwinSetOptions): Promise<void> {
  return changeTwins(world, words, options, 'PATH', patchOfRemovals);
}

async function changeTwins(
  world: World,
  words: readonly string[],
  options: TwinSetOptions,
  form: string,
  patchOf: (words: readonly string[]) => Members,
): Promise<void> {
  const many = options.pool !== undefined || options.selector !== undefined;
  const id = many ? undefined : words[0];
  const changes = many ? words : words.slice(1);
  if (changes.length === 0)
    throw new AppError(
      'E_USAGE',
      `write ${form} to change${many ? '' : ' after the twin, or name twins by --pool or -l'}`,
    );
  const patch = patchOf(changes);
  const connection = await world.connect(options);
  const resource = await twinResource(connection);
  const twins =
    id === undefined ? await selected(connection, resource, options) : [await readTwin(connection, resource, id)];
  const wishes = twins.map((twin) => wishOf(twin, patch)).filter((wish) => wish !== undefined);
  for (const twin of twins)
    if (!many && wishes.length === 0) world.terminal.out(`twin.stile.dev/${twin.metadata.name} unchanged\n`);
  if (many && !(await isWanted(world, twins.length, wishes, options))) return;
  if (options.dryRun) {
    for (const { twin } of wishes) world.terminal.out(`twin.stile.dev/${twin.metadata.name} changed (dry run)\n`);
    return;
  }
  for (let from = 0; from < wishes.length; from += WRITES_IN_FLIGHT_MAX) {
    const some = wishes.slice(from, from + WRITES_IN_FLIGHT_MAX);
    await Promise.all(some.map((wish) => writeOne(world, connection, resource, wish, patch, options, many)));
  }
}

async function selected(connection: Connection, resource: Resource, options: TwinSetOptions): Promise<Twin[]> {
  const { pool, selector } = options;
  const labels = [
    ...(pool === undefined ? [] : [`${keys.nodePool}=${pool}`]),
    ...(selector === undefined ? [] : [selector]),
  ];
  const { items } = await listObjects(connection, { resource, namespace: undefined, labels: labels.join(',') });
  // A pool is its nodes; the devices at them are meant when they are selected.
  return (items as Twin[]).filter(({ metadata, spec }) => selector !== undefined || metadata.name === spec.nodeName);
}

/** What the twin would be; undefined when it is that already. Errors: `E_INPUT_INVALID`. */
function wishOf(twin: Twin, patch: Members): Wish | undefined {
  const desired = checkedSection(mergePatch(twin.spec.desired, patch), `desired of ${twin.metadata.name}`);
  return sameJson(desired, twin.spec.desired) ? undefined : { twin, desired };
}

/** Shows how many twins it touches; without a person to ask, the answer is `--yes`. */
async function isWanted(
  world: World,
  found: number,
  wishes: readonly Wish[],
  options: TwinSetOptions,
): Promise<boolean> {
  const { tell, confirm } = world.terminal;
  const names = wishes.slice(0, NAMES_SHOWN_MAX).map(({ twin }) => twin.metadata.name);
  const more = wishes.length - names.length;
  tell(`${wishes.length} of ${found} twins change${found > wishes.length ? ', the others are so already' : ''}`);
  if (names.length > 0) tell(`  ${names.join(' ')}${more > 0 ? ` and ${more} more` : ''}`);
  if (wishes.length === 0) return false;
  if (options.yes || options.dryRun) return true;
  if (confirm === undefined)
    throw new AppError('E_USAGE', `this changes ${wishes.length} twins: add --yes, or --dry-run to see which`);
  return confirm(`Change desired of ${wishes.length} twins?`);
}

async function writeOne(
  world: World,
  connection: Connection,
  resource: Resource,
  { twin }: Wish,
  patch: Members,
  { ifVersion }: TwinSetOptions,
  many: boolean,
): Promise<void> {
  const { name } = twin.metadata;
  // What was previewed is what is written; of one twin, only a stated version is held on to.
  const version = ifVersion ?? (many ? twin.status?.desired.version : undefined);
  try {
    const next = await writeDesired(connection, resource, twin, patch, version);
    world.terminal.out(`twin.stile.dev/${name} changed to version ${next.status?.desired.version}\n`);
    const { nodeName } = twin.spec;
    const since = many ? undefined : await awaySince(connection, nodeName);
    if (since !== undefined) world.terminal.tell(`${nodeName} is away since ${since}: it takes this when it is back`);
  } catch (error) {
    if (!many) throw error;
    world.report(error);
  }
}

/** `version`: that desired must have. Errors: `E_CONFLICT` when it has another one. */
async function writeDesired(
  connection: Connection,
  resource: Resource,
  twin: Twin,
  patch: Members,
  version: number | undefined,
): Promise<Twin> {
  const { name, uid } = twin.metadata;
  let current = twin;
  for (let attempt = 1; ; attempt += 1) {
    const is = current.status?.desired.version;
    if (version !== undefined && is !== version)
      throw new AppError(
        'E_CONFLICT',
        `desired of ${name} is at version ${is}, not ${version}: look at it and try again`,
      );
    const { resourceVersion } = current.metadata;
    const body: Json = { metadata: { uid: uid!, resourceVersion: resourceVersion! }, spec: { desired: patch } };
    try {
      return await connection.api<Twin>({
        method: 'PATCH',
        path: pathOf(resource, undefined, name),
        contentType: mergePatchMediaType,
        body,
      });
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT' || attempt >= CONFLICT_TRIES_MAX) throw error;
      current = await readTwin(connection, resource, name);
    }
  }
}
