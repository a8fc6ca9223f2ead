/**
 * Loaded into a runtime with `--import …/network-witness.ts?to=FILE&home=DIR`: writes a line to FILE for each look-up
 * of a name, connection and datagram that the program begins, at the layer where all of them pass, with the pods that
 * live below DIR at that moment.
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

const { searchParams } = new URL(import.meta.url);
const to = searchParams.get('to');
const home = searchParams.get('home');
if (to !== null && home !== null) {
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

function environmentOf(pid: string): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
  } catch {
    return '';
  }
}
