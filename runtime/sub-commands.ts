/** The command lines of `stile-runtime` for people on the spot: `ctl`, `check`, `install`, `uninstall`. Pure. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { AppError } from '../protocol/errors.ts';
import { parseTail } from './control/control-request.ts';

export type Output = 'table' | 'json';

export type CtlArguments = { dataDir: string; output: Output } & (
  | { verb: 'pods' }
  | { verb: 'logs'; pod: string; container?: string; follow: boolean; tailLines?: number }
  | { verb: 'restart'; pod: string }
);

export type SubCommand = { command: 'ctl'; options: CtlArguments };

export const subCommandUsage = `
On the spot, with or without the hub:

  stile-runtime ctl pods --data-dir DIR [-o json]
  stile-runtime ctl logs POD [-c CONTAINER] [-f] [--tail N] --data-dir DIR
  stile-runtime ctl restart POD --data-dir DIR [-o json]
`;

/** Undefined when the first word is none of these. `help`: how they are written was asked for. Errors: `E_USAGE`. */
export function parseSubCommand(args: readonly string[]): SubCommand | 'help' | undefined {
  const [command, ...rest] = args;
  if (command === 'ctl') {
    const options = parseCtl(rest);
    return options === 'help' ? 'help' : { command, options };
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
