/** crun as a tool: containers by id below a state directory of our own. An adapter: it runs the program. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** It answers within milliseconds; on a machine that is out of memory it may take a while. */
const commandMsMax = 30_000;

export interface CrunConfig {
  /** Absolute path of the program. */
  file: string;
  /** Where it keeps the state of containers. In memory: after a boot there are none. */
  stateDirectory: string;
}

export class Crun {
  readonly #config: CrunConfig;

  constructor(config: CrunConfig) {
    this.#config = config;
  }

  /** The words before a command's own. Groups are the runtime's business. */
  line(...command: string[]): string[] {
    const { file, stateDirectory } = this.#config;
    return [file, '--root', stateDirectory, '--cgroup-manager=disabled', ...command];
  }

  /** Makes the state directory. */
  async prepare(): Promise<void> {
    await mkdir(this.#config.stateDirectory, { recursive: true, mode: 0o700 });
  }

  /** Whether it knows of a container; also of one whose processes are gone. */
  has(id: string): Promise<boolean> {
    return isThere(join(this.#config.stateDirectory, id));
  }

  /** It has come about, and was not forgotten since. */
  begun(id: string): Promise<boolean> {
    return isThere(join(this.#config.stateDirectory, id, 'status'));
  }

  list(): Promise<string[]> {
    return readdir(this.#config.stateDirectory).catch(() => []);
  }

  /** To the container's first process. False when it could not be told. */
  kill(id: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<boolean> {
    return this.#try('kill', id, signal);
  }

  /** Ends what is left of it and forgets it. False when something of it stays. */
  delete(id: string): Promise<boolean> {
    return this.#try('delete', '--force', id);
  }

  async #try(...command: string[]): Promise<boolean> {
    const [file = '', ...args] = this.line(...command);
    try {
      await run(file, args, { timeout: commandMsMax });
      return true;
    } catch {
      return false;
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
