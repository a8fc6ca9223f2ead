/** The last words of containers: what is read, and what is not. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clearMessage, readMessage } from '../../../runtime/workloads/termination-message.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { until } from './real-world.ts';

describe('the file', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stile-message-'));
    path = join(directory, 'main');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('is read from its end, and emptied for the next start', async () => {
    await clearMessage(path);
    expect(await readMessage(path, 8)).toBe('');
    await writeFile(path, 'the gate is stuck');
    expect(await readMessage(path, 8)).toBe('is stuck');
    await clearMessage(path);
    expect(await readMessage(path, 8)).toBe('');
  });

  test('is not read through a link, nor from a pipe that nobody writes', async () => {
    await symlink('/etc/hostname', path);
    expect(await readMessage(path, 100)).toBe('');
    await rm(path);
    execFileSync('mkfifo', [path]);
    expect(await readMessage(path, 100)).toBe('');
    await clearMessage(path);
    await writeFile(path, 'a file again');
    expect(await readMessage(path, 100)).toBe('a file again');
  });
});

describe('in the status', () => {
  let node: NodeUnderTest;
  beforeEach(async () => {
    node = await NodeUnderTest.open({});
    await node.start();
  });
  afterEach(() => node.close());

  const messageOf = async (script: string, members: Record<string, unknown> = {}) => {
    const desired = examplePod('u1', ['sh', '-c', script], { restartPolicy: 'Never' });
    Object.assign(desired.pod.spec.containers[0]!, members);
    node.supervisor.apply([desired]);
    const ended = () => node.status('u1')?.containerStatuses?.[0]?.state.terminated;
    return (await until('its end', ended)).message;
  };

  test('a message is told on success too', async () => {
    expect(await messageOf('echo log; echo all sold > "$STILE_ROOT/dev/termination-log"')).toBe('all sold\n');
  });

  test('another path, and no more than 4 KiB', async () => {
    const script = 'head -c 5000 /dev/zero | tr "\\0" x > ./run/why; exit 1';
    expect(await messageOf(script, { terminationMessagePath: '/run/why' })).toBe('x'.repeat(4_096));
  });

  test('a failure without a message is told by the end of the log', async () => {
    expect(await messageOf('echo the gate is stuck; exit 1', { terminationMessagePolicy: 'File' })).toBe(
      'the gate is stuck\n',
    );
  });

  test('success without a message says nothing', async () => {
    expect(await messageOf('echo fine')).toBeUndefined();
  });

  test('a volume over that path keeps what is written there', async () => {
    const desired = examplePod('u1', ['sh', '-c', 'echo kept > dev/termination-log'], {
      restartPolicy: 'Never',
      volumes: [{ name: 'dev', emptyDir: {} }],
    });
    desired.pod.spec.containers[0]!.volumeMounts = [{ name: 'dev', mountPath: '/dev' }];
    node.supervisor.apply([desired]);
    const ended = await until('its end', () => node.status('u1')?.containerStatuses?.[0]?.state.terminated);
    expect([ended.exitCode, ended.message]).toEqual([0, undefined]);
  });
});
