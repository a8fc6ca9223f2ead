/** Runs kubectl as its user does: a process with a kubeconfig, and nothing of this machine's own configuration. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export type Kubectl = (args: string | string[], input?: string) => Promise<Outcome>;

const COMMAND_MS_MAX = 25_000;

export interface KubectlOptions {
  binary: string;
  kubeconfig: string;
  /** Private: kubectl keeps its discovery cache there. */
  folder: string;
}

/** Words of one command line, split at spaces where it is a text. `input` is what `-f -` reads. */
export function kubectlWith(options: KubectlOptions): Kubectl {
  return async (args, input) => {
    const child = startKubectl(options, args);
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS_MAX);
    const stdout = textOf(child.stdout!);
    const stderr = textOf(child.stderr!);
    child.stdin!.end(input ?? '');
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    return { code: code ?? -1, stdout: await stdout, stderr: await stderr };
  };
}

/** A command that goes on until the caller ends it, such as `get -w`. */
export function startKubectl({ binary, kubeconfig, folder }: KubectlOptions, args: string | string[]): ChildProcess {
  const words = typeof args === 'string' ? args.split(' ').filter((word) => word !== '') : args;
  return spawn(binary, ['--kubeconfig', kubeconfig, '--cache-dir', join(folder, 'cache'), ...words], {
    env: { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** What a process writes, kept from its start. */
export class Written {
  text = '';
  readonly #stream: NodeJS.ReadableStream;

  constructor(stream: NodeJS.ReadableStream) {
    this.#stream = stream;
    stream.on('data', (chunk) => {
      this.text += String(chunk);
    });
  }

  /** Resolves once `part` was written; rejects when the stream ends without it. */
  async until(part: string): Promise<void> {
    const ended = once(this.#stream, 'end').then(() => 'ended');
    while (!this.text.includes(part)) {
      const event = await Promise.race([once(this.#stream, 'data'), ended]);
      if (event === 'ended' && !this.text.includes(part))
        throw new Error(`the process ended without writing ${JSON.stringify(part)}: ${this.text}`);
    }
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
