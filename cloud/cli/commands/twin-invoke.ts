/** `stile twin invoke`: has a device do something, at most once, and waits for what became of it. */
import { AppError, codeOf, type ErrorCode, errorTable } from '../../../protocol/errors.ts';
import type { Action, ActionStatus, Json, Node } from '../../../protocol/kubernetes.ts';
import { finalPhases } from '../../../protocol/twin/action-result.ts';
import { type Listed, listObjects, watchSelection } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { discover, pathOf, type Resource } from '../resources.ts';
import { jsonOrText, patchOfAssignments } from '../twin-text.ts';

export interface InvokeOptions extends ConnectionOptions {
  /** It is not begun later, and not waited for longer. */
  timeoutMs: number;
  output: Output;
}

/** `input`: one JSON value, or PATH=VALUE words. */
export async function invokeAction(
  world: World,
  id: string,
  name: string,
  input: readonly string[],
  options: InvokeOptions,
): Promise<void> {
  const connection = await world.connect(options);
  const resource = (await discover(connection)).find((each) => each.group === 'stile.dev' && each.plural === 'actions');
  if (resource === undefined) throw new AppError('E_NOT_FOUND', 'the server has no actions: it is no hub of Stile');
  const action = await ask(world, connection, resource, { id, name, input: inputOf(input) }, options);
  const away = await isAway(connection, action.spec.nodeName);
  if (away) world.terminal.tell(`${action.spec.nodeName} is away: waiting whether it comes back in time`);
  const status = await outcome(world, connection, resource, action, options.timeoutMs);
  if (status === undefined || status.phase === 'Expired') throw await notInTime(connection, action, status);
  if (options.output === 'json') world.terminal.out(jsonText(status));
  else if (options.output === 'yaml') world.terminal.out(yamlText(status));
  else if (status.phase === 'Completed')
    world.terminal.out(status.output === undefined ? `${name} done\n` : jsonText(status.output));
  if (status.phase !== 'Completed') throw failureOf(name, status);
}

function inputOf(words: readonly string[]): Json | undefined {
  const [first] = words;
  if (first === undefined) return undefined;
  return words.length === 1 && !/^[\w.-]+=/.test(first) ? jsonOrText(first) : patchOfAssignments(words);
}

async function ask(
  world: World,
  connection: Connection,
  resource: Resource,
  { id, name, input }: { id: string; name: string; input: Json | undefined },
  { timeoutMs }: InvokeOptions,
): Promise<Action> {
  const expiresTime = new Date(world.clock.now() + timeoutMs).toISOString();
  const body = {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Action',
    metadata: { generateName: 'action-' },
    spec: { twin: id, name, ...(input === undefined ? {} : { input }), expiresTime },
  };
  try {
    return await connection.api<Action>({ method: 'POST', path: pathOf(resource, undefined), body });
  } catch (error) {
    // A Status has no reason of its own for a node that is away.
    if (error instanceof AppError && error.details.reason === 'ServiceUnavailable')
      throw new AppError('E_NODE_OFFLINE', error.message);
    throw error;
  }
}

/** The status that is final; undefined when there is none in time. */
async function outcome(
  world: World,
  connection: Connection,
  resource: Resource,
  { metadata }: Action,
  timeoutMs: number,
): Promise<ActionStatus | undefined> {
  const done = new AbortController();
  const stop = AbortSignal.any([done.signal, world.terminal.interruption()]);
  const selection = { resource, namespace: undefined, fields: `metadata.name=${metadata.name}` };
  let final: ActionStatus | undefined;
  const look = ({ status }: Action) => {
    if (status === undefined || !finalPhases.has(status.phase)) return;
    final = status;
    done.abort();
  };
  const late = world.clock.sleep(timeoutMs, stop).catch(() => {});
  const watching = watchSelection(
    world,
    connection,
    selection,
    {
      accept: 'application/json',
      list: () => listObjects(connection, selection),
      revisionOf: (listed: Listed) => listed.revision,
      onListed({ items }: Listed) {
        for (const item of items) look(item as Action);
      },
      onEvent: (_type, object) => look(object),
    },
    stop,
  ).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
  await Promise.race([late, watching]);
  done.abort();
  await watching;
  return final;
}

async function isAway(connection: Connection, node: string): Promise<boolean> {
  try {
    const { status } = await connection.api<Node>({ method: 'GET', path: `/api/v1/nodes/${encodeURIComponent(node)}` });
    return status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True';
  } catch (error) {
    if (codeOf(error) === 'E_NOT_FOUND') return true;
    throw error;
  }
}

async function notInTime(connection: Connection, { metadata, spec }: Action, status: ActionStatus | undefined) {
  const { nodeName, name } = spec;
  const later = status === undefined ? `; stile get action ${metadata.name} tells later` : '';
  if (await isAway(connection, nodeName))
    return new AppError(
      'E_NODE_OFFLINE',
      `${nodeName} is away: ${name} was not done in time, as far as is known${later}`,
    );
  return new AppError('E_TIMEOUT', `${nodeName} did not tell in time what became of ${name}${later}`);
}

function failureOf(name: string, { phase, error }: ActionStatus): AppError {
  const known = error !== undefined && error.code in errorTable ? (error.code as ErrorCode) : 'E_REMOTE';
  const how = phase === 'Unknown' ? 'was begun, and nobody knows whether it was done' : 'failed';
  return new AppError(known, `${name} ${how}${error === undefined ? '' : `: ${error.message}`}`);
}
