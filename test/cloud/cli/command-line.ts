/** The real programs as an operator meets them: `stile hub serve` and `stile` as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runHere } from './same-process.ts';

const launcher = fileURLToPath(new URL('../../../cloud/bin/stile.mjs', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string | undefined>;
}

/** Starts `stile`; nothing of this machine's kubeconfig reaches it. */
export function startStile(args: readonly string[], options: RunOptions = {}): Running {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', ...options.env };
  const child = spawn(process.execPath, [launcher, ...args], { env, stdio: 'pipe' });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return new Running(child);
}

export function runStile(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return startStile(args, options).finished;
}

export class Running {
  readonly finished: Promise<Finished>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.on('data', (chunk) => {
      this.#stdout += chunk;
    });
    child.stderr!.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.finished = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when `pattern` was printed; rejects with all output when the process ended without it. */
  async printed(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<void> {
    const text = () => (stream === 'stdout' ? this.#stdout : this.#stderr);
    const source = this.#child[stream]!;
    while (!pattern.test(text())) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`ended without ${pattern}:\n${this.#stdout}\n${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          source.off('data', wake);
          this.#child.off('close', wake);
          resolve();
        };
        source.on('data', wake);
        this.#child.on('close', wake);
      });
    }
  }
}

/** A hub with a folder of its own, and `stile` with its kubeconfig. */
export class CommandLine {
  readonly folder: string;
  readonly kubeconfig: string;
  #hub: Running | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.kubeconfig = join(folder, 'hub', 'admin.kubeconfig');
  }

  static async start(): Promise<CommandLine> {
    const line = new CommandLine(await mkdtemp(join(tmpdir(), 'stile-cli-')));
    try {
      await line.startHub();
    } catch (error) {
      await line.stop();
      throw error;
    }
    return line;
  }

  /** On the same port as before, when it was running once. */
  async startHub(): Promise<void> {
    const where = ['--data-dir', join(this.folder, 'hub'), '--listen', '127.0.0.1:0', '--log-level', 'error'];
    this.#hub = startStile(['hub', 'serve', ...where]);
    await this.#hub.printed('stderr', /listens on/);
  }

  async stopHub(): Promise<Finished> {
    this.#hub!.signal('SIGTERM');
    const finished = await this.#hub!.finished;
    this.#hub = undefined;
    return finished;
  }

  /** In this process, over real connections, unless `env` says what a process of its own would find. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    if (options.env === undefined) return runHere(this.kubeconfig, args, { input: options.input });
    return runStile(args, this.#withKubeconfig(options));
  }

  start(args: readonly string[], options: RunOptions = {}): Running {
    return startStile(args, this.#withKubeconfig(options));
  }

  /** The text on stdout of a command that must succeed. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code !== 0) throw new Error(`stile ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  apply(manifest: string): Promise<string> {
    return this.ok(['apply', '-f', '-'], { input: manifest });
  }

  async stop(): Promise<void> {
    if (this.#hub !== undefined) await this.stopHub();
    await rm(this.folder, { recursive: true, force: true });
  }

  #withKubeconfig(options: RunOptions): RunOptions {
    return { ...options, env: { KUBECONFIG: this.kubeconfig, ...options.env } };
  }
}

export function configMap(name: string, data: Record<string, string>, namespace = 'default'): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
}
