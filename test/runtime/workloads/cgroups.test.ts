/**
 * Cgroups of version 2: what is written into which file on a directory that stands for a mount, the way of a process
 * into its group on the kernel's own, and limits that bite where this kernel has the controllers in version 2.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import { CgroupTree } from '../../../runtime/workloads/cgroups.ts';
import { LegacyCgroupTree } from '../../../runtime/workloads/cgroups-v1.ts';
import { SimCgroups } from '../../sim/cgroups.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { pause, until } from './real-world.ts';

const controllers = ['memory', 'cpu', 'pids'];
const mib = 2 ** 20;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A directory that looks like a mount of version 2 with these controllers. */
async function fakeMount(available: string): Promise<string> {
  const mount = await mkdtemp(join(tmpdir(), 'stile-cgroups-'));
  cleanups.push(() => rm(mount, { recursive: true, force: true }));
  await writeFile(join(mount, 'cgroup.controllers'), `${available}\n`);
  await mkdir(join(mount, 'stile.slice', 'abc'), { recursive: true });
  return mount;
}

describe.runIf(process.getuid?.() === 0)('as root, on a directory in place of a mount', () => {
  test('controllers are enabled on the way down, and limits written where the kernel wants them', async () => {
    const mount = await fakeMount('cpuset cpu io memory pids');
    const group = join(mount, 'stile.slice', 'abc');
    const files = ['memory.max', 'memory.oom.group', 'memory.swap.max', 'cpu.max', 'cpu.weight', 'pids.max'];
    for (const name of files) await writeFile(join(group, name), '');
    const tree = await CgroupTree.open({ mount, controllers });
    expect(tree.fault).toBeUndefined();
    expect(await tree.make('abc', { memoryBytes: 64 * mib, cpuCores: 0.25, cpuWeight: 10, pids: 100 })).toEqual([
      group,
    ]);
    const written = await Promise.all(files.map((name) => readFile(join(group, name), 'utf8')));
    expect(written).toEqual(['67108864', '1', '0', '25000 100000', '10', '100']);
    expect(await readFile(join(mount, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +cpu +pids');
    expect(await readFile(join(mount, 'stile.slice', 'cgroup.subtree_control'), 'utf8')).toBe('+memory +cpu +pids');
  });

  test('a group that the kernel refuses is E_POD_START', async () => {
    const tree = await CgroupTree.open({ mount: await fakeMount('cpu memory pids'), controllers });
    const error = await tree.make('abc', { memoryBytes: mib, pids: 1 }).catch((caught) => caught);
    expect(codeOf(error)).toBe('E_POD_START');
  });
});

describe.runIf(process.getuid?.() === 0)('version 1, as root, on directories in place of mounts', () => {
  async function fakeMounts(): Promise<{ text: string; root: string }> {
    const root = await mkdtemp(join(tmpdir(), 'stile-cgroups-'));
    cleanups.push(() => rm(root, { recursive: true, force: true }));
    const mounted = { memory: 'memory', 'cpu,cpuacct': 'cpu', pids: 'pids' };
    for (const name of Object.values(mounted)) await mkdir(join(root, name, 'stile.slice', 'abc'), { recursive: true });
    const lines = Object.entries(mounted).map(
      ([options, name]) => `cgroup ${join(root, name)} cgroup rw,${options} 0 0`,
    );
    return { root, text: ['tmpfs /sys/fs/cgroup tmpfs rw 0 0', ...lines].join('\n') };
  }

  test('limits are written where the kernel wants them, swap only where it is counted', async () => {
    const { root, text } = await fakeMounts();
    const tree = await LegacyCgroupTree.open(text);
    const names = ['memory/memory.limit_in_bytes', 'cpu/cpu.cfs_period_us', 'cpu/cpu.cfs_quota_us', 'cpu/cpu.shares'];
    const files = [...names, 'pids/pids.max'].map((name) => join(root, name.replace('/', '/stile.slice/abc/')));
    for (const file of files) await writeFile(file, '');
    const groups = ['memory', 'cpu', 'pids'].map((name) => join(root, name, 'stile.slice', 'abc'));
    expect(await tree!.make('abc', { memoryBytes: 64 * mib, cpuCores: 0.25, cpuWeight: 1, pids: 100 })).toEqual(groups);
    const written = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    expect(written).toEqual(['67108864', '100000', '25000', '2', '100']);
    expect(await tree!.find('abc')).toEqual(groups);
    expect(await tree!.find('other')).toBeUndefined();
  });

  test('where one controller is missing there is no tree at all', async () => {
    const { text } = await fakeMounts();
    expect(await LegacyCgroupTree.open(text.replace('rw,pids', 'rw,freezer'))).toBeUndefined();
    expect(await LegacyCgroupTree.open('')).toBeUndefined();
  });
});

test('what is missing is said in a sentence', async () => {
  expect((await CgroupTree.open({ mount: await fakeMount('hugetlb'), controllers })).fault).toMatch(
    /lack memory, cpu, pids: the kernel has them off or in version 1/,
  );
  expect((await CgroupTree.open({ mount: '/no/such/mount', controllers })).fault).toMatch(/no cgroups of version 2/);
});

const kernelMount = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) =>
  existsSync(`${path}/cgroup.controllers`),
);
const kernelOurs = kernelMount !== undefined && process.getuid?.() === 0;

/** A node whose containers get groups of the kernel's own tree. */
async function nodeWith(tree: CgroupTree | SimCgroups): Promise<NodeUnderTest> {
  const node = await NodeUnderTest.open({});
  cleanups.push(() => node.close());
  node.cgroups = tree;
  await node.start();
  return node;
}

const sleeper = 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done';

describe.runIf(kernelOurs)('of this kernel (skipped without version 2 or root)', () => {
  test('a container begins in its group, so do its probes; its end takes the group along', async () => {
    // A slice that a runtime of this machine uses is not empty, and stays.
    cleanups.push(() => rmdir(join(kernelMount!, 'stile.slice')).catch(() => {}));
    const tree = await CgroupTree.open({ mount: kernelMount!, controllers: [] });
    expect(tree.fault).toBeUndefined();
    const node = await nodeWith(tree);
    const desired = examplePod('u1', ['sh', '-c', `cat /proc/self/cgroup; setsid sleep 600 & ${sleeper}`]);
    const cat = ['sh', '-c', 'cat /proc/self/cgroup > "$TMPDIR/probed"'];
    desired.pod.spec.containers[0]!.readinessProbe = { exec: { command: cat }, periodSeconds: 1 };
    // Without controllers there are no limits to write.
    tree.make = async (id) => {
      const group = join(kernelMount!, 'stile.slice', id);
      await mkdir(group, { recursive: true });
      return [group];
    };
    node.supervisor.apply([desired]);
    const pid = await node.running('u1');
    await until('readiness', () => node.status('u1')?.containerStatuses?.[0]?.ready);
    const [record] = await node.records.load();
    const { instanceId } = record!.containers[0]!;
    const line = `0::/stile.slice/${instanceId}`;
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(line);
    expect(await node.log('u1')).toContain(line);
    const probed = join(node.directory, 'pods', 'u1', 'scratch', 'main', 'tmp', 'probed');
    expect(await readFile(probed, 'utf8')).toContain(line);
    await node.crash();
    await node.start();
    await pause(100);
    expect(node.pid('u1')).toBe(pid);
    node.supervisor.apply([]);
    await until('the pod to be gone', () => node.told.gone.includes('u1'));
    expect(await readdir(join(kernelMount!, 'stile.slice'))).not.toContain(instanceId);
    expect(await node.children()).toEqual([]);
  });

  test('a child whose runtime dies before it is let go does not become the program', async () => {
    const { startChild } = await import('../../../runtime/workloads/child-command.ts');
    const directory = await mkdtemp(join(tmpdir(), 'stile-gate-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const command = { engine: false, file: '/bin/touch', args: ['ran'], cwd: directory, env: {}, cgroup: [directory] };
    const { child } = startChild(command, { file: process.execPath, args: [] }, 'pipe');
    child.stdin!.destroy();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect([code, await readdir(directory)]).toEqual([125, []]);
  });
});

const limiting =
  kernelOurs && controllers.every((name) => readFileSync(`${kernelMount}/cgroup.controllers`, 'utf8').includes(name));

test.runIf(limiting)(
  'a container above its memory is ended alone, as OOMKilled (needs version 2 with memory)',
  async () => {
    const node = await nodeWith(await CgroupTree.open({ mount: kernelMount!, controllers }));
    const hungry = examplePod('u1', ['sh', '-c', 'x=x; while :; do x=$x$x; done'], { restartPolicy: 'Never' });
    hungry.pod.spec.containers[0]!.resources = { limits: { memory: '16Mi' } };
    node.supervisor.apply([hungry, examplePod('u2', ['sh', '-c', sleeper])]);
    const pid = await node.running('u2');
    const ended = await until('its end', () => node.status('u1')?.containerStatuses?.[0]?.state.terminated);
    expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    expect(node.pid('u2')).toBe(pid);
  },
);

describe('of the simulator', () => {
  test('memory that ran out is the reason of the end, and each instance has its own group', async () => {
    const cgroups = new SimCgroups();
    cgroups.memoryRunsOut = true;
    // The gate needs a directory that takes a pid.
    const directory = await mkdtemp(join(tmpdir(), 'stile-groups-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const make = cgroups.make.bind(cgroups);
    cgroups.make = async (id, limits) => {
      await make(id, limits);
      return [directory];
    };
    const node = await nodeWith(cgroups);
    const pod = examplePod('u1', ['sh', '-c', 'kill -9 $$$$'], { restartPolicy: 'Never' });
    pod.pod.spec.containers[0]!.resources = { limits: { memory: '64Mi' } };
    node.supervisor.apply([pod]);
    const ended = await until('its end', () => node.status('u1')?.containerStatuses?.[0]?.state.terminated);
    expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    expect(cgroups.groups.size).toBe(0);
    expect(node.status('u1')?.containerStatuses?.[0]?.resources).toEqual({ limits: { memory: '64Mi' } });
  });

  test('a refused group keeps the container waiting with the reason', async () => {
    const cgroups = new SimCgroups();
    cgroups.refusing = true;
    const node = await nodeWith(cgroups);
    node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper])]);
    const waiting = await until('the reason', () => {
      const state = node.status('u1')?.containerStatuses?.[0]?.state.waiting;
      return state?.reason === 'RunContainerError' && state;
    });
    expect(waiting.message).toMatch(/no space left/);
    expect(await node.children()).toEqual([]);
  });

  test('where nothing can be limited, a pod with limits runs and says so once', async () => {
    const node = await nodeWith(new SimCgroups('there are no cgroups'));
    const limited = examplePod('u1', ['sh', '-c', sleeper]);
    limited.pod.spec.containers[0]!.resources = { limits: { cpu: '1', memory: '64Mi' } };
    node.supervisor.apply([limited, examplePod('u2', ['sh', '-c', sleeper])]);
    await node.running('u1');
    await node.running('u2');
    expect(node.told.messages.filter((message) => /not enforced/.test(message))).toEqual([
      'limits of container main on cpu and memory are not enforced: there are no cgroups',
    ]);
  });
});

test('the heap of a pod of class js is bounded by its limit, also without cgroups, and only that pod dies', async () => {
  const hungry = 'const all = []; for (;;) all.push(new Array(100_000).fill(Math.random()));';
  const modest =
    'import v8 from "node:v8"; console.log(v8.getHeapStatistics().heap_size_limit / 2 ** 20); setInterval(() => {}, 1e6);';
  const node = await NodeUnderTest.open({ 'hungry.mjs': hungry, 'modest.mjs': modest });
  cleanups.push(() => node.close());
  await node.start();
  const one = examplePod('u1', ['hungry.mjs'], { runtimeClassName: 'js', restartPolicy: 'Never' });
  one.pod.spec.containers[0]!.resources = { limits: { memory: '64Mi' } };
  node.supervisor.apply([one, examplePod('u2', ['modest.mjs'], { runtimeClassName: 'js' })]);
  const ended = await until('its end', () => node.status('u1')?.containerStatuses?.[0]?.state.terminated);
  expect(ended.exitCode).toBe(134);
  expect(ended.message).toMatch(/heap/i);
  const bound = await until('the bound', async () => Number(await node.log('u2')) || undefined);
  expect(bound).toBeGreaterThan(60);
  expect(bound).toBeLessThan(90);
  expect(node.status('u2')?.containerStatuses?.[0]?.resources).toEqual({ limits: { memory: '131072Ki' } });
});
