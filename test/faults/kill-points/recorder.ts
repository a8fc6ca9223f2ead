/** Runs a program with the recorder loaded into it, which is compiled where it is needed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Operation, parseRecording } from './recording.ts';

/** A drive takes a few seconds. */
const DRIVE_MS_MAX = 120_000;

/** Undefined when there is a C compiler; else the one line that says what is missing. */
export function missingCompiler(): string | undefined {
  const found = spawnSync('cc', ['--version'], { stdio: 'ignore' });
  return found.error === undefined && found.status === 0
    ? undefined
    : 'kill points need a C compiler for their recorder: install cc (Debian: gcc), then they run';
}

/** A new folder, in memory where there is some: thousands of disks are written and thrown away. */
export function scratchFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return mkdtempSync('/dev/shm/stile-kill-points-');
  } catch {
    return mkdtempSync(join(tmpdir(), 'stile-kill-points-'));
  }
}

/** The compiled recorder, in the folder `scratch`. */
export function compileRecorder(scratch: string): string {
  const source = fileURLToPath(new URL('recorder.c', import.meta.url));
  const library = join(scratch, 'recorder.so');
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl', '-pthread']);
  return library;
}

export interface Recorded {
  /** Where the log is. */
  log: string;
  /** Where the program wrote. */
  directory: string;
  operations: Operation[];
}

/** Runs `node PROGRAM ARGUMENT… ` below `scratch/NAME`; throws when it fails. `{}` in an argument is the directory. */
export function record(library: string, scratch: string, name: string, command: readonly string[]): Recorded {
  const place = join(scratch, name.replaceAll('/', '-'));
  const directory = join(place, 'disk');
  mkdirSync(directory, { recursive: true });
  const log = join(place, 'recording');
  const marks = join(place, 'marks');
  writeFileSync(marks, '');
  const result = spawnSync(
    process.execPath,
    command.map((word) => word.replaceAll('{}', directory)),
    {
      env: {
        ...process.env,
        LD_PRELOAD: library,
        RECORDER_ROOT: directory,
        RECORDER_LOG: log,
        RECORDER_MARKS: marks,
        UV_USE_IO_URING: '0',
      },
      timeout: DRIVE_MS_MAX,
      encoding: 'utf8',
    },
  );
  if (result.status !== 0) throw new Error(`${name} could not be recorded: ${result.stderr || result.signal}`);
  return { log, directory, operations: parseRecording(readFileSync(log)) };
}
