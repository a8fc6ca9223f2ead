import { describe, expect, it } from 'vitest';
import { codeOf } from '../../protocol/errors.ts';
import { SimDisk } from './disk.ts';
import { World } from './world.ts';

type Rows = number[];

function start(seed = 'disk') {
  const world = new World(seed);
  const host = world.host('node');
  const disk = new SimDisk<Rows>(world, host, { initial: () => [], clone: (rows) => [...rows] });
  host.boot();
  const insert = (row: number) => disk.commit((rows) => rows.push(row));
  return { world, host, disk, insert };
}

describe('a commit', () => {
  it('is seen at once, resolves when it is durable, and gives what the change gave', async () => {
    const { world, disk, insert } = start();
    const commit = insert(7);
    expect(disk.live).toEqual([7]);
    expect(disk.snapshot()).toEqual([]);
    expect(await world.settle(commit, 100)).toBe(1);
    expect(disk.snapshot()).toEqual([7]);
    disk.assertSame();
  });

  it('shares its sync with all that wait meanwhile', async () => {
    const { world, disk, insert } = start();
    const first = Promise.all([insert(1), insert(2), insert(3)]);
    await world.run(0.1);
    const second = Promise.all([insert(4), insert(5)]);
    await world.settle(Promise.all([first, second]), 1_000);
    expect(disk.syncs).toBe(2);
    expect(disk.snapshot()).toEqual([1, 2, 3, 4, 5]);
    expect(world.pending).toBe(0);
  });

  it('is refused with E_STORE_FAILED while the disk is full, and changes nothing', async () => {
    const { world, disk, insert } = start();
    disk.full = true;
    expect(await insert(1).catch(codeOf)).toBe('E_STORE_FAILED');
    expect(disk.live).toEqual([]);
    disk.full = false;
    await world.settle(insert(2), 100);
    disk.assertSame();
  });
});

describe('after a death', () => {
  it('a crash keeps what was written, synced or not, and loses what waited', async () => {
    const { world, host, disk, insert } = start();
    let settled = 0;
    for (const row of [1, 2]) void insert(row).then(() => (settled += 1));
    await world.run(0.1);
    void insert(3).then(() => (settled += 1));
    host.die('crash');
    expect(disk.live).toEqual([1, 2]);
    host.boot();
    await world.run(1_000);
    expect(settled).toBe(0);
    await world.settle(insert(4), 100);
    expect(disk.snapshot()).toEqual([1, 2, 4]);
  });

  it('a power cut keeps what was acknowledged and any first part of what was written', async () => {
    const kept = new Set<number>();
    for (let seed = 0; seed < 60; seed += 1) {
      const { world, host, disk, insert } = start(`power ${seed}`);
      await world.settle(insert(1), 100);
      for (const row of [2, 3, 4]) void insert(row);
      await world.run(world.nowMs + 0.1);
      void insert(5);
      host.die('power-cut');
      expect(disk.live).toEqual([1, 2, 3, 4].slice(0, disk.live.length));
      expect(disk.live.length).toBeGreaterThan(0);
      kept.add(disk.live.length);
    }
    expect([...kept].sort()).toEqual([1, 2, 3, 4]);
  });

  it('a power cut can be told how much the drive had kept', async () => {
    const { world, disk, insert } = start();
    for (const row of [1, 2, 3]) void insert(row);
    await world.run(0.1);
    disk.powerCut(2);
    expect(disk.live).toEqual([1, 2]);
  });

  it('commits of a host that is down never settle', async () => {
    const { world, host, insert, disk } = start();
    host.die('crash');
    let settled = false;
    void insert(1).then(() => (settled = true));
    await world.run(1_000);
    expect(settled).toBe(false);
    expect(disk.live).toEqual([]);
  });
});

describe('the content', () => {
  it('can be lost, and restored from a backup, only while the host is down', async () => {
    const { world, host, disk, insert } = start();
    await world.settle(insert(1), 100);
    const backup = disk.snapshot();
    await world.settle(insert(2), 100);
    expect(() => disk.lose()).toThrow('runs');
    host.die('crash');
    disk.lose();
    expect(disk.live).toEqual([]);
    disk.restore(backup);
    host.boot();
    await world.settle(insert(3), 100);
    expect(disk.snapshot()).toEqual([1, 3]);
    expect(backup).toEqual([1]);
  });

  it('is found out when somebody changes it by the side', async () => {
    const { world, disk, insert } = start();
    await world.settle(insert(1), 100);
    disk.live.push(99);
    expect(() => disk.assertSame()).toThrow('differ');
  });
});
