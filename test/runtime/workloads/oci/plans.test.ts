/** What class `oci` decides: addresses, commands for the network, mounts, users, rights, and whether it can run at all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../../../protocol/kubernetes.ts';
import { type ContainerFacts, containersFault, neededNamespaces } from '../../../../runtime/workloads/oci/ability.ts';
import { containerMounts, hostsFile } from '../../../../runtime/workloads/oci/container-mounts.ts';
import { type NetworkObservation, planNetwork, removalLines } from '../../../../runtime/workloads/oci/network-plan.ts';
import {
  bridgeOf,
  chooseNetworkAddress,
  gatewayOf,
  inRange,
  macOf,
  networkNames,
  parseRange,
  rangeText,
} from '../../../../runtime/workloads/oci/pod-network.ts';
import { runtimeSpec } from '../../../../runtime/workloads/oci/runtime-spec.ts';
import { defaultCapabilities, imageUserOf, securityOf } from '../../../../runtime/workloads/oci/security.ts';
import { examplePod } from '../node-under-test.ts';

const range = parseRange('10.213.0.0/16');

describe('addresses', () => {
  test('follow from the name where free; none is given twice, and the terminal keeps its own', () => {
    const small = parseRange('10.9.8.16/28');
    const taken = new Set<string>();
    const first = chooseNetworkAddress(small, 'gates', 'a', taken);
    expect(chooseNetworkAddress(small, 'gates', 'a', taken)).toEqual(first);
    for (let index = 0; index < 13; index += 1) {
      const { podIP } = chooseNetworkAddress(small, 'gates', 'a', taken);
      expect(inRange(small, podIP)).toBe(true);
      taken.add(podIP);
    }
    expect(taken.size).toBe(13);
    expect([...taken]).not.toContain(gatewayOf(small));
    expect(() => chooseNetworkAddress(small, 'gates', 'a', taken)).toThrow('no address of 10.9.8.16/28 is left');
  });

  test('any network of a usable size is read and written the same, its edges are nobody’s', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 8, max: 28 }), (number, prefixLength) => {
        const size = 2 ** (32 - prefixLength);
        const base = Math.floor(number / size) * size;
        const read = parseRange(rangeText({ base, prefixLength }));
        expect(read).toEqual({ base, prefixLength });
        const { podIP, mac } = chooseNetworkAddress(read, 'n', String(number), new Set());
        expect(inRange(read, podIP)).toBe(true);
        expect(mac).toBe(macOf(podIP));
        expect(inRange(read, gatewayOf(read))).toBe(false);
        expect(bridgeOf(read).length).toBeLessThan(16);
      }),
    );
  });

  test.each(['10.1.2.3', '10.1.2.3/16', '10.1.0.0/29', '10.1.0.0/7', '300.0.0.0/8', 'fd00::/8', ''])(
    '%s is no network for pods',
    (text) => {
      expect(() => parseRange(text)).toThrow(/is not a network such as 10\.213\.0\.0\/16/);
    },
  );

  test('a MAC is local and of one station; names fit the kernel', () => {
    expect(macOf('10.213.0.5')).toBe('02:00:0a:d5:00:05');
    const { namespace, link } = networkNames('0123abcd', 'some-uid');
    expect(namespace).toMatch(/^stile-0123abcd-[0-9a-f]{12}$/);
    expect(link).toMatch(/^st0123[0-9a-f]{9}$/);
  });
});

describe('the plan for a network', () => {
  const names = networkNames('0123abcd', 'u1');
  const address = { podIP: '10.213.0.5', mac: '02:00:0a:d5:00:05' };
  const nothing: NetworkObservation = {
    bridge: { exists: false, addressed: false },
    namespace: 'none',
    link: { exists: false, onBridge: false },
  };
  const whole: NetworkObservation = {
    bridge: { exists: true, addressed: true },
    namespace: 'there',
    link: { exists: true, onBridge: true },
  };

  test('from nothing: bridge, namespace, pair, addresses, and last the way onto the bridge', () => {
    const { batches, made } = planNetwork(range, names, address, nothing);
    expect(made).toBe(true);
    expect(batches.map(({ namespace }) => namespace)).toEqual([undefined, names.namespace, undefined]);
    expect(batches.flatMap(({ lines }) => lines)).toEqual([
      'link add stile-0ad50000 address 02:00:0a:d5:00:01 type bridge',
      'addr replace 10.213.0.1/16 dev stile-0ad50000',
      'link set stile-0ad50000 up',
      `netns add ${names.namespace}`,
      `link add ${names.link} type veth peer name eth0 address 02:00:0a:d5:00:05 netns ${names.namespace}`,
      'link set lo up',
      'addr add 10.213.0.5/16 dev eth0',
      'link set eth0 up',
      'route add default via 10.213.0.1',
      `link set ${names.link} up`,
      `link set ${names.link} master stile-0ad50000`,
    ]);
  });

  test('what is whole is left alone; a bridge that lost its address gets it back and cuts nobody off', () => {
    expect(planNetwork(range, names, address, whole)).toEqual({ batches: [], made: false });
    const bare = { ...whole, bridge: { exists: true, addressed: false } };
    const plan = planNetwork(range, names, address, bare);
    expect(plan.made).toBe(false);
    expect(plan.batches.flatMap(({ lines }) => lines)).toEqual([
      'addr replace 10.213.0.1/16 dev stile-0ad50000',
      'link set stile-0ad50000 up',
    ]);
  });

  test('whatever is half there is taken away first, and the same is made again', () => {
    const halves: Partial<NetworkObservation>[] = [
      { namespace: 'none' },
      { namespace: 'stale' },
      { link: { exists: false, onBridge: false } },
      { link: { exists: true, onBridge: false } },
    ];
    const fresh = planNetwork(range, names, address, { ...nothing, bridge: whole.bridge }).batches;
    for (const half of halves) {
      const seen = { ...whole, ...half };
      const { batches, made } = planNetwork(range, names, address, seen);
      expect(made).toBe(true);
      expect(batches[0]!.lines).toEqual([...removalLines(names, seen), ...fresh[0]!.lines]);
      expect(batches.slice(1)).toEqual(fresh.slice(1));
    }
  });

  test('nothing is removed of what is not there', () => {
    expect(removalLines(names, nothing)).toEqual([]);
    expect(removalLines(names, whole)).toEqual([`link del ${names.link}`, `netns delete ${names.namespace}`]);
  });
});

/** Pod and container with these members besides. */
function parts(own: Partial<Container> = {}, spec: Partial<Pod['spec']> = {}): [Pod, Container] {
  const { pod } = examplePod('u1', ['./run'], spec);
  Object.assign(pod.spec.containers[0]!, own);
  return [pod, pod.spec.containers[0]!];
}

describe('mounts', () => {
  const own = { hosts: '/b/hosts', hostname: '/b/hostname', terminationMessage: '/last' };
  const volumes = [
    { name: 'keys', secret: { secretName: 'keys' } },
    { name: 'data', emptyDir: {} },
    { name: 'port', hostPath: { path: '/dev/ttyS0' } },
  ];
  const mountsOf = (volumeMounts: Container['volumeMounts']) =>
    containerMounts(...parts({ volumeMounts }, { volumes }), own, (name) =>
      volumes.some((each) => each.name === name) ? `/volumes/${name}` : undefined,
    );

  test('outer ones come first, what pods must not write is read-only, own files stand back behind volumes', () => {
    const mounts = mountsOf([
      { name: 'keys', mountPath: '/etc/gate/keys' },
      { name: 'data', mountPath: '/etc/' },
      { name: 'port', mountPath: '/dev/gate', readOnly: true },
      { name: 'keys', mountPath: '/pin', subPath: 'pin' },
    ]);
    expect(mounts).toEqual([
      { destination: '/etc', source: '/volumes/data', readOnly: false },
      { destination: '/pin', source: '/volumes/keys/pin', readOnly: true },
      { destination: '/dev/gate', source: '/volumes/port', readOnly: true },
      { destination: '/dev/termination-log', source: '/last', readOnly: false },
      { destination: '/etc/gate/keys', source: '/volumes/keys', readOnly: true },
    ]);
  });

  test.each([
    [{ name: 'none', mountPath: '/x' }, /which the pod lacks/],
    [{ name: 'data', mountPath: '/' }, /cannot be mounted at \//],
    [{ name: 'data', mountPath: '/x/../..' }, /must not contain \.\./],
    [{ name: 'data', mountPath: '/x', subPath: 'inner' }, /for pods can write it/],
    [{ name: 'keys', mountPath: '/x', subPathExpr: '$(A)' }, /subPathExpr is not supported/],
  ])('%j is refused', (mount, words) => {
    expect(() => mountsOf([mount])).toThrow(words);
  });

  test('two volumes at one place are refused', () => {
    const twice = ['keys', 'data'].map((name) => ({ name, mountPath: '/x' }));
    expect(() => mountsOf(twice)).toThrow('mounts two volumes at /x');
  });

  test('the pod finds itself and its aliases in /etc/hosts', () => {
    const hostAliases = [{ ip: '10.0.0.9', hostnames: ['barrier', 'barrier.gate'] }];
    const [pod] = parts({}, { hostAliases });
    expect(hostsFile(pod, '10.213.0.5', 'gate')).toContain('\n10.213.0.5\tgate\n10.0.0.9\tbarrier\tbarrier.gate\n');
  });
});

describe('users and rights', () => {
  const root = { uid: 0, gid: 0 };

  test('the image says who, the pod may say otherwise, the container has the last word', () => {
    const image = { uid: 7, gid: 8 };
    expect(securityOf(...parts(), image)).toMatchObject({ uid: 7, gid: 8, additionalGids: [] });
    const pod = { securityContext: { runAsUser: 1_000, fsGroup: 5, supplementalGroups: [6] } };
    expect(securityOf(...parts({}, pod), image)).toMatchObject({ uid: 1_000, gid: 0, additionalGids: [5, 6] });
    const own = { securityContext: { runAsUser: 2_000, runAsGroup: 9, readOnlyRootFilesystem: true } };
    expect(securityOf(...parts(own, pod), image)).toMatchObject({ uid: 2_000, gid: 9, readonlyRootfs: true });
    expect(() => securityOf(...parts({ securityContext: { runAsNonRoot: true } }), root)).toThrow(
      /must not run as root/,
    );
  });

  test('USER of an image is looked up in its own files', () => {
    const passwd = 'root:x:0:0::/:/bin/sh\nwww:x:33:34::/:/bin/sh\n';
    const group = 'root:x:0:\nusers:x:100:www\n';
    const found = (user: string) => Object.values(imageUserOf(user, passwd, group));
    expect(found('')).toEqual([0, 0]);
    expect(found('www')).toEqual([33, 34]);
    expect(found('33')).toEqual([33, 34]);
    expect(found('www:users')).toEqual([33, 100]);
    expect(found('1000:2000')).toEqual([1_000, 2_000]);
    expect(found('1000')).toEqual([1_000, 0]);
    expect(() => found('nobody')).toThrow('runs as user nobody, which its /etc/passwd does not have');
    expect(() => found('www:staff')).toThrow('group staff');
  });

  test('capabilities are the default set, less what is dropped, plus what stays inside the container', () => {
    const held = (capabilities: object) =>
      securityOf(...parts({ securityContext: { capabilities } }), root).capabilities;
    expect(held({})).toEqual(defaultCapabilities.map((name) => `CAP_${name}`));
    expect(held({})).not.toContain('CAP_MKNOD');
    expect(held({ drop: ['ALL'], add: ['CAP_NET_ADMIN', 'chown'] })).toEqual(['CAP_CHOWN', 'CAP_NET_ADMIN']);
    expect(held({ drop: ['KILL'] })).not.toContain('CAP_KILL');
    for (const name of ['SYS_ADMIN', 'MKNOD', 'SYS_MODULE', 'ALL'])
      expect(() => held({ add: [name] })).toThrow(`capability ${name} reaches beyond the container`);
  });
});

test('the configuration of a container: joined network, own everything else, no new rights, nothing of the machine', () => {
  const security = securityOf(...parts({ securityContext: { runAsUser: 5 } }), { uid: 0, gid: 0 });
  const spec = runtimeSpec({
    args: ['/bin/app', '--x'],
    environment: { A: '1' },
    workingDirectory: '/srv',
    hostname: 'gate',
    networkNamespace: '/run/netns/n',
    mounts: [{ destination: '/data', source: '/v', readOnly: true }],
    security,
  });
  expect(spec.process).toMatchObject({
    user: { uid: 5, gid: 0, umask: 0o022 },
    args: ['/bin/app', '--x'],
    env: ['A=1'],
    cwd: '/srv',
    noNewPrivileges: true,
    capabilities: { effective: [], permitted: [], bounding: security.capabilities },
  });
  expect(spec.linux.namespaces).toEqual([
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    { type: 'network', path: '/run/netns/n' },
  ]);
  expect(spec.mounts.at(-1)).toEqual({
    destination: '/data',
    type: 'bind',
    source: '/v',
    options: ['rbind', 'rprivate', 'ro'],
  });
  expect(spec.linux.maskedPaths).toContain('/proc/kcore');
  expect(spec.linux.readonlyPaths).toContain('/proc/sys');
  expect(spec.root).toEqual({ path: 'rootfs', readonly: false });
});

describe('whether containers can run here', () => {
  const able: ContainerFacts = {
    root: true,
    programs: { crun: '/usr/bin/crun', ip: '/sbin/ip', unshare: '/usr/bin/unshare', mount: '/bin/mount' },
    smallIp: false,
    lacking: [],
    machineMounts: true,
    namespaces: neededNamespaces,
    overlay: true,
    stacked: false,
    interfaces: [
      { name: 'eth0', address: '192.168.1.5', prefixLength: 24 },
      { name: bridgeOf(range), address: gatewayOf(range), prefixLength: 16 },
    ],
  };

  test('yes, with its own bridge there', () => {
    expect(containersFault(able, range)).toBeUndefined();
  });

  const faults: [RegExp, Partial<ContainerFacts>][] = [
    [/not root/, { root: false }],
    [/there is no crun: install crun/, { programs: { ip: '/sbin/ip' } }],
    [/there is no ip: install iproute2/, { programs: { crun: '/usr/bin/crun' } }],
    [/busybox's ip/, { smallIp: true }],
    [/was not given CAP_NET_ADMIN/, { lacking: ['CAP_NET_ADMIN'] }],
    [/systemd: ProtectSystem/, { machineMounts: false }],
    [/no namespaces of kind net, pid/, { namespaces: ['ipc', 'mnt', 'uts'] }],
    [/no overlay file system/, { overlay: false }],
    [/the data directory is in an overlay/, { stacked: true }],
    [
      /in use by eth0 \(10\.213\.7\.1\/24\)/,
      { interfaces: [{ name: 'eth0', address: '10.213.7.1', prefixLength: 24 }] },
    ],
    [/in use by tun0 \(10\.1\.1\.1\/8\)/, { interfaces: [{ name: 'tun0', address: '10.1.1.1', prefixLength: 8 }] }],
  ];

  test.each(faults)('%s', (words, change) => {
    expect(containersFault({ ...able, ...change }, range)).toMatch(words);
  });
});
