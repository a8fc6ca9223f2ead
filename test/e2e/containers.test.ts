/**
 * A container through the whole house: pushed as a folder, asked for at the hub, run by a real runtime as root with
 * crun, adopted by the next runtime when that one is killed with -9. Elsewhere one line says what is missing.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Node, Pod } from '../../protocol/kubernetes.ts';
import { inRange, rangeText } from '../../runtime/workloads/oci/pod-network.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, podsOf, writeInto } from '../house/workload.ts';
import {
  clearMachine,
  makeImage,
  networkOf,
  noContainers,
  testRange,
} from '../runtime/workloads/oci/container-node.ts';

const missing = await noContainers();
if (missing !== undefined) console.warn(`no container is run through the house here: ${missing}`);

const house = new House();
const range = testRange(2);
let client: HubClient | undefined;

afterAll(async () => {
  await client?.close();
  const terminal = house.terminals.get('box');
  await terminal?.child.stop();
  if (terminal !== undefined) await clearMachine(terminal.dataDir, range, { keepDirectory: true });
  await house.close();
}, 60_000);

test.runIf(missing === undefined)(
  'a container runs, is told of, outlives its runtime, and leaves nothing',
  async () => {
    await house.startHub();
    client = new HubClient(house);
    const hub = client;
    await house.stile('pool', 'create', 'east');
    const token = await house.token('east');
    const network = ['--pod-network', rangeText(range)];
    await house.startRuntime('box', '--hub', house.url, '--token', token, '--name', 'box', ...network);
    const image = house.path('images', 'box');
    await mkdir(image, { recursive: true });
    await makeImage(image);
    writeInto(join(image, 'stile-image.json'), '{"entrypoint":["/bin/sh","-c"]}');
    await house.stile('image', 'push', image, 'box:1');
    const script = 'echo up; hostname; trap "exit 0" TERM; while :; do sleep 0.1; done';
    await create(hub, paths.pods, pod('contained', { image: 'box:1', args: [script] }, { runtimeClassName: 'oci' }));

    const running = async (): Promise<Pod | undefined> => {
      const [found] = await podsOf(hub, 'contained');
      return found?.status?.containerStatuses?.[0]?.ready ? found : undefined;
    };
    await house.waitFor('the container to run', async () => (await running()) !== undefined);
    const { metadata, status } = (await running())!;
    expect(inRange(range, status!.podIP!)).toBe(true);
    const { dataDir } = house.terminals.get('box')!;
    const before = await networkOf(dataDir, metadata.uid!);
    expect(before.podIP).toBe(status!.podIP);
    const node = await hub.get<Node>('/api/v1/nodes/box');
    expect(node.status?.runtimeHandlers).toEqual([{ name: 'host' }, { name: 'js' }, { name: 'oci' }]);
    const printed = async () => (await house.tryRuntime('ctl', 'logs', 'contained', '--data-dir', dataDir)).stdout;
    await house.waitFor('the container to print its name', async () => (await printed()) === 'up\ncontained\n');

    await house.terminals.get('box')!.child.kill('SIGKILL');
    await house.startRuntime('box', ...network);
    await house.waitFor('the next runtime to answer', async () => {
      const { stdout: pods } = await house.tryRuntime('ctl', 'pods', '--data-dir', dataDir);
      return /contained.*Running/.test(pods);
    });
    expect(await printed()).toBe('up\ncontained\n');
    expect(await networkOf(dataDir, metadata.uid!)).toEqual(before);

    await hub.remove(`${paths.pods}/contained`);
    await house.waitFor('the pod to be gone', async () => (await podsOf(hub, 'contained')).length === 0);
    await expect(networkOf(dataDir, metadata.uid!)).rejects.toThrow();
  },
);
