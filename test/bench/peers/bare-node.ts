/** Bare Node, the same engine that the checkout runs on: the floor of whatever is written for it. */
import { fileURLToPath } from 'node:url';
import { TimedProcess } from '../timed-process.ts';

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Says `listens`. */
export const startEmptyHttpServer = (): TimedProcess =>
  new TimedProcess([process.execPath, script('empty-http-server.mjs')]);

/** Starts `command` so many times, says `all run`. */
export const startChildren = (count: number, command: readonly string[]): TimedProcess =>
  new TimedProcess([process.execPath, script('children.mjs'), String(count), ...command]);
