/** The command line of `stile-runtime`. */
import { parseArgs } from 'node:util';
import { AppError } from '../protocol/errors.ts';
import type { LogLevel } from '../protocol/node/log.ts';
import { type AddressRange, parseRange, podNetworkDefault } from './workloads/oci/pod-network.ts';
import { podUsersDefault, type UserRange } from './workloads/pod-user.ts';

export const usage = `stile-runtime runs the workloads of this terminal and keeps one connection to the hub.

  First start:  stile-runtime --hub https://HOST:PORT (--token T | --token-file F) --name N --data-dir DIR
  Later:        stile-runtime --data-dir DIR

  --data-dir DIR     the only place that is written to
  --hub URL          address of the hub
  --token T          join token, from: stile token create --pool P
  --token-file F     file that holds the join token
  --name N           the node's name; default: the host's name
  --pod-users R      as root, the users of pods: FIRST-LAST (default ${range(podUsersDefault)}), or none: all run as root
  --api HOST:PORT    also serve the local API on TCP, at a loopback address; port 0: one that is kept
  --pod-network N    as root, addresses of pods of class oci (default ${podNetworkDefault}), or none: there are none
  --update-key FILE  public keys of Ed25519 in PEM that updates of this program are checked with; may be repeated
  --log-level L      debug, info (default), warn, error or silent
  --version, --help
`;

export interface Arguments {
  dataDir: string;
  hub?: string;
  token?: string;
  tokenFile?: string;
  name?: string;
  /** Undefined: none. */
  podUsers?: UserRange;
  /** Where the local API listens besides its socket. */
  api?: { host: string; port: number };
  /** Undefined: none. */
  podNetwork?: AddressRange;
  /** Files of keys that updates are checked with. */
  updateKeys: string[];
  logLevel: LogLevel;
}

const logLevels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** Errors: `E_USAGE`. */
export function parseArguments(args: string[]): Arguments | 'help' | 'version' {
  let values: Record<string, string | boolean | string[] | undefined>;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        'data-dir': { type: 'string' },
        hub: { type: 'string' },
        token: { type: 'string' },
        'token-file': { type: 'string' },
        name: { type: 'string' },
        'pod-users': { type: 'string', default: range(podUsersDefault) },
        api: { type: 'string' },
        'pod-network': { type: 'string', default: podNetworkDefault },
        'update-key': { type: 'string', multiple: true },
        'log-level': { type: 'string', default: 'info' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new AppError('E_USAGE', `${(error as Error).message} (see stile-runtime --help)`);
  }
  if (values.help) return 'help';
  if (values.version) return 'version';
  const text = (name: string) => values[name] as string | undefined;
  const dataDir = text('data-dir');
  if (dataDir === undefined || dataDir === '')
    throw new AppError('E_USAGE', 'say where the terminal keeps its state: --data-dir DIR (see stile-runtime --help)');
  if (text('token') !== undefined && text('token-file') !== undefined)
    throw new AppError('E_USAGE', 'give --token or --token-file, not both');
  if (!logLevels.includes(text('log-level')!))
    throw new AppError('E_USAGE', `--log-level is one of ${logLevels.join(', ')}, not ${text('log-level')}`);
  return {
    dataDir,
    logLevel: text('log-level') as LogLevel,
    updateKeys: (values['update-key'] as string[] | undefined) ?? [],
    ...optional('podNetwork', readNetwork(text('pod-network')!)),
    ...optional('podUsers', readRange(text('pod-users')!)),
    ...optional('hub', text('hub')),
    ...optional('token', text('token')),
    ...optional('tokenFile', text('token-file')),
    ...optional('name', text('name')),
    ...optional('api', readApiAddress(text('api'))),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function range({ first, count }: UserRange): string {
  return `${first}-${first + count - 1}`;
}

function readNetwork(text: string): AddressRange | undefined {
  if (text === 'none') return undefined;
  try {
    return parseRange(text);
  } catch (error) {
    throw new AppError('E_USAGE', `--pod-network: ${(error as Error).message}`);
  }
}

function readRange(text: string): UserRange | undefined {
  if (text === 'none') return undefined;
  const [first, last] = /^(\d{1,10})-(\d{1,10})$/.exec(text)?.slice(1).map(Number) ?? [];
  if (first === undefined || last === undefined || first < 1_000 || last < first || last > 0xffff_fffd)
    throw new AppError('E_USAGE', `--pod-users is FIRST-LAST, from 1000 to 4294967293, or none, not ${text}`);
  return { first, count: last - first + 1 };
}

/** Only this machine may ask: what the local API shows is protected by a token, and by nothing on the way. */
function readApiAddress(text: string | undefined): { host: string; port: number } | undefined {
  if (text === undefined) return undefined;
  const [, host, port] = /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new AppError('E_USAGE', `--api takes a loopback address as 127.0.0.1:PORT, not ${text}`);
  return { host: host === '[::1]' ? '::1' : host, port: Number(port) };
}
