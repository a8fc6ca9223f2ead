/** A program whose lines are heard as they come, with the time since it was spawned. Never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/** A program that says nothing for so long hangs. */
const LINE_MS_MAX = 60_000;
/** Characters of its output that are kept for a failure's report. */
const KEPT_CHARACTERS = 4_000;

export class TimedProcess {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #spawnedMs: number;
  readonly #ended: Promise<void>;
  readonly #listeners = new Set<() => void>();
  readonly #lines: { text: string; atMs: number }[] = [];
  #rest = '';
  #over = false;

  constructor(command: readonly string[]) {
    const [file, ...args] = command;
    this.#spawnedMs = performance.now();
    this.#process = spawn(file!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.#process.pid ?? 0;
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#over = true;
        for (const listener of this.#listeners) listener();
        resolve();
      };
      this.#process.once('error', end).once('close', end);
    });
  }

  /** Ms since the spawn. */
  get ageMs(): number {
    return performance.now() - this.#spawnedMs;
  }

  /** What it said, as far as whole lines go. */
  get output(): string {
    return this.#lines.map(({ text }) => text).join('\n');
  }

  /** Resolves to the ms from the spawn to the first line that has `pattern`; rejects when it ends without one. */
  async line(pattern: RegExp): Promise<number> {
    return (await this.#found(pattern)).atMs;
  }

  /** Resolves to what the first group of `pattern` matched. */
  async said(pattern: RegExp): Promise<string> {
    return pattern.exec((await this.#found(pattern)).text)![1]!;
  }

  async #found(pattern: RegExp): Promise<{ text: string; atMs: number }> {
    const deadline = AbortSignal.timeout(LINE_MS_MAX);
    for (;;) {
      const found = this.#lines.find(({ text }) => pattern.test(text));
      if (found !== undefined) return found;
      if (this.#over || deadline.aborted)
        throw new Error(`process ${this.pid} did not say ${pattern}: ${this.#tail()}`);
      await this.#heard(deadline);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.#over) this.#process.kill(signal);
    await this.#ended;
  }

  #heard(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#listeners.delete(done);
        deadline.removeEventListener('abort', done);
        resolve();
      };
      this.#listeners.add(done);
      deadline.addEventListener('abort', done, { once: true });
    });
  }

  #hear(text: string): void {
    const atMs = this.ageMs;
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#lines.push({ text: line, atMs });
    for (const listener of this.#listeners) listener();
  }

  #tail(): string {
    return this.#lines
      .map((line) => line.text)
      .join('\n')
      .slice(-KEPT_CHARACTERS);
  }
}
