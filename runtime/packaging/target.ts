/** The architectures that are packed for, and what Debian has to build for them on a machine of another one. */
export type Arch = 'x64' | 'arm64';

export interface Toolchain {
  /** Of the names of its tools: PREFIX-gcc. */
  prefix: string;
  /** Debian's package with the C++ compiler; it brings the rest. */
  debian: string;
  /** `e_machine` of an ELF file. */
  machine: number;
}

export const toolchains: Readonly<Record<Arch, Toolchain>> = {
  x64: { prefix: 'x86_64-linux-gnu', debian: 'g++-x86-64-linux-gnu', machine: 62 },
  arm64: { prefix: 'aarch64-linux-gnu', debian: 'g++-aarch64-linux-gnu', machine: 183 },
};

/** `linux-x64` → `x64`. Undefined when it is no target of ours. */
export function archOf(target: string): Arch | undefined {
  const arch = /^linux-(x64|arm64)$/.exec(target)?.[1];
  return arch as Arch | undefined;
}
