/**
 * A whole house of real processes in a temporary folder: a hub, terminals, the CLI and kubectl. For the demo, the
 * end-to-end tests and the fault tests. `close` ends everything that was started, the pods of killed runtimes too.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { HubClient } from './hub-client.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stileBin = join(root, 'cloud/bin/stile.mjs');
const runtimeBin = join(root, 'runtime/bin/stile-runtime.mjs');

/** How `stile` is started, for who wants it as a process of its own. */
export const stileCommand: readonly string[] = [process.execPath, stileBin];

/**
 * How a runtime is started: that of the checkout, or the packed executable that STILE_RUNTIME names. `engineOptions` are
 * Node's own, which a packed one takes as one argument.
 */
export function runtimeCommand(...engineOptions: string[]): readonly string[] {
  const packed = process.env.STILE_RUNTIME;
  if (packed === undefined || packed === '') return [process.execPath, ...engineOptions, runtimeBin];
  const options = engineOptions.length === 0 ? [] : [`--node-options=${engineOptions.join(' ')}`];
  return [resolve(packed), ...options];
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Terminal {
  name: string;
  dataDir: string;
  child: Child;
}

/** How long anything may take before a test is hung, not slow. */
const WAIT_MS = 60_000;
const COMMAND_MS = 60_000;

export class House {
  readonly directory: string;
  readonly terminals = new Map<string, Terminal>();
  /** Closed once every process has ended, before the folder is removed: disks that are mounted in it. */
  readonly mounts: { close(): void }[] = [];
  /** Added to the environment of hub and runtimes that are started from now on, a shifted clock for example. */
  environment: NodeJS.ProcessEnv = {};
  hub: Child | undefined;
  #port = 0;
  /** The command that starts a runtime. */
  readonly #runtime: readonly string[];

  constructor(runtime: (house: House) => readonly string[] = () => runtimeCommand()) {
    this.directory = mkdtempSync(join(tmpdir(), 'stile-house-'));
    this.#runtime = runtime(this);
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  get kubeconfig(): string {
    return this.path('hub', 'admin.kubeconfig');
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** Starts the hub, or starts it again on the same data and port; resolves when it answers. */
  async startHub(...flags: string[]): Promise<Child> {
    const command = [
      process.execPath,
      stileBin,
      'hub',
      'serve',
      '--data-dir',
      this.path('hub'),
      '--listen',
      '127.0.0.1:0',
    ];
    const before = this.hub?.output().length ?? 0;
    const hub = new Child('hub', [...command, ...flags], this.path('hub.log'), this.#env());
    this.hub = hub;
    await this.waitFor('the hub to listen', () => {
      if (!hub.running) throw new Error(`the hub ended: ${hub.output().slice(before)}`);
      const heard = /The hub listens on https:\/\/127\.0\.0\.1:(\d+)/.exec(hub.output().slice(before));
      if (heard !== null) this.#port = Number(heard[1]);
      return heard !== null;
    });
    return hub;
  }

  /** A join token for `pool`. */
  async token(pool: string, ...flags: string[]): Promise<string> {
    const { stdout } = await this.stile('token', 'create', '--pool', pool, ...flags);
    return stdout.trim().split('\n').at(-1)!;
  }

  /** Joins a new terminal to `pool` and starts it; its Node is there then, and a pod may be bound to it. */
  async join(name: string, pool: string): Promise<Terminal> {
    const token = await this.token(pool);
    const terminal = await this.startRuntime(name, '--hub', this.url, '--token', token, '--name', name);
    await this.waitFor(`${name} to join`, () => {
      if (!terminal.child.running) throw new Error(`${name} ended: ${terminal.child.output()}`);
      return terminal.child.output().includes('"msg":"joined"');
    });
    return terminal;
  }

  /**
   * Starts the runtime of `name` on its data directory. `flags` only matter at the first start, but for
   * `--pod-network`: terminals of a house share a machine, so none has one unless told.
   */
  async startRuntime(name: string, ...flags: string[]): Promise<Terminal> {
    const dataDir = this.path('nodes', name);
    await mkdir(this.path('nodes'), { recursive: true });
    const command = [...this.#runtime, '--data-dir', dataDir, '--pod-network', 'none', ...flags];
    const terminal = { name, dataDir, child: new Child(name, command, this.path(`${name}.log`), this.#env()) };
    this.terminals.set(name, terminal);
    return terminal;
  }

  /** Runs `stile-runtime` to an end that is to come by itself. */
  async tryRuntime(...args: string[]): Promise<Outcome> {
    const [file, ...rest] = [...this.#runtime, ...args];
    return run(file!, rest, process.env);
  }

  /** Runs `stile …` and fails when it does. */
  async stile(...args: string[]): Promise<Outcome> {
    return succeeded('stile', args, await this.tryStile(...args));
  }

  tryStile(...args: string[]): Promise<Outcome> {
    return run(process.execPath, [stileBin, ...args], { ...process.env, KUBECONFIG: this.kubeconfig });
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse((await this.stile(...args, '-o', 'json')).stdout) as T;
  }

  /** GET of one of the hub's own endpoints, as the administrator. */
  async fromHub<T>(path: string): Promise<T> {
    const client = new HubClient(this);
    try {
      return await client.get<T>(path);
    } finally {
      await client.close();
    }
  }

  /** Asks until `holds`; what `holds` throws ends the waiting at once. */
  async waitFor(what: string, holds: () => boolean | Promise<boolean>, withinMs = WAIT_MS): Promise<void> {
    const endMs = Date.now() + withinMs;
    while (!(await holds())) {
      if (Date.now() > endMs) throw new Error(`waited ${withinMs} ms for ${what} in vain\n${this.logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** The last lines of every log, for a failure's report. */
  logs(): string {
    const names = ['hub', ...this.terminals.keys()];
    return names
      .map((name) => {
        try {
          return `--- ${name}\n${readFileSync(this.path(`${name}.log`), 'utf8')
            .split('\n')
            .slice(-12)
            .join('\n')}`;
        } catch {
          return `--- ${name}: no log`;
        }
      })
      .join('\n');
  }

  /** Ends all processes, those of pods last, and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.terminals.values()].map(({ child }) => child.stop()));
    await this.hub?.stop();
    for (const pid of await this.podPids()) killGroup(pid);
    for (const mount of this.mounts.splice(0)) mount.close();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.environment };
  }

  /** Every live process whose home lies in this house: pods, also of runtimes that were killed. */
  async podPids(): Promise<number[]> {
    const pids: number[] = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const environment = await readFile(`/proc/${entry}/environ`, 'latin1').catch(() => '');
      if (environment.includes('STILE_INSTANCE=') && environment.includes(this.directory)) pids.push(Number(entry));
    }
    return pids;
  }
}

/** Runs a command to its end, at most `COMMAND_MS`. */
export function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env, timeout: COMMAND_MS, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (child.exitCode ?? 1), stdout, stderr });
    });
    child.stdin?.end();
  });
}

export function succeeded(program: string, args: readonly string[], outcome: Outcome): Outcome {
  if (outcome.code !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr || outcome.stdout}`);
  return outcome;
}

function killGroup(pid: number): void {
  for (const target of [-pid, pid])
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // Gone already, which is what was wanted.
    }
}
