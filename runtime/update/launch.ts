/**
 * The first thing that a start does: the program of the service becomes the version that `decision.ts` chooses, in the
 * same process, or goes on as itself. Whatever fails here, it goes on.
 */
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { controlSocketPath } from '../control/control-socket.ts';
import { statNow } from '../workloads/proc.ts';
import { decideStart, type StartDecision, type UpdateState, type Version } from './decision.ts';
import { VersionFiles } from './version-files.ts';

/** Told to a version by the launcher, in the environment: as which it was started. */
export interface Launched {
  digest: string;
  /** Version of the launcher. */
  launcher: string;
}

const VARIABLE = 'STILE_LAUNCHED';
const GUARD_START_MS_MAX = 10_000;

export interface Launching {
  dataDir: string;
  version: string;
  /** How this program is started, without arguments. */
  command: readonly string[];
  /** What it was started with. */
  args: readonly string[];
  environment: NodeJS.ProcessEnv;
}

/** As what the launcher started this process; undefined when this is the launcher. Pods are not to hear of it. */
export function takeLaunched(environment: NodeJS.ProcessEnv): Launched | undefined {
  const text = environment[VARIABLE];
  delete environment[VARIABLE];
  const [digest, launcher] = text?.split(' ') ?? [];
  return digest === undefined || launcher === undefined ? undefined : { digest, launcher };
}

/** Comes back when the launcher itself is to go on. */
export async function launch(env: Env, launching: Launching): Promise<void> {
  const log = env.log.child({ svc: 'launch' });
  try {
    await run({ ...env, log }, launching);
  } catch (error) {
    log.error('no other version can be started, going on with the program of the service', { err: error });
  }
}

async function run(env: Env, launching: Launching): Promise<void> {
  const files = new VersionFiles(launching.dataDir);
  const given = await files.readState();
  if (given === 'missing') return;
  // A start by mistake beside a runtime is no start of a version: it goes on and hears that the store is locked.
  if (await isAnswered(controlSocketPath(launching.dataDir))) return;
  if (given === 'damaged') return env.log.error('the state of updates cannot be read', { dir: files.directory });
  const chosen = await choose(env, files, given, launching.version);
  if (chosen.run === undefined) return;
  const { digest, version } = chosen.run;
  const onTrial = chosen.deadlineMs !== undefined;
  env.log.info('starting another version', { version, digest, onTrial, starts: chosen.starts?.count });
  if (chosen.deadlineMs !== undefined) startGuard(env, launching, digest, chosen.deadlineMs);
  const environment = { ...launching.environment, [VARIABLE]: `${digest} ${launching.version}` };
  process.execve!(files.path(digest), [files.path(digest), ...launching.args], definedOnly(environment));
}

/** Somebody listens at `path`. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket
      .once('error', () => resolve(false))
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      });
  });
}

/** The decision, once all that it stands on is durable, as far as the disk takes it. */
async function choose(env: Env, files: VersionFiles, given: UpdateState, launcher: string): Promise<StartDecision> {
  const damaged = new Set<string>();
  let countable = true;
  let state = given;
  for (;;) {
    const there = await thereOf(files, state);
    const decision = decideStart(state, {
      launcherVersion: launcher,
      starts: await files.readStarts(),
      overdue: await files.readOverdue(),
      usable: ({ digest }) => there.has(digest) && !damaged.has(digest),
      countable,
      nowMs: env.clock.now(),
    });
    if (decision.state !== state) await keepState(env, files, decision.state);
    state = decision.state;
    if (decision.run !== undefined && decision.verify && !(await files.isWhole(decision.run)))
      damaged.add(decision.run.digest);
    else if (await counted(env, files, decision)) return decision;
    else countable = false;
  }
}

async function thereOf(files: VersionFiles, { trial, active }: UpdateState): Promise<Set<string>> {
  const versions = [trial, active].filter((version): version is Version => version !== null);
  const found = await Promise.all(
    versions.map(async (version) => ((await files.isThere(version)) ? version.digest : '')),
  );
  return new Set(found);
}

/** A failure that cannot be written down is decided again at the next start. */
async function keepState(env: Env, files: VersionFiles, state: UpdateState): Promise<void> {
  if (state.last !== null) env.log.warn('version given up', { ...state.last });
  await files.writeState(state).catch((error: unknown) => {
    env.log.error('the state of updates cannot be written', { err: error });
  });
}

/** False: a trial that would not be counted must not start. What is active may. */
async function counted(env: Env, files: VersionFiles, { starts, deadlineMs }: StartDecision): Promise<boolean> {
  if (starts === undefined) return true;
  try {
    await files.writeStarts(starts);
    return true;
  } catch (error) {
    env.log.error('a start cannot be counted', { err: error, onTrial: deadlineMs !== undefined });
    return deadlineMs === undefined;
  }
}

/** Without a guard, a trial that hangs is left to the watchdog of the service. */
function startGuard(env: Env, { command, dataDir }: Launching, digest: string, deadlineMs: number): void {
  const [file, ...args] = command;
  const ticks = String(statNow(process.pid)?.startTicks);
  const words = [...args, 'guard-trial', 'start', dataDir, digest, String(deadlineMs), String(process.pid), ticks];
  const { status, error } = spawnSync(file!, words, { stdio: 'ignore', timeout: GUARD_START_MS_MAX });
  if (status !== 0)
    env.log.warn('the trial has no guard', {
      err: error ?? new AppError('E_INTERNAL', `the guard ended with ${status}`),
    });
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}
