/** `stile check`: asks the hub how it is and prints what `hub-findings.ts` thinks of it; also of a hub that is away. */
import { AppError } from '../../../protocol/errors.ts';
import { findingsText, isFit } from '../../../protocol/finding.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { programVersion } from '../../../protocol/program-version.ts';
import type { HubHealth } from '../../hub/hub-health.ts';
import { exitCodeFor, exitCodes } from '../failure.ts';
import { type Fleet, surveyOf } from '../fleet-survey.ts';
import { type Facts, judge } from '../hub-findings.ts';
import { listObjects } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { discover, type Resource } from '../resources.ts';
import { withoutControls } from '../table.ts';

export interface CheckOptions extends ConnectionOptions {
  /** Also look through the hub's database, while its writers wait. */
  database?: boolean;
  output: Exclude<Output, 'name' | 'wide'>;
}

/** Ends with 1 when something is red, with 3 when the hub is away. Errors: those of a kubeconfig that cannot be used. */
export async function check(world: World, options: CheckOptions): Promise<void> {
  const connection = await world.connect(options);
  const { facts, failure } = await factsOf(world, connection, options.database === true);
  const findings = judge(facts).map((finding) => ({ ...finding, reason: oneLine(finding.reason) }));
  const fit = isFit(findings);
  if (options.output === 'json') world.terminal.out(jsonText({ fit, findings }));
  else if (options.output === 'yaml') world.terminal.out(yamlText({ fit, findings }));
  else world.terminal.out(findingsText(findings, false));
  if (failure !== undefined) world.endWith(exitCodeFor(failure));
  else if (!fit) world.endWith(exitCodes.failed);
}

/** `failure`: why the hub was not reached. */
async function factsOf(world: World, connection: Connection, database: boolean) {
  const { clock } = world;
  const known = {
    version: programVersion,
    server: connection.hubServer,
    ...(connection.validity === undefined ? {} : { kubeconfig: connection.validity }),
  };
  try {
    // The first request pays for the connection; the second one tells how long an answer takes.
    await connection.api({ method: 'GET', path: '/version' });
  } catch (failure) {
    const hub: Facts['hub'] = { kind: 'failed', reason: sentenceOf(failure) };
    return { facts: { ...known, nowMs: clock.now(), hub }, failure };
  }
  const { roundTripMs, health } = await askHealth(world, connection);
  const looked = database && health.kind === 'told' ? await lookThrough(connection, health.told) : {};
  const facts: Facts = {
    ...known,
    nowMs: clock.now(),
    hub: { kind: 'reached', roundTripMs },
    health,
    ...looked,
    fleet: await survey(connection),
  };
  return { facts, failure: undefined };
}

async function askHealth({ clock }: World, connection: Connection) {
  const [sentMs, sentMonotonicMs] = [clock.now(), clock.monotonic()];
  const passed = () => Math.round(clock.monotonic() - sentMonotonicMs);
  try {
    const told = await healthOf(connection, '');
    const roundTripMs = passed();
    const aheadMs = told.nowMs - (sentMs + roundTripMs / 2);
    return { roundTripMs, health: { kind: 'told' as const, aheadMs, told } };
  } catch (error) {
    return { roundTripMs: passed(), health: { kind: 'untold' as const, reason: sentenceOf(error) } };
  }
}

/** Asked for by itself: it may take longer than an answer may, and the rest is to be told all the same. */
async function lookThrough(connection: Connection, told: HubHealth): Promise<Pick<Facts, 'databaseFault'>> {
  try {
    told.database = (await healthOf(connection, '?database=quick')).database;
    return {};
  } catch (error) {
    return { databaseFault: sentenceOf(error) };
  }
}

async function healthOf(connection: Connection, query: string): Promise<HubHealth> {
  const { json } = await connection.hub.send({ method: 'GET', path: `/stile/v1/health${query}` });
  if (typeof (json as Partial<HubHealth> | undefined)?.nowMs === 'number') return json as HubHealth;
  throw new AppError('E_REMOTE', `what answers at ${connection.hubServer} is no hub: check the kubeconfig`);
}

async function survey(connection: Connection): Promise<NonNullable<Facts['fleet']>> {
  try {
    const resources = await discover(connection);
    const list = async <T extends KubeObject>(group: string, plural: string) => {
      const resource = resources.find((one: Resource) => one.group === group && one.plural === plural);
      if (resource === undefined) return [];
      return (await listObjects(connection, { resource, namespace: undefined })).items as T[];
    };
    const fleet: Fleet = {
      nodes: await list('', 'nodes'),
      pools: await list('apps.openyurt.io', 'nodepools'),
      pods: await list('', 'pods'),
      deployments: await list('apps', 'deployments'),
      sets: await list('apps.openyurt.io', 'yurtappsets'),
    };
    return { kind: 'seen', survey: surveyOf(fleet) };
  } catch (error) {
    return { kind: 'unseen', reason: sentenceOf(error) };
  }
}

/** What terminals report is in it: it must neither drive the screen nor look like another finding. */
function oneLine(reason: string): string {
  return withoutControls(reason.replace(/\s+/g, ' '));
}

/** A fault that is no `AppError` is a bug of ours, and not the hub's. */
function sentenceOf(error: unknown): string {
  if (error instanceof AppError) return `${error.message} (${error.code})`;
  throw error;
}
