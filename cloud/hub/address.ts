/** `HOST:PORT` on the command line: pure. */
import { isIP } from 'node:net';
import { AppError } from '../../protocol/errors.ts';

export interface Address {
  host: string;
  port: number;
}

/** Takes `127.0.0.1:0`, `[::1]:8443`, `hub.example:443`, `:8443` (every address). Errors: `E_USAGE`. */
export function parseAddress(text: string, flag: string): Address {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new AppError('E_USAGE', `${flag} takes HOST:PORT, for example 0.0.0.0:8443, not ${JSON.stringify(text)}`);
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : match[2]!), port };
}

export function formatAddress({ host, port }: Address): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Listens on every address, so it is no name under which somebody could be reached. */
export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';
