/** `stile` in this process, over real connections: for tests with so many commands that processes would take minutes. */
import { CommanderError } from 'commander';
import { exitCodeFor, exitCodes, sentenceFor } from '../../../cloud/cli/failure.ts';
import { shellEditor } from '../../../cloud/cli/node/editor.ts';
import { httpConnection } from '../../../cloud/cli/node/http-connection.ts';
import { loadTarget } from '../../../cloud/cli/node/kubeconfig-files.ts';
import { manifestFiles } from '../../../cloud/cli/node/manifest-files.ts';
import { outputFiles } from '../../../cloud/cli/node/output-files.ts';
import { makeUserKey } from '../../../cloud/cli/node/user-key.ts';
import { usageError } from '../../../cloud/cli/options.ts';
import type { Connection, Editor, World } from '../../../cloud/cli/ports.ts';
import { buildProgram } from '../../../cloud/cli/program.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import type { Finished } from './command-line.ts';

/** `editor`: the one that `edit` opens. `answer`: of the person who is asked; undefined when nobody is there. `input`: on standard input. */
export async function runHere(
  kubeconfig: string,
  args: readonly string[],
  { answer, input, editor }: { answer?: boolean | undefined; input?: string | undefined; editor?: Editor } = {},
): Promise<Finished> {
  const finished: Finished = { code: exitCodes.ok, stdout: '', stderr: '' };
  const connections: Connection[] = [];
  const tell = (line: string) => {
    finished.stderr += `${line}\n`;
  };
  const report = (error: unknown) => {
    tell(sentenceFor(error));
    // As in the process: the first fault decides.
    if (finished.code === exitCodes.ok) finished.code = exitCodeFor(error);
  };
  const confirm = async (question: string) => {
    tell(question);
    return answer === true;
  };
  const world: World = {
    terminal: {
      out: (text) => {
        finished.stdout += text;
      },
      tell,
      progress: () => {},
      interactive: answer !== undefined,
      confirm: answer === undefined ? undefined : confirm,
      interruption: () => new AbortController().signal,
    },
    engineVersion: process.version,
    clock: systemClock,
    files: {
      read: async (path, recursive) =>
        path === '-' ? [{ source: 'stdin', text: input ?? '' }] : manifestFiles.read(path, recursive),
    },
    outputs: outputFiles,
    editor: editor ?? shellEditor({ EDITOR: 'false' }),
    makeUserKey,
    async connect(options) {
      const target = await loadTarget({ kubeconfig, ...options }, {});
      const { requestTimeoutMs } = options;
      const connection = await httpConnection(target, { requestTimeoutMs, onWarning: tell });
      connections.push(connection);
      return connection;
    },
    report,
    endWith(code) {
      if (finished.code === exitCodes.ok) finished.code = code;
    },
  };
  try {
    await buildProgram(world).parseAsync([...args], { from: 'user' });
  } catch (error) {
    report(error instanceof CommanderError ? usageError(error) : error);
  } finally {
    for (const connection of connections) await connection.close();
  }
  return finished;
}
