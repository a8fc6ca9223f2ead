/**
 * `npm run arm64-smoke [-- EXECUTABLE]`: packs the runtime for linux-arm64 twice, compares the bytes, and runs the smoke
 * suite on it under emulation. With an executable it packs nothing. Where emulation cannot be had it says so in one
 * line and is content; what cannot be packed is a failure.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emulate, emulated } from './emulation.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

process.exitCode = main(process.argv[2]);

function main(given: string | undefined): number {
  const executable = given === undefined ? join(root, 'dist/stile-runtime-linux-arm64') : resolve(given);
  if (given === undefined && !(packed(executable) && packsTheSame(executable))) return 1;
  const emulation = emulate(executable);
  if ('missing' in emulation) {
    process.stdout.write(`arm64 smoke suite skipped: ${emulation.missing}\n`);
    return 0;
  }
  try {
    const args = ['run', '--config', 'test/arm64/vitest.config.ts'];
    const env = { ...process.env, ...emulated, STILE_RUNTIME: executable };
    return spawn(join(root, 'node_modules/.bin/vitest'), args, env) ? 0 : 1;
  } finally {
    emulation.close();
  }
}

function packed(output: string): boolean {
  const args = ['runtime/packaging/package.ts', '--target', 'linux-arm64', '--output', output];
  return spawn(process.execPath, args, process.env);
}

function packsTheSame(executable: string): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'stile-again-'));
  try {
    const again = join(directory, 'stile-runtime');
    if (!packed(again)) return false;
    if (sha256(again) === sha256(executable)) return true;
    process.stderr.write('error: two packings for linux-arm64 are not the same bytes\n');
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env }).status === 0;
}
