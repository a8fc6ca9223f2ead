/** One program of ours as a real process: its output kept, its end awaited, never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync, type WriteStream } from 'node:fs';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Child {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #logPath: string;
  readonly #log: WriteStream;
  #end: Ended | undefined;

  constructor(name: string, command: readonly string[], logPath: string, env: NodeJS.ProcessEnv = process.env) {
    this.name = name;
    this.#logPath = logPath;
    this.#log = createWriteStream(logPath, { flags: 'a' });
    const [file, ...args] = command;
    this.#process = spawn(file!, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#process.stdout!.pipe(this.#log, { end: false });
    this.#process.stderr!.pipe(this.#log, { end: false });
    this.pid = this.#process.pid ?? 0;
    const ended = new Promise<Ended>((resolve) => {
      this.#process.once('error', () => resolve({ code: 127, signal: null }));
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.ended = ended.then(async (end) => {
      // Whoever waited for the end finds all of the output in the log.
      await new Promise<void>((done) => this.#log.end(() => done()));
      this.#end = end;
      return end;
    });
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  /** All that it and its predecessors of the same log wrote. */
  output(): string {
    return existsSync(this.#logPath) ? readFileSync(this.#logPath, 'utf8') : '';
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    if (this.running) this.#process.kill(signal);
    return this.ended;
  }

  /** SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs = 15_000): Promise<Ended> {
    if (!this.running) return this.ended;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}
