/** Users of pods: how they are chosen; and, as root, what a pod with one of its own can and cannot do. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { firstClosed, openImage } from '../../../runtime/workloads/pod-owner.ts';
import { choosePodUser, podUsersDefault } from '../../../runtime/workloads/pod-user.ts';
import type { DesiredPod } from '../../../runtime/workloads/ports.ts';
import { pidsOfUser } from '../../../runtime/workloads/proc.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { pause, until } from './real-world.ts';

test('a user follows from the name, and from what is taken', () => {
  const range = { first: 1_000, count: 3 };
  const first = choosePodUser(range, 'gates', 'a', new Set());
  expect(choosePodUser(range, 'gates', 'a', new Set())).toBe(first);
  const all = new Set<number>();
  for (let index = 0; index < 3; index += 1) all.add(choosePodUser(range, 'gates', 'a', all));
  expect([...all].sort()).toEqual([1_000, 1_001, 1_002]);
  expect(() => choosePodUser(range, 'gates', 'a', all)).toThrow(/no user is left/);
});

describe.runIf(process.getuid?.() === 0)('as root (skipped otherwise)', () => {
  let node: NodeUnderTest;
  afterEach(() => node?.close());

  const idle = 'while :; do sleep 0.05; done';

  async function open(files: Record<string, string> = {}): Promise<void> {
    node = await NodeUnderTest.open(files, { podUsers: podUsersDefault });
    for (const path of ['.', 'image']) await chmod(join(node.directory, path), 0o711);
    await node.start();
  }

  function podWith(uid: string, script: string, spec = {}): DesiredPod {
    const volumes = [
      { name: 'keys', secret: { secretName: 'keys' } },
      { name: 'data', emptyDir: {} },
    ];
    const desired = examplePod(uid, ['sh', '-c', script], { volumes, ...spec });
    desired.pod.spec.containers[0]!.volumeMounts = [
      { name: 'keys', mountPath: '/etc/keys' },
      { name: 'data', mountPath: '/data' },
    ];
    return { ...desired, files: new Map([['Secret/keys', new Map([['pin', Buffer.from('1234')]])]]) };
  }

  const userOf = async (uid: string) => (await node.records.load()).find((record) => record.uid === uid)?.user;

  test('a pod runs as its own user, reads its secrets, writes its volumes and its last words', async () => {
    await open({ 'tool.sh': '#!/bin/sh\necho tool\n' });
    await chmod(join(node.directory, 'image', 'tool.sh'), 0o700);
    const script =
      'id -u; id -g; cat etc/keys/pin; echo; ./tool.sh; echo kept > data/kept; echo note > "$TMPDIR/note"; ' +
      'echo here > here; echo out >> /dev/stdout; echo bye > dev/termination-log; exit 1';
    node.supervisor.apply([podWith('u1', script, { restartPolicy: 'Never' })]);
    const ended = await until('its end', () => node.status('u1')?.containerStatuses?.[0]?.state.terminated);
    const user = await userOf('u1');
    expect(user).toBeGreaterThanOrEqual(podUsersDefault.first);
    expect(await node.log('u1')).toBe(`${user}\n${user}\n1234\ntool\nout\n`);
    expect(ended.message).toBe('bye\n');
    expect((await stat(join(node.directory, 'pods/u1/volumes/data/kept'))).uid).toBe(user);
  });

  test('it cannot read what belongs to others: secrets of another pod, sources, the state of the runtime', async () => {
    await open();
    await writeFile(join(node.directory, 'state.db'), 'all of it', { mode: 0o600 });
    node.supervisor.apply([podWith('u1', idle)]);
    await node.running('u1');
    const pods = join(node.directory, 'pods');
    const paths = ['u1/volumes/keys/pin', 'u1/sources.json', '../state.db'].map((path) => join(pods, path));
    const reads = paths.map((path) => `cat ${path} && echo LEAK ${path};`).join(' ');
    node.supervisor.apply([podWith('u1', idle), podWith('u2', `${reads} ls ${pods} && echo LEAK; echo done; ${idle}`)]);
    const log = await until('its tries', async () => /done/.test(await node.log('u2')) && (await node.log('u2')));
    expect(log).not.toMatch(/LEAK/);
    expect(log.match(/Permission denied/g)).toHaveLength(4);
  });

  test('the user stays over a crash of the runtime and a restart of the container, whose files it finds again', async () => {
    await open();
    const script = 'id -u >> data/users; echo x > here; echo up; trap "exit 3" TERM; while :; do sleep 0.05; done';
    const desired = podWith('u1', script);
    node.supervisor.apply([desired]);
    const pid = await node.running('u1');
    const user = await userOf('u1');
    // It runs before it has written anything; killed then, it would leave one line and not two.
    await until('its first words', async () => /up/.test(await node.log('u1')));
    await node.crash();
    await node.start();
    node.supervisor.apply([desired]);
    await until('the adoption', () => node.pid('u1') === pid);
    process.kill(-pid, 'SIGKILL');
    await until('another process', () => node.pid('u1') !== undefined && node.pid('u1') !== pid);
    const users = join(node.directory, 'pods/u1/volumes/data/users');
    await until('its second line', async () => (await readFile(users, 'utf8')) === `${user}\n${user}\n`);
  });

  test('new contents of a secret reach it while it runs', async () => {
    await open();
    const desired = podWith('u1', 'while :; do cat etc/keys/pin; echo; sleep 0.05; done');
    node.supervisor.apply([desired]);
    await until('the old', async () => /1234/.test(await node.log('u1')));
    const files = new Map([['Secret/keys', new Map([['pin', Buffer.from('5678')]])]]);
    node.supervisor.apply([{ ...desired, files }]);
    await until('the new', async () => /5678/.test(await node.log('u1')));
  });

  test('probes run as the user, and what hides its environment ends with the pod', async () => {
    await open();
    const desired = podWith('u1', `env -i setsid sleep 600 & ${idle}`, { terminationGracePeriodSeconds: 0 });
    const command = ['sh', '-c', 'id -u > "$TMPDIR/probed"'];
    desired.pod.spec.containers[0]!.readinessProbe = { exec: { command }, periodSeconds: 1 };
    node.supervisor.apply([desired]);
    await until('readiness', () => node.status('u1')?.containerStatuses?.[0]?.ready);
    const user = await userOf('u1');
    expect(await readFile(join(node.directory, 'pods/u1/scratch/main/tmp/probed'), 'utf8')).toBe(`${user}\n`);
    node.supervisor.apply([]);
    await until('the pod to be gone', () => node.told.gone.includes('u1'));
    await until('all of it', async () => (await pidsOfUser(user!)).length === 0);
  });

  test('a record of before there were users keeps its process, and its user', async () => {
    await open();
    const desired = podWith('u1', 'id -u; echo up; while :; do sleep 0.05; done');
    await node.crash();
    const before = new NodeUnderTest(node.directory, node.records);
    await before.start();
    before.supervisor.apply([desired]);
    const pid = await before.running('u1');
    await before.crash();
    await node.start();
    node.supervisor.apply([desired]);
    await until('the adoption', () => node.pid('u1') === pid);
    await pause(100);
    expect([node.pid('u1'), await userOf('u1')]).toEqual([pid, undefined]);
  });

  test('an image is opened once: what its owner may read, all may; links are not followed', async () => {
    const root = await mkdtemp(join(tmpdir(), 'stile-image-'));
    const outside = await mkdtemp(join(tmpdir(), 'stile-outside-'));
    try {
      await mkdir(join(root, 'bin'), { mode: 0o700 });
      await writeFile(join(root, 'bin/tool'), '', { mode: 0o700 });
      await writeFile(join(root, 'data'), '', { mode: 0o640 });
      await symlink(outside, join(root, 'away'));
      await openImage(root);
      const modes = await Promise.all(['.', 'bin', 'bin/tool', 'data'].map((path) => stat(join(root, path))));
      expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['555', '755', '755', '644']);
      expect((await stat(outside)).mode & 0o777).toBe(0o700);
    } finally {
      await rm(root, { recursive: true, force: true });
      await rm(outside, { recursive: true, force: true });
    }
  });

  test('a directory that others may not pass is named', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stile-closed-'));
    try {
      await mkdir(join(directory, 'inner'));
      expect(await firstClosed(join(directory, 'inner'))).toBe(directory);
      await chmod(directory, 0o711);
      expect(await firstClosed(join(directory, 'inner'))).toBeUndefined();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
