/** What the kernel lets the runtime have, from either version of cgroups, and what the Node says of it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MEMORY_ROOM_BYTES_MIN, memoryRoomBytes, memoryRoomCondition } from '../../runtime/memory-room.ts';

const MIB = 2 ** 20;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function kernel(files: Record<string, string>): [proc: string, cgroups: string] {
  const root = mkdtempSync(join(tmpdir(), 'stile-room-'));
  folders.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return [join(root, 'proc'), join(root, 'cgroup')];
}

describe('the room for the runtime', () => {
  it.each([
    [
      'version 1',
      { 'proc/self/cgroup': '4:memory:/gate\n1:cpu:/\n', 'cgroup/memory/gate/memory.limit_in_bytes': `${64 * MIB}\n` },
    ],
    [
      'version 2',
      { 'proc/self/cgroup': '0::/system.slice/stile\n', 'cgroup/system.slice/stile/memory.max': `${64 * MIB}\n` },
    ],
  ])('is the limit of its group, %s', async (_version, files) => {
    expect(await memoryRoomBytes(...kernel(files))).toBe(64 * MIB);
  });

  it('is the machine where nothing limits it', async () => {
    const unlimited = { 'proc/self/cgroup': '0::/stile\n', 'cgroup/stile/memory.max': 'max\n' };
    expect(await memoryRoomBytes(...kernel(unlimited))).toBe(totalmem());
    expect(await memoryRoomBytes(...kernel({}))).toBe(totalmem());
  });

  it('that is too little is said with what is lacking', () => {
    const least = memoryRoomCondition(MEMORY_ROOM_BYTES_MIN);
    expect([least.status, least.reason]).toEqual(['True', 'Enough']);
    const less = memoryRoomCondition(MEMORY_ROOM_BYTES_MIN - 1);
    expect([less.status, less.message]).toEqual(['False', expect.stringContaining('takes 96: give it more')]);
  });
});
