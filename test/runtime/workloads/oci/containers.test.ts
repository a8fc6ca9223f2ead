/** Containers for real: as root, with crun, iproute2 and a static busybox. Elsewhere one line says what is missing. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { cgroupTreeDefaults, openCgroups } from '../../../../runtime/workloads/cgroups.ts';
import { gatewayOf, networkNames, ownerOf } from '../../../../runtime/workloads/oci/pod-network.ts';
import type { DesiredPod } from '../../../../runtime/workloads/ports.ts';
import type { NodeUnderTest } from '../node-under-test.ts';
import { until } from '../real-world.ts';
import {
  clearMachine,
  containerNode,
  containerPod,
  makeNodeDirectory,
  networkOf,
  noContainers,
  testRange,
} from './container-node.ts';

const run = promisify(execFile);
const missing = await noContainers();
if (missing !== undefined) console.warn(`no containers are tested here: ${missing}`);
const cgroups = await openCgroups(cgroupTreeDefaults);

const idle = 'while :; do sleep 0.1; done';

describe.runIf(missing === undefined)('as root with crun', () => {
  let node: NodeUnderTest;
  const range = testRange(1);
  afterAll(async () => {
    // Of version 1, made by `openCgroups`; those that another runtime uses are not empty, and stay.
    for (const name of await readdir('/sys/fs/cgroup').catch(() => []))
      await rmdir(join('/sys/fs/cgroup', name, 'stile.slice')).catch(() => {});
  });
  afterEach(async () => {
    await node.crash();
    await clearMachine(node.directory, range);
  });

  async function open(files: Record<string, string> = {}): Promise<void> {
    node = containerNode(await makeNodeDirectory(files), range);
    await node.start();
  }

  const terminated = (uid: string) =>
    until('its end', () => node.status(uid)?.containerStatuses?.[0]?.state.terminated);
  const logged = (uid: string, words: RegExp) =>
    until(`${words} in its log`, async () => words.test(await node.log(uid)) && (await node.log(uid)));

  function withVolumes(desired: DesiredPod): DesiredPod {
    desired.pod.spec.volumes = [
      { name: 'keys', configMap: { name: 'keys' } },
      { name: 'data', emptyDir: {} },
    ];
    desired.pod.spec.containers[0]!.volumeMounts = [
      { name: 'keys', mountPath: '/etc/gate/keys' },
      { name: 'data', mountPath: '/data' },
    ];
    return { ...desired, files: new Map([['ConfigMap/keys', new Map([['pin', Buffer.from('1234')]])]]) };
  }

  test('a container has its own files, names, user and environment, and leaves its last words', async () => {
    // As under systemd: nothing that the runtime makes is for others unless it says so.
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));
    await open();
    const script = [
      'cat /etc/gate/keys/pin; echo; hostname; cat /etc/hostname; id -u; echo $GREETING $POD_NAME $STILE_ROOT.',
      'touch /etc/gate/keys/pin 2>/dev/null || echo sealed; echo kept > /data/kept; ls /home 2>/dev/null || echo alone',
      'grep -c . /proc/net/dev > /dev/null; echo $$$$; echo farewell > /dev/termination-log; exit 3',
    ].join('; ');
    const desired = withVolumes(containerPod('u1', script, { restartPolicy: 'Never', hostname: 'gate' }));
    desired.pod.spec.containers[0]!.securityContext = { runAsUser: 1000 };
    node.supervisor.apply([desired]);
    const ended = await terminated('u1');
    expect(await node.log('u1')).toBe('1234\ngate\ngate\n1000\nhello pod-u1 .\nsealed\nalone\n1\n');
    expect(ended).toMatchObject({ exitCode: 3, reason: 'Error', message: 'farewell\n' });
    expect((await stat(join(node.directory, 'pods/u1/volumes/data/kept'))).uid).toBe(1000);
  });

  test('what is written outside volumes ends with the container, the image stays as it was, volumes stay', async () => {
    await open();
    const script = 'echo x >> /note; echo x >> /data/note; cat /note /data/note; echo .; exit 1';
    node.supervisor.apply([withVolumes(containerPod('u1', script))]);
    await logged('u1', /^x\nx\n\.\nx\nx\nx\n\.\n/);
    expect(existsSync(join(node.directory, 'image/note'))).toBe(false);
  });

  test('it is told to end and has its grace; then nothing of the pod is left on the machine', async () => {
    await open();
    const slow = containerPod('u1', `trap 'sleep 0.3; echo done; sleep 0.5; exit 0' TERM; echo up; ${idle}`);
    const deaf = containerPod('u2', `trap '' TERM; echo up; ${idle}`, { terminationGracePeriodSeconds: 1 });
    node.supervisor.apply([slow, deaf]);
    await logged('u1', /up/);
    await logged('u2', /up/);
    const log = join(node.directory, 'pods/u1/logs/main.log');
    const { size } = await stat(log);
    expect(size).toBe(3);
    // The log goes with the pod: it stays half a second after its last word, for this to be read.
    let last = '';
    node.supervisor.apply([]);
    await until('both to be gone', async () => {
      last = (await node.log('u1')) || last;
      return node.told.gone.length === 2;
    });
    expect(last).toBe('up\ndone\n');
    const owner = ownerOf(node.directory);
    expect(await readdir(join('/run/stile', owner, 'crun'))).toEqual([]);
    const { namespace, link } = networkNames(owner, 'u1');
    expect([existsSync(`/run/netns/${namespace}`), existsSync(`/sys/class/net/${link}`)]).toEqual([false, false]);
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(node.directory);
  });

  test('containers of a pod share its network; pods reach each other and the terminal, and nothing else', async () => {
    await open();
    const server = containerPod('u1', 'mkdir /www; echo served > /www/page; httpd -f -p 8080 -h /www');
    const { containers } = server.pod.spec;
    containers.push({ ...containers[0]!, name: 'second', command: ['/bin/sh', '-c', idle] });
    containers[0]!.readinessProbe = { httpGet: { path: '/page', port: 8080 }, periodSeconds: 1 };
    containers[1]!.readinessProbe = {
      exec: { command: ['wget', '-qO-', 'http://127.0.0.1:8080/page'] },
      periodSeconds: 1,
    };
    node.supervisor.apply([server]);
    const { podIP } = await until('readiness', () => {
      const status = node.status('u1');
      return status?.containerStatuses?.every(({ ready }) => ready) && status;
    });
    const away = 'ping -c 1 -W 1 192.0.2.1 > /dev/null || echo alone';
    const asks = `wget -qO- http://${podIP}:8080/page; ping -c 1 -W 2 ${gatewayOf(range)} > /dev/null && echo terminal`;
    node.supervisor.apply([server, containerPod('u2', `${asks}; ${away}; ${idle}`)]);
    expect(await logged('u2', /alone/)).toBe('served\nterminal\nalone\n');
  });

  test('a probe that does not end in time leaves nothing of its command', async () => {
    await open();
    const desired = containerPod('u1', idle);
    const command = ['sh', '-c', 'sleep 654; true'];
    const period = { periodSeconds: 600, timeoutSeconds: 1 };
    desired.pod.spec.containers[0]!.readinessProbe = { exec: { command }, ...period };
    node.supervisor.apply([desired]);
    const commands = async () => (await run('ps', ['-eo', 'args'])).stdout.split('\n');
    await until('the command', async () => (await commands()).includes('sleep 654'));
    await until('the failure', () => node.told.events.includes('Unhealthy'));
    await until('its end', async () => !(await commands()).includes('sleep 654'));
    expect(node.told.messages.filter((message) => /Readiness/.test(message))).toEqual([
      'Readiness probe of container main failed: no answer within 1000 ms',
    ]);
    expect(node.status('u1')?.containerStatuses?.[0]).toMatchObject({ ready: false, state: { running: {} } });
  });

  test('a killed crun takes its container along, and the container runs once', async () => {
    await open();
    node.supervisor.apply([containerPod('u1', `echo up; ${idle}`)]);
    const first = await node.running('u1');
    await logged('u1', /up/);
    process.kill(first, 'SIGKILL');
    await until('another', async () => /up\nup/.test(await node.log('u1')));
    const state = join('/run/stile', ownerOf(node.directory), 'crun');
    await until('one container', async () => (await readdir(state)).length === 1);
    expect(node.status('u1')?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 137 });
  });

  test('a runtime that starts anew adopts what runs, and ends what no record knows', async () => {
    await open();
    const pods = [containerPod('u1', `echo up; ${idle}`), containerPod('u2', `echo up; ${idle}`)];
    node.supervisor.apply(pods);
    const pid = await node.running('u1');
    await logged('u1', /up/);
    await logged('u2', /up/);
    await node.crash();
    await node.records.remove('u2');
    await node.start();
    await node.endStrays();
    node.supervisor.apply([pods[0]!]);
    await until('the adoption', () => node.pid('u1') === pid);
    const owner = ownerOf(node.directory);
    expect(await readdir(join('/run/stile', owner, 'crun'))).toHaveLength(1);
    await until('its network to go', () => !existsSync(`/run/netns/${networkNames(owner, 'u2').namespace}`));
    expect(await node.log('u1')).toBe('up\n');
  });

  test('after a boot, when all that is in memory is gone, a pod has the address and MAC that it had', async () => {
    await open();
    const desired = withVolumes(containerPod('u1', `echo up >> /data/lives; ${idle}`));
    node.supervisor.apply([desired]);
    const pid = await node.running('u1');
    const lives = () => readFile(join(node.directory, 'pods/u1/volumes/data/lives'), 'utf8').catch(() => '');
    await until('its first life', async () => (await lives()) === 'up\n');
    const before = await networkOf(node.directory, 'u1');
    await node.crash();
    const directory = node.directory;
    process.kill(-pid, 'SIGKILL');
    await clearMachine(directory, range, { keepDirectory: true });
    await node.start();
    node.supervisor.apply([desired]);
    await until('its second life', async () => (await lives()) === 'up\nup\n');
    expect(await networkOf(directory, 'u1')).toEqual(before);
    expect(node.status('u1')?.podIP).toBe(before.podIP);
  });

  test.runIf(cgroups.fault === undefined)(
    'a memory limit ends the container that is above it, and no other',
    async () => {
      node = containerNode(await makeNodeDirectory(), range);
      node.cgroups = cgroups;
      await node.start();
      const greedy = containerPod('u1', "tail /dev/zero; echo 'tail ended'; exit 9", { restartPolicy: 'Never' });
      greedy.pod.spec.containers[0]!.resources = { limits: { memory: '32Mi', cpu: '500m' } };
      const modest = containerPod('u2', `echo up; ${idle}`);
      modest.pod.spec.containers[0]!.resources = { limits: { memory: '32Mi' } };
      node.supervisor.apply([greedy, modest]);
      expect(await terminated('u1')).toMatchObject({ reason: 'OOMKilled' });
      await logged('u2', /up/);
      expect(node.status('u2')?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, state: { running: {} } });
      node.supervisor.apply([]);
      await until('both to be gone', () => node.told.gone.length === 2);
    },
  );

  test('what cannot be given is refused with a sentence', async () => {
    await open();
    const asking = (uid: string, securityContext: Record<string, unknown>, spec = {}) => {
      const desired = containerPod(uid, idle, spec);
      desired.pod.spec.containers[0]!.securityContext = securityContext;
      return desired;
    };
    node.supervisor.apply([
      asking('u1', { privileged: true }),
      asking('u2', { capabilities: { add: ['SYS_ADMIN'] } }),
      asking('u3', {}, { hostNetwork: true }),
    ]);
    for (const [uid, words] of [
      ['u1', /privileged containers are not supported/],
      ['u2', /SYS_ADMIN reaches beyond/],
      ['u3', /hostNetwork is not supported/],
    ] as const) {
      const waiting = await until(`the refusal of ${uid}`, () => {
        const state = node.status(uid)?.containerStatuses?.[0]?.state.waiting;
        return state?.reason === 'CreateContainerConfigError' && state;
      });
      expect(waiting.message).toMatch(words);
    }
  });
});
