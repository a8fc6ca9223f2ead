/** `stile diff -f`: what an apply would change, as the server itself would have it; nothing is written. */
import type { KubeObject, YurtAppSet } from '../../../protocol/kubernetes.ts';
import { differences } from '../app-set-change.ts';
import { exitCodeFor, exitCodes, sentenceFor } from '../failure.ts';
import { inOrderOfCreation } from '../manifest.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { discover, type Resource } from '../resources.ts';
import { lastAppliedKey } from '../three-way-patch.ts';
import { applyOne, nameOf, type Placed, place, readManifests, withOrigin } from './apply.ts';
import { poolChangeLines, shortened } from './pool-changes.ts';

export interface DiffOptions extends ConnectionOptions {
  filename: string[];
  recursive?: boolean;
}

/** Exit codes are kubectl's: 0 no difference, 1 differences, above 1 a fault. */
export async function diff(world: World, options: DiffOptions): Promise<void> {
  let differs = false;
  try {
    const manifests = inOrderOfCreation(await readManifests(world, options));
    const connection = await world.connect(options);
    const resources = await discover(connection);
    for (const manifest of manifests) {
      const item = place(manifest, resources, connection, options.namespace);
      try {
        differs = (await diffOne(world, connection, resources, item)) || differs;
      } catch (error) {
        throw withOrigin(error, item.origin);
      }
    }
  } catch (error) {
    world.terminal.tell(sentenceFor(error));
    world.endWith(Math.max(exitCodeFor(error), exitCodes.usage));
    return;
  }
  if (differs) world.endWith(exitCodes.failed);
}

/** Whether there is a difference. */
async function diffOne(
  world: World,
  connection: Connection,
  resources: readonly Resource[],
  item: Placed,
): Promise<boolean> {
  const { live, object } = await applyOne(world, connection, item, 'server');
  const changes = live === undefined ? [] : differences(ofTheUser(live), ofTheUser(object), '');
  if (live !== undefined && changes.length === 0) return false;
  const lines =
    live === undefined
      ? ['does not exist and would be created']
      : shortened(changes.map((line) => shownChange(line, object)));
  if (object.kind === 'YurtAppSet')
    lines.push(...(await poolChangeLines(connection, resources, live as YurtAppSet | undefined, object as YurtAppSet)));
  world.terminal.out(`${nameOf(item)}\n${lines.map((line) => `  ${line}\n`).join('')}`);
  return true;
}

/** Without the dot at the beginning; of a Secret only where it differs, since terminals and logs remember. */
function shownChange(line: string, { kind }: KubeObject): string {
  return kind === 'Secret' ? `${line.slice(1, line.indexOf(': '))}: (not shown)` : line.slice(1);
}

/** Without what the server keeps for itself. */
function ofTheUser({ status: _status, ...object }: KubeObject & { status?: unknown }): object {
  const { labels, annotations, finalizers, ownerReferences } = object.metadata;
  const { [lastAppliedKey]: _lastApplied, ...others } = annotations ?? {};
  return { ...object, metadata: { labels: labels ?? {}, annotations: others, finalizers, ownerReferences } };
}
