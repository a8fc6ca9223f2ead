/** What travels when the image tag of a YurtAppSet changes, to one terminal. */
import { systemClock } from '../../../protocol/node/clock.ts';
import type { House } from '../../house/house.ts';
import { HubClient } from '../../house/hub-client.ts';
import { freePort, TcpProxy } from '../../house/tcp-proxy.ts';
import { create, deployment, isReady, paths, podsOf, pushProgram } from '../../house/workload.ts';
import type { Bench, Stage } from '../bench.ts';
import { HttpsCaller } from './https-caller.ts';

const POOL = 'bench';
const NODE = 'gate-1';
const APP = 'gates';
const tags = ['gate:1', 'gate:2'] as const;
/** Nothing passed for so long: the change is through. Well below the time between two beats. */
const QUIET_MS = 1_500;
const QUICK_QUIET_MS = 300;

export const tagChange: Bench = {
  name: 'tag-change',
  part: 'hub',
  title: 'An image tag changes',
  method:
    'A YurtAppSet gets another image tag (of an image that is there already); its pod at one real terminal is replaced, runs and is reported. ' +
    'Counted are the bytes of the TCP connection in both directions, TLS included, beats between included. The peer is a watch of the same ' +
    "pods over the hub's Kubernetes API, as a kubelet has it, without TLS: its JSON lines are what it hears; what a kubelet would report is not counted. " +
    'Each terminal gets its own pod and hears nothing of the others, so that 200 terminals cost 200 times this.',
  figures: [
    { name: 'to the terminal', unit: 'bytes', better: 'less' },
    { name: 'from the terminal', unit: 'bytes', better: 'less' },
  ],
  rounds: 4,
  async open(stage) {
    const quietMs = stage.quick ? QUICK_QUIET_MS : QUIET_MS;
    const { house, proxy, client, url } = await joinedThroughProxy(stage);
    const heard = await watchPods(stage, house, url);
    /** What the watch heard of the change before: it is one change that both are measured by. */
    let watchBytes = 0;
    let round = 0;
    return {
      subjects: [
        {
          name: 'the hub',
          measure: async () => {
            const passed = () => proxy.bytesDown + proxy.bytesUp;
            await quiet(passed, quietMs);
            const before = { down: proxy.bytesDown, up: proxy.bytesUp, heard: heard() };
            round += 1;
            await changeTag(house, client, tags[round % tags.length]!);
            await quiet(passed, quietMs);
            watchBytes = heard() - before.heard;
            return {
              'to the terminal': proxy.bytesDown - before.down,
              'from the terminal': proxy.bytesUp - before.up,
            };
          },
        },
      ],
      peer: { name: 'watch in JSON', measure: async () => ({ 'to the terminal': watchBytes }) },
    };
  },
};

async function joinedThroughProxy(
  stage: Stage,
): Promise<{ house: House; proxy: TcpProxy; client: HubClient; url: string }> {
  const house = stage.house();
  const listen = `127.0.0.1:${await freePort()}`;
  const proxy = await TcpProxy.open(() => Number(listen.split(':')[1]));
  stage.later(() => proxy.close());
  await house.startHub('--listen', listen, '--advertise', proxy.address);
  // Who asks besides the terminal goes past the proxy.
  const url = `https://${listen}`;
  const client = new HubClient({ kubeconfig: house.kubeconfig, url });
  stage.later(() => client.close());
  await house.stile('pool', 'create', POOL);
  for (const tag of tags) await pushProgram(house, tag);
  const token = await house.token(POOL);
  const hub = `https://${proxy.address}`;
  const { child } = await house.startRuntime(NODE, '--hub', hub, '--token', token, '--name', NODE);
  await house.waitFor('the terminal to be connected', () => child.output().includes('"link live"'));
  await create(client, paths.appSets, appSet());
  await runsTag(house, client, tags[0]);
  return { house, proxy, client, url };
}

/** Tells how many bytes it has heard so far. */
async function watchPods(stage: Stage, house: House, url: string): Promise<() => number> {
  const caller = new HttpsCaller(house, url, 1);
  stage.later(async () => caller.close());
  let bytes = 0;
  const answer = await caller.open(`/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3D${NODE}`);
  answer
    .on('error', () => {})
    .on('data', (part: Buffer) => {
      bytes += part.length;
    });
  return () => bytes;
}

async function changeTag(house: House, client: HubClient, tag: string): Promise<void> {
  const tweaks = [{ pools: [POOL], tweaks: { containerImages: [{ name: 'main', targetImage: tag }] } }];
  await client.patch(`${paths.appSets}/${APP}`, { spec: { workload: { workloadTweaks: tweaks } } });
  await runsTag(house, client, tag);
}

async function runsTag(house: House, client: HubClient, tag: string): Promise<void> {
  await house.waitFor(`${tag} alone to run`, async () => {
    const pods = await podsOf(client, APP);
    const [only] = pods;
    return pods.length === 1 && isReady(only!) && only!.spec.containers[0]!.image === tag;
  });
}

/** Resolves when `passed` has stood still for `quietMs`. */
async function quiet(passed: () => number, quietMs: number): Promise<void> {
  for (let before = -1; before !== passed(); ) {
    before = passed();
    await systemClock.sleep(quietMs);
  }
}

function appSet(): unknown {
  const container = { image: tags[0], command: ['/bin/sleep', '1000000'] };
  const { spec } = deployment(APP, 1, container, { runtimeClassName: 'host' }) as { spec: unknown };
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name: APP, namespace: 'default' },
    spec: {
      pools: [POOL],
      workload: { workloadTemplate: { deploymentTemplate: { metadata: { labels: { app: APP } }, spec } } },
    },
  };
}
