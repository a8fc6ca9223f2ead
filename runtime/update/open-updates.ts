/** Updates with the ports of a running terminal. */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Env } from '../../protocol/env.ts';
import { forgetBeforeUpdate, keepBeforeUpdate, upkeepOf } from '../store/good-copy.ts';
import type { SqliteJournal } from '../store/sqlite-journal.ts';
import type { Terminal } from '../terminal.ts';
import type { Launched } from './launch.ts';
import { updateKeys } from './statement.ts';
import { Updates } from './updates.ts';
import { VersionFiles } from './version-files.ts';

export interface TerminalUpdates {
  dataDir: string;
  version: string;
  launched: Launched | undefined;
  /** Of keys that updates are checked with. */
  keyFiles: readonly string[];
  journal: SqliteJournal;
  terminal: Terminal;
  /** Ends the program and leaves the pods running. */
  leave(): void;
}

export async function openUpdates(env: Env, given: TerminalUpdates): Promise<Updates> {
  const { dataDir, version, launched, keyFiles, journal, terminal, leave } = given;
  const keys = await readKeys(env, keyFiles);
  return Updates.open(
    env,
    { version, platform: `linux-${process.arch}`, launched, keys },
    {
      files: new VersionFiles(dataDir),
      keepStore: () => keepBeforeUpdate(upkeepOf(journal, dataDir), dataDir, env.clock.now()),
      forgetStore: () => forgetBeforeUpdate(dataDir),
      isHubLive: () => terminal.link.live,
      podsReturned: (signal) => terminal.supervisor.returned(signal),
      condition: (condition) => terminal.nodeCondition(condition),
      event: (type, reason, message) => terminal.nodeEvent(reason, message, type),
      leave,
    },
  );
}

/** A file that is no good is no reason for a terminal not to start: it takes no update by its keys. */
async function readKeys(env: Env, paths: readonly string[]): Promise<KeyObject[]> {
  const keys: KeyObject[] = [];
  for (const path of paths) {
    try {
      keys.push(...updateKeys(await readFile(path, 'utf8'), path));
    } catch (error) {
      env.log.error('keys of updates cannot be used', { path, err: error });
    }
  }
  return keys;
}
