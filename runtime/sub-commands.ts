/** The command lines of `stile-runtime` for people on the spot: `ctl`, `check`, `update`, `install`, `uninstall`. Pure. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { AppError } from '../protocol/errors.ts';
import { parseTail, TRIAL_MS_MAX } from './control/control-request.ts';
import type { UpdateOrder } from './update/updates.ts';

export type Output = 'table' | 'json';

export type CtlArguments = { dataDir: string; output: Output } & (
  | { verb: 'pods' }
  | { verb: 'logs'; pod: string; container?: string; follow: boolean; tailLines?: number }
  | { verb: 'restart'; pod: string }
);

export interface CheckArguments {
  dataDir: string;
  /** `https://HOST:PORT` */
  hub?: string;
  output: Output;
}

export interface UpdateArguments extends UpdateOrder {
  dataDir: string;
  output: Output;
  /** Missing: tell what is known. */
  file?: string;
  /** The signed statement about it. */
  statement?: string;
}

export interface InstallArguments {
  dataDir: string;
  user?: string;
  /** Of an image that is being built. */
  root?: string;
  dryRun: boolean;
  /** Pods of class oci are to run. */
  containers: boolean;
  /** What the service is started with besides the data directory. */
  passed: string[];
}

export type UninstallArguments = Pick<InstallArguments, 'root'>;

export type SubCommand =
  | { command: 'ctl'; options: CtlArguments }
  | { command: 'check'; options: CheckArguments }
  | { command: 'update'; options: UpdateArguments }
  | { command: 'install'; options: InstallArguments }
  | { command: 'uninstall'; options: UninstallArguments };

export const subCommandUsage = `
On the spot, with or without the hub:

  stile-runtime ctl pods --data-dir DIR [-o json]
  stile-runtime ctl logs POD [-c CONTAINER] [-f] [--tail N] --data-dir DIR
  stile-runtime ctl restart POD --data-dir DIR [-o json]
  stile-runtime check --data-dir DIR [--hub URL] [-o json]

Another version of this program, verified, tried, and rolled back when it does not work:

  stile-runtime update FILE [--statement F] [--downgrade] [--settle S] [--grace S] --data-dir DIR
  stile-runtime update --data-dir DIR [-o json]

As a service of systemd:

  stile-runtime install --data-dir DIR [--hub URL --token-file F] [--name N] [--user U] [--update-key F]
                        [--containers [--pod-network N]] [--dry-run] [--root IMAGE]
  stile-runtime uninstall [--root IMAGE]
`;

/** Undefined when the first word is none of these. `help`: how they are written was asked for. Errors: `E_USAGE`. */
export function parseSubCommand(args: readonly string[]): SubCommand | 'help' | undefined {
  const [command, ...rest] = args;
  if (command === 'ctl') {
    const options = parseCtl(rest);
    return options === 'help' ? 'help' : { command, options };
  }
  if (command === 'check') {
    const options = parseCheck(rest);
    return options === 'help' ? 'help' : { command, options };
  }
  if (command === 'update') {
    const options = parseUpdate(rest);
    return options === 'help' ? 'help' : { command, options };
  }
  if (command === 'install') {
    const options = parseInstall(rest);
    return options === 'help' ? 'help' : { command, options };
  }
  if (command === 'uninstall') {
    const { values, positionals } = parsed(rest, { help: common.help, root: { type: 'string' } });
    if (values.help) return 'help';
    if (positionals.length > 0) throw usageError(`uninstall takes no ${positionals.join(' ')}`);
    return { command, options: textsOf(values, ['root']) };
  }
  return undefined;
}

type Options = NonNullable<ParseArgsConfig['options']>;

const common = {
  'data-dir': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Options;
const output = { output: { type: 'string', short: 'o', default: 'table' } } as const satisfies Options;

function parseCtl(args: string[]): CtlArguments | 'help' {
  const { values, positionals } = parsed(args, {
    ...common,
    ...output,
    container: { type: 'string', short: 'c' },
    follow: { type: 'boolean', short: 'f' },
    tail: { type: 'string' },
  });
  if (values.help) return 'help';
  const [verb, pod, ...more] = positionals;
  const base = { dataDir: dataDirOf(values), output: outputOf(values) };
  if (verb === 'pods' && pod === undefined) return { ...base, verb };
  if (pod !== undefined && pod !== '' && more.length === 0) {
    if (verb === 'restart') return { ...base, verb, pod };
    if (verb === 'logs') {
      const { container, tail } = values as { container?: string; tail?: string };
      return {
        ...base,
        verb,
        pod,
        follow: values.follow === true,
        ...(container === undefined ? {} : { container }),
        ...(tail === undefined ? {} : { tailLines: tailOf(tail) }),
      };
    }
  }
  throw usageError('write stile-runtime ctl pods, ctl logs POD or ctl restart POD');
}

function parseCheck(args: string[]): CheckArguments | 'help' {
  const { values, positionals } = parsed(args, { ...common, ...output, hub: { type: 'string' } });
  if (values.help) return 'help';
  if (positionals.length > 0) throw usageError(`check takes no ${positionals.join(' ')}`);
  const hub = values.hub as string | undefined;
  return { dataDir: dataDirOf(values), output: outputOf(values), ...(hub === undefined ? {} : { hub }) };
}

/** A new version must run for so long, and may take so much longer to find its pods and the hub. */
const SETTLE_SECONDS = '60';
const GRACE_SECONDS = '240';

function parseUpdate(args: string[]): UpdateArguments | 'help' {
  const { values, positionals } = parsed(args, {
    ...common,
    ...output,
    statement: { type: 'string' },
    downgrade: { type: 'boolean' },
    settle: { type: 'string', default: SETTLE_SECONDS },
    grace: { type: 'string', default: GRACE_SECONDS },
  });
  if (values.help) return 'help';
  const [file, ...more] = positionals;
  if (more.length > 0) throw usageError(`update takes one file, not also ${more.join(' ')}`);
  if (file === undefined && (values.statement !== undefined || values.downgrade === true))
    throw usageError('say which file is the update');
  return {
    dataDir: dataDirOf(values),
    output: outputOf(values),
    settleMs: secondsOf(values, 'settle') * 1_000,
    graceMs: secondsOf(values, 'grace') * 1_000,
    downgrade: values.downgrade === true,
    ...(file === undefined ? {} : { file }),
    ...textsOf(values, ['statement']),
  };
}

function secondsOf(values: Record<string, unknown>, name: string): number {
  const text = String(values[name]);
  if (/^\d{1,6}$/.test(text) && Number(text) * 1_000 <= TRIAL_MS_MAX) return Number(text);
  throw usageError(`--${name} takes seconds, 0 to ${TRIAL_MS_MAX / 1_000}, not ${text}`);
}

/** Written into the unit, in this order. */
const passedOn = ['hub', 'token-file', 'name', 'pod-network', 'update-key', 'log-level'] as const;

function parseInstall(args: string[]): InstallArguments | 'help' {
  const { values, positionals } = parsed(args, {
    ...common,
    hub: { type: 'string' },
    'token-file': { type: 'string' },
    name: { type: 'string' },
    'update-key': { type: 'string', multiple: true },
    'log-level': { type: 'string' },
    user: { type: 'string' },
    root: { type: 'string' },
    'dry-run': { type: 'boolean' },
    containers: { type: 'boolean' },
    'pod-network': { type: 'string' },
  });
  if (values.help) return 'help';
  if (positionals.length > 0) throw usageError(`install takes no ${positionals.join(' ')}`);
  const tokenFile = values['token-file'];
  // The service does not start in this shell's directory.
  if (typeof tokenFile === 'string' && !tokenFile.startsWith('/'))
    throw usageError(`--token-file takes an absolute path here, not ${tokenFile}`);
  const keys = (values['update-key'] ?? []) as string[];
  for (const key of keys)
    if (!key.startsWith('/')) throw usageError(`--update-key takes an absolute path here, not ${key}`);
  const passed = passedOn.flatMap((name) =>
    [values[name] ?? []].flat().flatMap((value) => [`--${name}`, String(value)]),
  );
  const dryRun = values['dry-run'] === true;
  const containers = values.containers === true;
  if (containers && values.user !== undefined) throw usageError('--containers needs root: leave --user out');
  return { dataDir: dataDirOf(values), dryRun, containers, passed, ...textsOf(values, ['user', 'root']) };
}

function textsOf<Name extends string>(values: Record<string, unknown>, names: Name[]): { [N in Name]?: string } {
  const given = names.flatMap((name) => (values[name] === undefined ? [] : [[name, String(values[name])]]));
  return Object.fromEntries(given) as { [N in Name]?: string };
}

function parsed(args: string[], options: Options) {
  try {
    return parseArgs({ args, options, allowPositionals: true }) as {
      values: Record<string, string | boolean | string[] | undefined>;
      positionals: string[];
    };
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function dataDirOf(values: Record<string, unknown>): string {
  const dataDir = values['data-dir'];
  if (typeof dataDir === 'string' && dataDir !== '') return dataDir;
  throw usageError('say which terminal: --data-dir DIR');
}

function outputOf(values: Record<string, unknown>): Output {
  if (values.output === 'table' || values.output === 'json') return values.output;
  throw usageError(`-o is table or json, not ${String(values.output)}`);
}

function tailOf(text: string): number {
  try {
    return parseTail(text);
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function usageError(sentence: string): AppError {
  return new AppError('E_USAGE', `${sentence} (see stile-runtime --help)`);
}
