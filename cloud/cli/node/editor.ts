/** The user's editor on a temporary file that only this user can read. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, asAppError } from '../../../protocol/errors.ts';
import type { Draft, Editor } from '../ports.ts';

/** `KUBE_EDITOR`, else `EDITOR`, else vi: as kubectl. It may have arguments. */
export function shellEditor(env: NodeJS.ProcessEnv): Editor {
  const command = env.KUBE_EDITOR || env.EDITOR || 'vi';
  return {
    async open(name) {
      // A folder of mode 0700, because many editors save by renaming a file of their own over the one they were given.
      const folder = await mkdtemp(join(tmpdir(), 'stile-edit-'));
      return new FileDraft(command, folder, join(folder, name.replace(/[^\w.-]/g, '_')));
    },
  };
}

class FileDraft implements Draft {
  readonly path: string;
  changed = false;
  readonly #command: string;
  readonly #folder: string;

  constructor(command: string, folder: string, path: string) {
    this.#command = command;
    this.#folder = folder;
    this.path = path;
  }

  async revise(text: string): Promise<string> {
    try {
      await writeFile(this.path, text, { mode: 0o600 });
      await runEditor(this.#command, this.path);
      const saved = await readFile(this.path, 'utf8');
      this.changed ||= saved !== text;
      return saved;
    } catch (error) {
      throw asAppError(error, 'E_INPUT_INVALID', `cannot edit ${this.path}`);
    }
  }

  async discard(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function runEditor(command: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', `${command} "$1"`, 'sh', path], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve();
      const ending = signal === null ? `ended with ${code}` : `was ended by ${signal}`;
      reject(new AppError('E_INPUT_INVALID', `the editor ${command} ${ending}: name another one with KUBE_EDITOR`));
    });
  });
}
