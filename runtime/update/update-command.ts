/** `stile-runtime update`: brings another version to the runtime of a data directory, or shows what became of one. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { alignedText } from '../control/aligned-text.ts';
import { askRuntime } from '../control/control-client.ts';
import type { UpdateArguments } from '../sub-commands.ts';
import type { UpdateStatus } from './updates.ts';
import { VersionFiles } from './version-files.ts';

/** Answers on stdout, words for people on stderr. Errors: those of `askRuntime` and `Updates.order`. */
export async function update({ file, ...options }: UpdateArguments): Promise<void> {
  const dataDir = resolve(options.dataDir);
  const status = await askRuntime<UpdateStatus>(dataDir, { kind: 'update-status' });
  const print = (value: unknown, text: string) =>
    void process.stdout.write(options.output === 'json' ? `${JSON.stringify(value, null, 2)}\n` : text);
  if (file === undefined) return print(status, statusText(status));
  // Before a hundred megabytes are copied.
  if (status.keys === 0)
    throw new AppError(
      'E_UPDATE_UNTRUSTED',
      'this terminal takes no updates, for it knows no key to check them with: start it with --update-key FILE',
    );
  const files = new VersionFiles(dataDir);
  await files.bring(resolve(file), await statementOf(options.statement ?? `${file}.statement`));
  const { settleMs, graceMs, downgrade } = options;
  interface Ordered {
    version: string;
    digest: string;
  }
  const ordered = await askRuntime<Ordered>(dataDir, { kind: 'update', settleMs, graceMs, downgrade });
  const seconds = settleMs / 1_000;
  print(
    ordered,
    `version ${ordered.version} is verified and tried now; healthy for ${seconds} s, it stays, else the one before comes back\n`,
  );
  process.stderr.write(`see what becomes of it: stile-runtime update --data-dir ${dataDir}\n`);
}

async function statementOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw asAppError(error, 'E_INPUT_INVALID', 'cannot read the signed statement about the update (--statement FILE)');
  }
}

function statusText({ running, launcher, keys, floor, trial, last }: UpdateStatus): string {
  const rows = [
    ['running', running.version, running.digest ?? 'the program of the service'],
    ['program of the service', launcher, ''],
    ['oldest that is taken', floor, ''],
    ['keys', String(keys), ''],
    ...(trial === null ? [] : [['on trial', trial.version, trial.digest]]),
    ...(last === null ? [] : [['last update', last.version, `${last.result}: ${last.reason}`]]),
  ];
  return alignedText(rows);
}
