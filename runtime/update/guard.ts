/**
 * `stile-runtime guard-trial`: a process of the launcher beside a version on trial, which ends it when it is not
 * healthy in time. The version itself cannot be trusted with that: it may hang.
 */
import { spawn } from 'node:child_process';
import type { Clock } from '../../protocol/env.ts';
import { isDead, stat } from '../workloads/proc.ts';
import { VersionFiles } from './version-files.ts';

const LOOK_MS = 1_000;

/**
 * `start` leaves the guard behind as a process without a parent here, for whoever called becomes the version on trial
 * and would not know of a child; `watch` is the guard. `command`: how this program is started.
 */
export async function guardTrial(clock: Clock, command: readonly string[], words: readonly string[]): Promise<void> {
  const [verb, ...rest] = words;
  const [file, ...args] = command;
  if (verb === 'start') {
    spawn(file!, [...args, 'guard-trial', 'watch', ...rest], { detached: true, stdio: 'ignore', cwd: '/' }).unref();
    return;
  }
  const [dataDir, digest, deadlineMs, pid, ticks] = rest;
  await watch(clock, {
    dataDir: dataDir!,
    digest: digest!,
    deadlineMs: Number(deadlineMs),
    pid: Number(pid),
    ticks: Number(ticks),
  });
}

interface Guarded {
  dataDir: string;
  digest: string;
  deadlineMs: number;
  pid: number;
  /** When the process began, in ticks: a number may be given again. */
  ticks: number;
}

async function watch(clock: Clock, { dataDir, digest, deadlineMs, pid, ticks }: Guarded): Promise<void> {
  const files = new VersionFiles(dataDir);
  const endMs = clock.monotonic() + deadlineMs;
  const forever = new AbortController().signal;
  for (;;) {
    const found = await stat(pid);
    if (isDead(found) || found?.startTicks !== ticks) return;
    const state = await files.readState();
    if (typeof state === 'object' && state.trial?.digest !== digest) return;
    const leftMs = endMs - clock.monotonic();
    if (leftMs <= 0) break;
    await clock.sleep(Math.min(LOOK_MS, leftMs), forever);
  }
  // It must end, also where that cannot be written: then it is only one of its starts.
  await files.writeOverdue(digest).catch(() => {});
  process.kill(pid, 'SIGKILL');
}
