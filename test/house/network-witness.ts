/**
 * Loaded into a runtime with `--require …/network-witness.ts`, which a packed one can too, and WITNESS_TO=FILE and
 * WITNESS_HOME=DIR in its environment: writes a line to FILE for each look-up of a name, connection and datagram that the
 * program begins, at the layer where all of them pass, with the pods that live below DIR at that moment.
 */
import { createHook } from 'node:async_hooks';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';

export interface Witnessed {
  type: string;
  /** Names of pods that have a process. */
  pods: string[];
}

/** Node's names for what goes out, by IP or to a name server; sockets of Unix have others. */
const outward: ReadonlySet<string> = new Set([
  'GETADDRINFOREQWRAP',
  'GETNAMEINFOREQWRAP',
  'QUERYWRAP',
  'TCPCONNECTWRAP',
  'UDPSENDWRAP',
]);

/** Of one process; far more than an exec takes. */
const LOOKS_MAX = 5_000;

const { WITNESS_TO: to, WITNESS_HOME: home } = process.env;
if (to !== undefined && home !== undefined) {
  const init = (_id: number, type: string) => {
    if (outward.has(type))
      appendFileSync(to, `${JSON.stringify({ type, pods: podsBelow(home) } satisfies Witnessed)}\n`);
  };
  createHook({ init }).enable();
}

function podsBelow(directory: string): string[] {
  const names = readdirSync('/proc').map((entry) => {
    const environment = /^\d+$/.test(entry) ? environmentOf(entry) : '';
    if (!environment.includes('\0STILE_INSTANCE=') || !environment.includes(directory)) return undefined;
    return /\0POD_NAME=([^\0]*)/.exec(`\0${environment}`)?.[1];
  });
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Of a child that is just becoming its program nothing can be read for a moment: it is looked at again. */
function environmentOf(pid: string): string {
  try {
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      if (environment !== '' || !isOurChild(pid)) return `\0${environment}`;
    }
  } catch {
    // It is gone, or never was ours to look into.
  }
  return '';
}

/** A child of this program, and not one that has ended. */
function isOurChild(pid: string): boolean {
  const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
  return state !== 'Z' && Number(parent) === process.pid;
}
