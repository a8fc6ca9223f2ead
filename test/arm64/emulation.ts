/**
 * Programs of another architecture on this machine: the kernel starts them through qemu once binfmt_misc says so. A child
 * of an emulated program is emulated too, which qemu does not do by itself. It finds the cross libraries by QEMU_LD_PREFIX.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const EMULATOR = '/usr/bin/qemu-aarch64-static';
const LIBRARIES = '/usr/aarch64-linux-gnu';
const BINFMT = '/proc/sys/fs/binfmt_misc';
const NAME = 'stile-aarch64';

/** 64-bit ELF of AArch64 (183), an executable or a position-independent one; the ABI is not looked at. */
const MAGIC = '7f454c460201010000000000000000000200b700';
const MASK = 'ffffffffffffff00fffffffffffffffffeffffff';

/** Debian packages that have the emulator and the libraries. */
export const emulationPackages = ['qemu-user-static', 'libc6-arm64-cross', 'libstdc++6-arm64-cross'] as const;

/** What an emulated program needs in its environment. */
export const emulated = { QEMU_LD_PREFIX: LIBRARIES } as const;

export interface Emulation {
  /** The kernel and its mounts are as they were. */
  close(): void;
}

/** Makes `executable` run here. Undefined with its reason when it cannot be had. */
export function emulate(executable: string): Emulation | { missing: string } {
  if (runs(executable)) return { close: () => {} };
  for (const path of [EMULATOR, `${LIBRARIES}/lib/ld-linux-aarch64.so.1`])
    if (!existsSync(path)) return { missing: `there is no ${path}: apt-get install ${emulationPackages.join(' ')}` };
  const undo: (() => void)[] = [];
  const close = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    if (!existsSync(`${BINFMT}/register`)) {
      execFileSync('mount', ['-t', 'binfmt_misc', 'binfmt_misc', BINFMT], { stdio: 'pipe' });
      undo.push(() => execFileSync('umount', [BINFMT]));
    }
    // A run that was killed may have left its own.
    if (existsSync(`${BINFMT}/${NAME}`)) writeFileSync(`${BINFMT}/${NAME}`, '-1');
    writeFileSync(`${BINFMT}/register`, `:${NAME}:M::${escaped(MAGIC)}:${escaped(MASK)}:${EMULATOR}:F`);
    undo.push(() => writeFileSync(`${BINFMT}/${NAME}`, '-1'));
  } catch (error) {
    close();
    return { missing: `binfmt_misc takes no emulator here (${(error as Error).message.split('\n')[0]})` };
  }
  if (runs(executable)) return { close };
  close();
  return { missing: `${executable} does not run under ${EMULATOR}` };
}

function escaped(hex: string): string {
  return hex.replace(/../g, '\\x$&');
}

function runs(executable: string): boolean {
  try {
    execFileSync(executable, ['--version'], { stdio: 'pipe', env: { ...process.env, ...emulated } });
    return true;
  } catch {
    return false;
  }
}

/** Whether the file is an ELF of AArch64. */
export function isArm64(executable: string): boolean {
  const head = readFileSync(executable).subarray(0, 20);
  return head.readUInt32BE(0) === 0x7f454c46 && head.readUInt16LE(18) === 183;
}
