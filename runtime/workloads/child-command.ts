/**
 * How a command of a container becomes a child process: by itself, by the engine, and in its cgroup before it begins.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedCommand } from './ports.ts';

/** How this runtime runs a JavaScript module in a process of its own. */
export interface EngineCommand {
  file: string;
  args: string[];
  /** A packed executable takes the engine's flags in one argument, Node before its script. */
  packed?: boolean;
}

/** Waits for a word on its input before it becomes the program; without one, for the runtime died, it ends. */
const gate = ['-c', 'read -r go || exit 125; exec "$@" </dev/null', 'gate'];

/**
 * Starts the child, the leader of a process group of its own. With a cgroup, `enter` moves it there and lets it go;
 * until then it is a shell that waits, with the pid and start time that the program will have.
 */
export function startChild(
  command: ResolvedCommand,
  engine: EngineCommand,
  output: 'pipe' | number,
): { child: ChildProcess; enter: () => Promise<void> } {
  const { file, args } = lineOf(command, engine);
  const { cgroup, cwd, env, user } = command;
  const gated = cgroup !== undefined;
  const stdio: StdioOptions = [gated ? 'pipe' : 'ignore', output, output];
  const options = { cwd, env, detached: true, stdio, ...(user === undefined ? {} : { uid: user, gid: user }) };
  const child = gated ? spawn('/bin/sh', [...gate, file, ...args], options) : spawn(file, args, options);
  const enter = async () => {
    if (cgroup === undefined) return;
    // It may have been killed meanwhile; then there is nobody to let go.
    child.stdin!.on('error', () => {});
    for (const group of cgroup) await writeFile(join(group, 'cgroup.procs'), String(child.pid));
    child.stdin!.end('go\n');
  };
  return { child, enter };
}

function lineOf(command: ResolvedCommand, engine: EngineCommand): { file: string; args: string[] } {
  const { file, args, engineFlags = [] } = command;
  if (!command.engine) return { file, args };
  const flags = engine.packed && engineFlags.length > 0 ? [`--node-options=${engineFlags.join(' ')}`] : engineFlags;
  return { file: engine.file, args: [...flags, ...engine.args, file, ...args] };
}
