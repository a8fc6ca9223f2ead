/**
 * The process `stile`: reads the command line, runs one command, and turns what came of it into output and an exit
 * code (0 ok, 1 failed, 2 usage, 3 not reached in time, 4 node offline).
 */
import { CommanderError } from 'commander';
import { systemClock } from '../../protocol/node/clock.ts';
import { exitCodeFor, exitCodes, sentenceFor } from './failure.ts';
import { shellEditor } from './node/editor.ts';
import { manifestFiles } from './node/manifest-files.ts';
import { outputFiles } from './node/output-files.ts';
import { processTerminal } from './node/terminal.ts';
import { makeUserKey } from './node/user-key.ts';
import { usageError } from './options.ts';
import type { Connection, ConnectionOptions, World } from './ports.ts';
import { buildProgram } from './program.ts';

// Packed into one executable this is a CommonJS module, which cannot wait at its top level.
void runCommandLine(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});

async function runCommandLine(args: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  const connections: Connection[] = [];
  let exitCode: number = exitCodes.ok;
  const world: World = {
    terminal,
    engineVersion: process.version,
    clock: systemClock,
    files: manifestFiles,
    outputs: outputFiles,
    editor: shellEditor(process.env),
    makeUserKey,
    async connect(options) {
      const connection = await openConnection(options, terminal.tell);
      connections.push(connection);
      return connection;
    },
    report(error) {
      terminal.tell(sentenceFor(error));
      if (exitCode === exitCodes.ok) exitCode = exitCodeFor(error);
    },
    endWith(code) {
      if (exitCode === exitCodes.ok) exitCode = code;
    },
  };
  try {
    await buildProgram(world).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) world.report(error);
    // A verb was left out: the help that names them is on stderr already.
    else if (error.code === 'commander.help') exitCode = exitCodes.usage;
    // Help and --version that were asked for are thrown too, with exit code 0.
    else if (error.exitCode !== 0) world.report(usageError(error));
  } finally {
    // Somebody waits for the answer to a Tab; a connection that is being made would hold the process for ten seconds.
    if (args[0] === '__complete') process.exit(exitCode);
    for (const connection of connections) await connection.close();
  }
  return exitCode;
}

/** Loads the Kubernetes client only for commands that speak to a server. */
async function openConnection(options: ConnectionOptions, tell: (line: string) => void): Promise<Connection> {
  const { loadTarget } = await import('./node/kubeconfig-files.ts');
  const target = await loadTarget(options, process.env);
  const { httpConnection } = await import('./node/http-connection.ts');
  return httpConnection(target, {
    requestTimeoutMs: options.requestTimeoutMs,
    onWarning: (text) => tell(`warning: ${text}`),
  });
}
