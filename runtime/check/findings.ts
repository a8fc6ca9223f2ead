/** Whether this machine and its data directory are fit for the runtime: a judgement over facts, with a remedy. Pure. */

import { type Finding, green, red, yellow } from '../../protocol/finding.ts';
import { FlashWear, type WearRecord } from '../store/flash-wear.ts';

export interface Facts {
  /** Wall clock. */
  nowMs: number;
  /** Wall-clock ms that have certainly passed, as the terminal remembers. */
  timeFloorMs?: number;
  directory: { kind: 'missing' } | { kind: 'there'; writable: boolean; mode: number };
  disk?: { freeBytes: number; totalBytes: number; freeInodes: number; totalInodes: number };
  /** `asked`: the runtime itself looked. `unanswered`: something holds the file and does not answer. */
  database:
    | { kind: 'missing' }
    | { kind: 'sound'; asked: boolean }
    | { kind: 'damaged'; faults: string[] }
    | { kind: 'unanswered'; reason: string };
  /** What was written so far, as far as it was counted. */
  wear?: WearRecord;
  identity:
    | { kind: 'none' }
    | { kind: 'damaged'; reason: string }
    | { kind: 'there'; name: string; pool: string; notBeforeMs: number; notAfterMs: number };
  hub:
    | { kind: 'unknown' }
    | { kind: 'unverifiable'; destination: string }
    | { kind: 'reached'; destination: string }
    | { kind: 'failed'; destination: string; reason: string };
  /** Names of the variables of the environment, e.g. `HTTPS_PROXY`. */
  proxies: string[];
  /** `controllers` are those of version 2; `legacy` what is mounted of version 1, names of options among them. */
  cgroups: { kind: 'v1' | 'v2' | 'hybrid' | 'none'; controllers: string[]; legacy: string[] };
  /** Why pods of class oci cannot run here. */
  containersFault?: string;
  uid: number;
  /** Missing where the C library is not glibc. */
  glibc?: string;
  engine: string;
}

const DAY_MS = 86_400_000;
/** The first day on which a terminal of this program can be. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);
const GLIBC_LEAST = [2, 34] as const;
const MIB = 2 ** 20;
const DISK_RED_BYTES = 64 * MIB;
const DISK_YELLOW_BYTES = 512 * MIB;
const DISK_YELLOW_PART = 0.1;
const INODES_RED = 1_000;
const INODES_YELLOW_PART = 0.05;
/** A certificate that is to be renewed soon. */
const CERTIFICATE_YELLOW_MS = 30 * DAY_MS;
const CONTROLLERS_WANTED = ['cpu', 'memory', 'pids'];

export function judge(facts: Facts): Finding[] {
  return [
    clock(facts),
    directory(facts),
    ...disk(facts),
    wear(facts),
    ...running(facts),
    database(facts),
    identity(facts),
    hub(facts),
    proxies(facts),
    cgroups(facts),
    crun(facts),
    isolation(facts),
    engine(facts),
  ];
}

function clock({ nowMs, timeFloorMs = 0 }: Facts): Finding {
  const now = isoOf(nowMs);
  const remedy = 'set the clock, or let NTP set it; pods run all the same, and the hub is trusted by its own time';
  if (nowMs < EARLIEST_MS) return yellow('clock', `it says ${now}: it was never set`, remedy);
  if (nowMs < timeFloorMs) return yellow('clock', `it says ${now}, but ${isoOf(timeFloorMs)} has passed`, remedy);
  return green('clock', now);
}

function directory({ directory: found }: Facts): Finding {
  const check = 'data directory';
  if (found.kind === 'missing')
    return yellow(check, 'it is not there yet', 'the first start makes it; else check --data-dir');
  if (!found.writable) return red(check, 'this user cannot write it', 'use the user of the runtime, or root');
  const mode = found.mode.toString(8).padStart(4, '0');
  // 0711: pods that have users of their own pass through it and cannot list it.
  if ((found.mode & 0o077) !== 0 && (found.mode & 0o777) !== 0o711)
    return yellow(check, `others may look into it (mode ${mode})`, 'chmod 700 it');
  return green(check, `mode ${mode}`);
}

function disk({ disk: found }: Facts): Finding[] {
  if (found === undefined) return [yellow('disk', 'its size cannot be told', 'check --data-dir')];
  const { freeBytes, totalBytes, freeInodes, totalInodes } = found;
  const space = `${Math.floor(freeBytes / MIB)} MiB of ${Math.floor(totalBytes / MIB)} MiB are free`;
  const room = 'make room: the outbox, logs and images need it';
  const inodes = `${freeInodes} of ${totalInodes} are free`;
  const fewer = 'remove small files: each file of an image takes one';
  return [
    freeBytes < DISK_RED_BYTES
      ? red('disk', space, room)
      : freeBytes < Math.min(DISK_YELLOW_BYTES, totalBytes * DISK_YELLOW_PART)
        ? yellow('disk', space, room)
        : green('disk', space),
    // File systems without a table of inodes tell 0 of 0.
    totalInodes === 0
      ? green('inodes', 'this file system does not limit them')
      : freeInodes < INODES_RED
        ? red('inodes', inodes, fewer)
        : freeInodes < totalInodes * INODES_YELLOW_PART
          ? yellow('inodes', inodes, fewer)
          : green('inodes', inodes),
  ];
}

function wear({ wear: record }: Facts): Finding {
  const found = new FlashWear(record);
  if (record === undefined) return green('wear', 'nothing was counted yet');
  if (!found.heavy) return green('wear', found.summary);
  return yellow('wear', found.summary, 'find out what writes so much: logs, images that change often, a busy app');
}

/** The database tells: a runtime that runs has it open. */
function running({ database: found, identity: { kind } }: Facts): Finding[] {
  if (found.kind === 'sound' && found.asked) return [green('runtime', 'it runs')];
  // Before it has joined it is somebody who prepares the machine that asks.
  if (found.kind !== 'sound' || kind === 'none') return [];
  const remedy = 'start it: systemctl start stile-runtime, or as it was started before';
  return [red('runtime', 'it does not run; its pods may go on, and are taken over when it starts', remedy)];
}

function database({ database: found }: Facts): Finding {
  const check = 'database';
  switch (found.kind) {
    case 'missing':
      return yellow(check, 'there is none yet', 'the first start makes it');
    case 'sound':
      return green(check, found.asked ? 'sound, says the runtime that has it open' : 'sound');
    case 'damaged':
      return red(
        check,
        `damaged: ${found.faults.join('; ')}`,
        'restart the runtime: it restores the last good copy, or begins a new one, and tells the hub',
      );
    case 'unanswered':
      return red(check, found.reason, 'end the process that has state.db open, or ask again');
  }
}

function identity({ identity: found, nowMs, timeFloorMs = 0 }: Facts): Finding {
  const check = 'identity';
  if (found.kind === 'none')
    return yellow(check, 'this terminal has not joined', 'start it with --hub URL and --token T');
  if (found.kind === 'damaged') return red(check, found.reason);
  const { name, pool, notBeforeMs, notAfterMs } = found;
  const who = `${name} of pool ${pool}`;
  const atMs = Math.max(nowMs, timeFloorMs);
  const rejoin = `reach the hub; if it refuses, join again: stile token create --pool ${pool} --node ${name} --replace`;
  if (notAfterMs < atMs) return yellow(check, `${who}: its certificate ended at ${isoOf(notAfterMs)}`, rejoin);
  if (notAfterMs - atMs < CERTIFICATE_YELLOW_MS)
    return yellow(check, `${who}: its certificate ends at ${isoOf(notAfterMs)}`, 'let it reach the hub before');
  if (nowMs < notBeforeMs)
    return yellow(check, `${who}: its certificate begins at ${isoOf(notBeforeMs)}`, 'set the clock');
  return green(check, `${who}, certificate until ${isoOf(notAfterMs)}`);
}

function hub({ hub: found }: Facts): Finding {
  switch (found.kind) {
    case 'unknown':
      return yellow('hub', 'its address is not known, nothing was asked', 'give --hub URL');
    case 'unverifiable':
      return yellow('hub', `${found.destination} was not asked: before joining it cannot be verified`, 'join first');
    case 'reached':
      return green('hub', `${found.destination} answers and is the hub that this terminal trusts`);
    case 'failed':
      // Being cut off is what a terminal is made for.
      return yellow(
        'hub',
        `${found.destination}: ${found.reason}`,
        'check cable, firewall and name; pods go on meanwhile',
      );
  }
}

function proxies({ proxies: names }: Facts): Finding {
  if (names.length === 0) return green('proxies', 'none in the environment');
  const reason = `${names.join(', ')} in the environment; stile-runtime connects directly and does not use it`;
  return yellow('proxies', reason, 'allow the hub’s address through the firewall');
}

function cgroups({ cgroups: { kind, controllers, legacy }, uid }: Facts): Finding {
  const remedy = 'boot with systemd.unified_cgroup_hierarchy=1 and cgroup_enable=memory; limits do not hold until then';
  if (kind === 'none') return yellow('cgroups', 'none', remedy);
  if (uid === 0 && kind !== 'v2' && CONTROLLERS_WANTED.every((name) => legacy.includes(name)))
    return green('cgroups', `${kind}: ${CONTROLLERS_WANTED.join(' ')} of version 1`);
  const listed = controllers.length === 0 ? 'no controllers' : controllers.join(' ');
  if (kind !== 'v2') return yellow('cgroups', `${kind}: ${listed}`, remedy);
  const lacking = CONTROLLERS_WANTED.filter((name) => !controllers.includes(name));
  if (lacking.length > 0) return yellow('cgroups', `v2 without ${lacking.join(', ')}`, remedy);
  return green('cgroups', `v2: ${listed}`);
}

function crun({ containersFault: fault }: Facts): Finding {
  if (fault === undefined) return green('crun', 'pods of class oci can run as containers');
  return yellow('crun', `pods of class oci cannot run: ${fault}`, 'or use runtimeClassName host or js');
}

function isolation({ uid }: Facts): Finding {
  if (uid === 0) return green('isolation', 'root: can give each pod a user of its own');
  const reason = `user ${uid}: pods share it and its files`;
  return yellow('isolation', reason, 'run only workloads that you trust, or run the runtime as root');
}

function engine({ glibc, engine: version }: Facts): Finding {
  const needed = GLIBC_LEAST.join('.');
  if (glibc === undefined) return red('engine', `Node ${version} without glibc`, `use a system with glibc ${needed}`);
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  const old = major < GLIBC_LEAST[0] || (major === GLIBC_LEAST[0] && minor < GLIBC_LEAST[1]);
  const told = `Node ${version}, glibc ${glibc}`;
  return old ? red('engine', told, `use a system with glibc ${needed} or newer`) : green('engine', told);
}

/** Whole seconds; a date that no calendar has is told as its number. */
function isoOf(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? `${new Date(timeMs).toISOString().slice(0, 19)}Z` : `${timeMs} ms`;
}
