/** Processes below a data directory's pods that no record knows. An adapter: it reads /proc and kills. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironment } from './proc.ts';

/**
 * Kills what runs with a home in `dataDir`'s pods and is neither an instance of `known` nor inside one. Resolves to
 * how many processes that were. An instance is recorded before it is spawned, so an unknown one belongs to a store
 * that was given up.
 */
export async function killStrays(dataDir: string, known: ReadonlySet<string>): Promise<number> {
  const home = `=${join(dataDir, 'pods')}/`;
  let killed = 0;
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid) continue;
    const environment = (await readEnvironment(pid))?.toString('latin1') ?? '';
    const instance = /\0STILE_(?:INSTANCE|INSIDE)=([^\0]*)\0/.exec(environment)?.[1];
    if (instance === undefined || known.has(instance) || !environment.includes(home)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    } catch {
      // Gone by itself meanwhile.
    }
  }
  return killed;
}
