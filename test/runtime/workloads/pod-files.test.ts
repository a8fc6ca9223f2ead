/** Directories of pods on a real file system, and the simulated ones under the same contract. */
import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Container, Pod, Volume } from '../../../protocol/kubernetes.ts';
import { PodDirectories, podDirectoriesDefaults } from '../../../runtime/workloads/pod-files.ts';
import type { DesiredPod, LocalImage } from '../../../runtime/workloads/ports.ts';
import { describePodFiles } from '../../contract/pod-files.ts';
import { SimPodFiles } from '../../sim/pod-files.ts';
import { World } from '../../sim/world.ts';

const config = { entrypoint: ['./run.sh'], cmd: [], env: [], workingDir: '/' };

describePodFiles('on the file system', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stile-files-'));
  const rootDirectory = await writeImage(directory, { 'run.sh': '' });
  const nextLife = () => new PodDirectories({ ...podDirectoriesDefaults, dataDirectory: directory });
  return {
    files: nextLife(),
    nextLife,
    image: { digest: 'sha256:1', rootDirectory, config },
    write: (path, text) => appendFile(path, text),
    settle: (work) => work,
    close: () => rm(directory, { recursive: true, force: true }),
  };
});

describePodFiles('of the simulator', async () => {
  const world = new World('pod files');
  const host = world.host('gate');
  const machine = new SimPodFiles(host);
  const nextLife = () => {
    if (host.life !== undefined) host.die('crash');
    host.boot();
    return machine.port();
  };
  return {
    files: nextLife(),
    nextLife,
    image: { digest: 'sha256:1', rootDirectory: '/image', config },
    write: async (path, text) => machine.write(path, text),
    settle: (work) => world.settle(work, 1_000),
    close: async () => {},
  };
});

let directory: string;
let files: PodDirectories;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-files-'));
  files = new PodDirectories({ ...podDirectoriesDefaults, dataDirectory: directory });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const place = { podIP: '127.64.0.7', hostIP: '192.0.2.1', nodeName: 'gate-1' };

test('a mount hides what the image has there and leaves the image as it is', async () => {
  const image = await imageWith({ 'run.sh': '', 'etc/gate/key': 'of the image', 'etc/hosts': 'hosts', 'lib/a': 'a' });
  const { view } = await viewOf(image, { volumeMounts: [{ name: 'keys', mountPath: '/etc/gate' }] });
  expect(await readFile(join(view, 'etc/gate/key'), 'utf8')).toBe('of the ConfigMap');
  expect(await readFile(join(view, 'etc/hosts'), 'utf8')).toBe('hosts');
  expect(await readFile(join(view, 'lib/a'), 'utf8')).toBe('a');
  expect(await readFile(join(image.rootDirectory, 'etc/gate/key'), 'utf8')).toBe('of the image');
});

test('a mount where the image has nothing, and one of a subPath, are there too', async () => {
  const image = await imageWith({ 'run.sh': '' });
  const volumeMounts = [
    { name: 'keys', mountPath: '/var/run/keys' },
    { name: 'keys', mountPath: '/etc/the-key', subPath: 'key' },
    { name: 'work', mountPath: 'data', subPath: 'lane-2' },
  ];
  const { view, command } = await viewOf(image, { volumeMounts });
  expect(await readFile(join(view, 'var/run/keys/key'), 'utf8')).toBe('of the ConfigMap');
  expect(await readFile(join(view, 'etc/the-key'), 'utf8')).toBe('of the ConfigMap');
  await writeFile(join(view, 'data/ledger'), 'one');
  expect(await readFile(join(directory, 'pods/uid-1/volumes/work/lane-2/ledger'), 'utf8')).toBe('one');
  expect(command.env.STILE_ROOT).toBe(view);
  expect(JSON.parse(command.env.STILE_MOUNTS!)['/data']).toBe(join(directory, 'pods/uid-1/volumes/work/lane-2'));
});

test('a view is made anew at each start; an emptyDir keeps its content', async () => {
  const image = await imageWith({ 'run.sh': '' });
  const container = { volumeMounts: [{ name: 'work', mountPath: '/data' }], workingDir: '/srv' };
  const first = await viewOf(image, container);
  expect(first.command.cwd).toBe(join(first.view, 'srv'));
  await writeFile(join(first.view, 'srv/lost'), '');
  await writeFile(join(first.view, 'data/kept'), '');
  const second = await viewOf(image, container);
  expect(await readdir(join(second.view, 'srv'))).toEqual([]);
  expect(await readdir(join(second.view, 'data'))).toEqual(['kept']);
});

test('a link in the image that leads out of it is not followed on the way to a mount', async () => {
  const image = await imageWith({ 'run.sh': '' });
  await symlink(directory, join(image.rootDirectory, 'out'));
  const { view } = await viewOf(image, { volumeMounts: [{ name: 'keys', mountPath: '/out/keys' }] });
  expect(await readdir(join(view, 'out'))).toEqual(['keys']);
});

test.each([
  ['a mount at the root', { volumeMounts: [{ name: 'keys', mountPath: '/' }] }],
  ['a mount out of the root', { volumeMounts: [{ name: 'keys', mountPath: '/a/../../b' }] }],
  ['a subPath out of the volume', { volumeMounts: [{ name: 'keys', mountPath: '/a', subPath: '../../x' }] }],
  ['a mount of no volume', { volumeMounts: [{ name: 'none', mountPath: '/a' }] }],
  ['a mount inside a mount', { volumeMounts: ['/a', '/a/b'].map((mountPath) => ({ name: 'keys', mountPath })) }],
  ['a working directory out of the root', { workingDir: '/../..' }],
])('%s is refused', async (_name, container) => {
  const image = await imageWith({ 'run.sh': '' });
  await expect(viewOf(image, container)).rejects.toMatchObject({ code: 'E_POD_INVALID' });
});

test.each<[string, Volume]>([
  ['a hostPath', { name: 'v', hostPath: { path: '/etc' } }],
  ['a kind that does not exist here', { name: 'v', persistentVolumeClaim: { claimName: 'x' } }],
  ['a file out of the volume', { name: 'v', configMap: { name: 'keys', items: [{ key: 'key', path: '../x' }] } }],
  ['a name with a slash', { name: 'a/b', emptyDir: {} }],
])('a volume with %s is refused', async (_name, volume) => {
  await expect(files.prepare(desiredWith({ name: 'main' }, [volume]))).rejects.toMatchObject({ code: 'E_POD_INVALID' });
});

test('a hostPath below an allowed directory is mounted', async () => {
  const allowed = join(directory, 'shared');
  await mkdir(join(allowed, 'maps'), { recursive: true });
  await writeFile(join(allowed, 'maps/lane'), 'lane');
  files = new PodDirectories({ ...podDirectoriesDefaults, dataDirectory: directory, hostPaths: [allowed] });
  const image = await imageWith({ 'run.sh': '' });
  const volumes = [{ name: 'maps', hostPath: { path: join(allowed, 'maps') } }];
  const { view } = await viewOf(image, { volumeMounts: [{ name: 'maps', mountPath: '/maps' }] }, volumes);
  expect(await readFile(join(view, 'maps/lane'), 'utf8')).toBe('lane');
});

test('files of a Secret are for their owner only unless the volume says otherwise', async () => {
  const volumes = [
    { name: 'a', secret: { secretName: 'pin' } },
    { name: 'b', secret: { secretName: 'pin', defaultMode: 0o440 } },
  ];
  await files.prepare(desiredWith({ name: 'main' }, volumes));
  const modes = await Promise.all(['a', 'b'].map((name) => stat(join(directory, 'pods/uid-1/volumes', name, 'pin'))));
  expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o440]);
});

test('a new content replaces all files of a volume at once and leaves none of the old', async () => {
  const volumes = [{ name: 'keys', configMap: { name: 'keys' } }];
  const path = join(directory, 'pods/uid-1/volumes/keys');
  await files.prepare(desiredWith({ name: 'main' }, volumes));
  const before = await stat(join(path, '..data/'));
  await files.prepare(desiredWith({ name: 'main' }, volumes));
  expect((await stat(join(path, '..data/'))).ino).toBe(before.ino);
  const changed = desiredWith({ name: 'main' }, volumes);
  await files.prepare({ ...changed, files: sources({ 'ConfigMap/keys': { other: 'new' } }) });
  expect((await readdir(path)).filter((name) => !name.startsWith('..'))).toEqual(['other']);
  expect((await readdir(path)).filter((name) => name.startsWith('..'))).toHaveLength(2);
  expect(await readFile(join(path, 'other'), 'utf8')).toBe('new');
});

test('downward API and projected volumes show what they name; a service account token is left out', async () => {
  const fieldPath = "metadata.labels['lane']";
  const volumes: Volume[] = [
    { name: 'me', downwardAPI: { items: [{ path: 'lane', fieldRef: { fieldPath } }] } },
    {
      name: 'all',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token' } },
          { configMap: { name: 'keys', items: [{ key: 'key', path: 'deep/er/key' }] } },
          { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    },
  ];
  await files.prepare(desiredWith({ name: 'main' }, volumes));
  const path = join(directory, 'pods/uid-1/volumes');
  expect(await readFile(join(path, 'me/lane'), 'utf8')).toBe('2');
  expect(await readFile(join(path, 'all/deep/er/key'), 'utf8')).toBe('of the ConfigMap');
  expect(await readFile(join(path, 'all/name'), 'utf8')).toBe('gate');
});

test('a command is looked for in the image first, then on the PATH of the host', async () => {
  const image = await imageWith({ 'run.sh': '', 'usr/bin/gate': '', 'bin/sh': '' });
  const fileOf = async (name: string) => (await viewOf(image, { command: [name] })).command.file;
  const view = join(directory, 'pods/uid-1/root/main');
  expect(await fileOf('run.sh')).toBe(join(view, 'run.sh'));
  expect(await fileOf('gate')).toBe(join(view, 'usr/bin/gate'));
  expect(await fileOf('/bin/sh')).toBe(join(view, 'bin/sh'));
  expect(await fileOf('/bin/ls')).toBe('/bin/ls');
  expect(await fileOf('ls')).toMatch(/^\/(usr\/)?bin\/ls$/);
  await chmod(join(image.rootDirectory, 'run.sh'), 0o644);
  await expect(fileOf('./run.sh')).rejects.toMatchObject({ code: 'E_POD_START', message: /not executable/ });
  await expect(fileOf('no-such-gate')).rejects.toMatchObject({ code: 'E_POD_START' });
});

test('an image without entrypoint and a container without command is told as such', async () => {
  const image = { ...(await imageWith({})), config: { ...config, entrypoint: [] } };
  await expect(viewOf(image, {})).rejects.toMatchObject({
    message: 'image gate:1 has no entrypoint; give container main a command',
  });
});

test("nothing of the runtime's own environment reaches a child", async () => {
  process.env.STILE_TEST_LEAK = 'leak';
  const { command } = await viewOf(await imageWith({ 'run.sh': '' }), {});
  delete process.env.STILE_TEST_LEAK;
  const expected = [
    'HOME',
    'NODE_NAME',
    'PATH',
    'POD_IP',
    'POD_NAME',
    'POD_NAMESPACE',
    'STILE_MOUNTS',
    'STILE_ROOT',
    'TMPDIR',
  ];
  expect(Object.keys(command.env).sort()).toEqual(expected);
  expect(command.env.HOME).toBe(join(directory, 'pods/uid-1/scratch/main/home'));
});

test('damaged sources are as if they had never been told', async () => {
  await files.prepare(desiredWith({ name: 'main' }));
  await writeFile(join(directory, 'pods/uid-1/sources.json'), '{"Secret/pi');
  expect(await files.recall('uid-1')).toEqual(new Map());
});

async function imageWith(content: Record<string, string>): Promise<LocalImage> {
  return { digest: 'sha256:1', rootDirectory: await writeImage(directory, content), config };
}

async function viewOf(image: LocalImage, asked: Partial<Container>, volumes?: Volume[]) {
  const container = { name: 'main', image: 'gate:1', ...asked };
  const desired = desiredWith(container, volumes);
  await files.prepare(desired);
  const command = await files.resolve(desired, container, image, place);
  return { command, view: join(directory, 'pods/uid-1/root/main') };
}

function desiredWith(
  container: Container,
  volumes: Volume[] = [
    { name: 'keys', configMap: { name: 'keys' } },
    { name: 'work', emptyDir: {} },
  ],
): DesiredPod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'gate', namespace: 'gates', uid: 'uid-1', labels: { lane: '2' } },
    spec: { containers: [container], volumes },
  };
  return { pod, files: sources({ 'ConfigMap/keys': { key: 'of the ConfigMap' }, 'Secret/pin': { pin: '1234' } }) };
}

function sources(from: Record<string, Record<string, string>>): DesiredPod['files'] {
  return new Map(
    Object.entries(from).map(([key, entries]) => [
      key,
      new Map(Object.entries(entries).map(([name, text]) => [name, new Uint8Array(Buffer.from(text))])),
    ]),
  );
}

async function writeImage(parent: string, content: Record<string, string>): Promise<string> {
  const root = join(parent, 'image');
  await mkdir(root, { recursive: true });
  for (const [path, text] of Object.entries(content)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text, { mode: 0o755 });
  }
  return root;
}
