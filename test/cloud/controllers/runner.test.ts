/** The controllers as a whole, on a store in memory and a simulated clock: what a user of the hub must see. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  configMapKind,
  deploymentKind,
  nodeKind,
  nodePoolKind,
  podKind,
  yurtAppSetKind,
} from '../../../cloud/kinds/registry.ts';
import {
  type Deployment,
  keys,
  type Node,
  type NodePool,
  type Pod,
  type YurtAppSet,
} from '../../../protocol/kubernetes.ts';
import { appSet, deployment, node, pod, pool, template, withTweaks } from './objects.ts';
import { Stage } from './stage.ts';

let stage: Stage;

afterEach(async () => {
  await stage.stop();
  expect(stage.timers(), 'timers left after the stop').toBe(0);
});

/** A pool with `count` connected terminals, named POOL-1, POOL-2 and so on. */
async function openPool(name: string, count: number, traits: Parameters<typeof node>[1] = {}): Promise<void> {
  await stage.create(nodePoolKind, pool(name));
  for (let index = 1; index <= count; index += 1) await joinNode(name, `${name}-${index}`, traits);
}

async function joinNode(poolName: string, name: string, traits: Parameters<typeof node>[1] = {}): Promise<void> {
  await stage.create(nodeKind, node(name, { pool: poolName, ready: 'never', ...traits }));
  stage.connect(name);
}

async function begin(seed: string): Promise<void> {
  stage = new Stage(seed);
  await stage.start();
}

async function setImage(name: string, image: string): Promise<void> {
  await stage.update<Deployment>(deploymentKind, name, (one) => ({
    ...one,
    spec: { ...one.spec, template: { ...one.spec.template, spec: { containers: [{ name: 'app', image }] } } },
  }));
}

describe('workloads', () => {
  test('a YurtAppSet runs a pod on each selected pool, and says that all is ready', async () => {
    await begin('all pools');
    await openPool('east', 2);
    await openPool('west', 1);
    const set = withTweaks(appSet('gate', { nodepoolSelector: {} }), [{ pools: ['east'], tweaks: { replicas: 2 } }]);
    await stage.create(yurtAppSetKind, set);
    await stage.runPods();
    const places = (await stage.pods()).map(({ spec }) => spec.nodeName);
    expect(places.sort()).toEqual(['east-1', 'east-2', 'west-1']);
    const { status } = await stage.appSet('gate');
    expect(status).toMatchObject({ readyWorkloads: 2, updatedWorkloads: 2, totalWorkloads: 2, observedGeneration: 1 });
    const conditions = status!.conditions as { type: string; status: string }[];
    expect(conditions.map(({ type, status }) => [type, status]).sort()).toEqual(
      ['AppDeleted', 'AppDispatched', 'AppReady', 'AppUpdated', 'PoolFound'].map((type) => [type, 'True']),
    );
  });

  test('a pool that joins later gets its Deployment, one that is no longer selected loses it with its pods', async () => {
    await begin('pools come and go');
    await openPool('east', 1);
    await stage.create(yurtAppSetKind, appSet('gate', { nodepoolSelector: { matchLabels: { site: 'yes' } } }));
    await stage.runPods();
    expect(await stage.deployments()).toEqual([]);
    const label = (site: string) =>
      stage.update<NodePool>(nodePoolKind, 'east', (one) => ({
        ...one,
        metadata: { ...one.metadata, labels: { ...one.metadata.labels, site } },
      }));
    await label('yes');
    await stage.runPods();
    expect(await stage.pods()).toHaveLength(1);
    await label('no');
    await stage.runPods();
    expect(await stage.deployments()).toEqual([]);
    expect(await stage.pods()).toEqual([]);
  });

  test('deleting a YurtAppSet takes its Deployments and pods along, and nothing else', async () => {
    await begin('cascade');
    await openPool('east', 1);
    await stage.create(yurtAppSetKind, appSet('gate', { pools: ['east'] }));
    await stage.create(deploymentKind, deployment('other'));
    await stage.create(configMapKind, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'own', namespace: 'default' },
    });
    await stage.runPods();
    expect(await stage.pods()).toHaveLength(2);
    await stage.store.delete(yurtAppSetKind, 'default', 'gate');
    await stage.runPods();
    expect((await stage.deployments()).map(({ metadata }) => metadata.name)).toEqual(['other']);
    expect(await stage.pods()).toHaveLength(1);
    expect(await stage.store.get(configMapKind, 'default', 'own')).toBeDefined();
  });

  test('one pool whose tweaks are wrong is named and does not hold up the others', async () => {
    await begin('bad patch');
    await openPool('east', 1);
    await openPool('west', 1);
    const patches = [{ path: '/spec/no/such', operation: 'replace' as const, value: 1 }];
    await stage.create(
      yurtAppSetKind,
      withTweaks(appSet('gate', { pools: ['east', 'west'] }), [{ pools: ['east'], tweaks: { patches } }]),
    );
    await stage.runPods();
    expect((await stage.pods()).map(({ spec }) => spec.nodeName)).toEqual(['west-1']);
    const conditions = (await stage.appSet('gate')).status!.conditions as { type: string; message: string }[];
    expect(conditions.find(({ type }) => type === 'AppDispatched')?.message).toContain('pool east');
    const [event] = await stage.events('CreateWorkloadFailed');
    expect(event?.message).toContain('pool east');
  });

  test('replicas spread evenly over the nodes of the pool', async () => {
    await begin('spread');
    await openPool('east', 3);
    await stage.create(deploymentKind, deployment('gate', { replicas: 6 }));
    await stage.runPods();
    const places = (await stage.pods()).map(({ spec }) => spec.nodeName).sort();
    expect(places).toEqual(['east-1', 'east-1', 'east-2', 'east-2', 'east-3', 'east-3']);
    const [gate] = await stage.deployments();
    expect(gate!.status).toMatchObject({ replicas: 6, readyReplicas: 6, availableReplicas: 6, unavailableReplicas: 0 });
  });

  test('a new template replaces all pods and keeps them spread', async () => {
    await begin('rolling');
    await openPool('east', 2);
    await stage.create(deploymentKind, deployment('gate', { replicas: 2 }));
    await stage.runPods();
    await setImage('gate', 'gate:2');
    await stage.runPods();
    const pods = await stage.pods();
    expect(pods.map(({ spec }) => spec.containers[0]!.image)).toEqual(['gate:2', 'gate:2']);
    expect(pods.map(({ spec }) => spec.nodeName).sort()).toEqual(['east-1', 'east-2']);
    const [gate] = await stage.deployments();
    expect(gate!.status).toMatchObject({ updatedReplicas: 2, availableReplicas: 2, observedGeneration: 2 });
  });

  test('a pool of one terminal without room for a second pod is updated all the same', async () => {
    await begin('no room for surge');
    await openPool('east', 1, { allocatable: { pods: '1' } });
    await stage.create(deploymentKind, deployment('gate'));
    await stage.runPods();
    await setImage('gate', 'gate:2');
    await stage.runPods();
    expect((await stage.pods()).map(({ spec }) => spec.containers[0]!.image)).toEqual(['gate:2']);
  });

  test('a template that fits nowhere leaves the working pod alone', async () => {
    await begin('too hungry');
    await openPool('east', 1, { allocatable: { cpu: '1', pods: '2' } });
    await stage.create(deploymentKind, deployment('gate'));
    await stage.runPods();
    await stage.update<Deployment>(deploymentKind, 'gate', (one) => ({
      ...one,
      spec: {
        ...one.spec,
        template: template('gate', 'gate:2', {
          containers: [{ name: 'app', image: 'gate:2', resources: { requests: { cpu: '2' } } }],
        }),
      },
    }));
    await stage.runPods();
    const running = (await stage.livePods()).filter(({ status }) => status?.phase === 'Running');
    expect(running.map(({ spec }) => spec.containers[0]!.image)).toEqual(['gate:1']);
    const waiting = (await stage.livePods()).find(({ status }) => status?.phase === 'Pending');
    expect(waiting?.status?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', message: '0/1 nodes are available: 1 Insufficient cpu.' },
    ]);
  });

  test('when nothing changes, nothing is written', async () => {
    await begin('quiet');
    await openPool('east', 3);
    await stage.create(yurtAppSetKind, appSet('gate', { nodepoolSelector: {} }));
    await stage.runPods();
    const before = stage.store.revision();
    await stage.advance(3_600_000);
    expect(stage.store.revision()).toBe(before);
    await stage.restart();
    for (const name of ['east-1', 'east-2', 'east-3']) stage.connect(name);
    await stage.advance(3_600_000);
    expect(stage.store.revision()).toBe(before);
  });
});

describe('a pod that waits', () => {
  beforeEach(async () => {
    await begin('waiting');
    await openPool('east', 1, { allocatable: { pods: '1' } });
    await stage.create(podKind, pod('first'));
    await stage.runPods();
    await stage.create(podKind, pod('second'));
    await stage.settle();
    const second = await stage.store.get(podKind, 'default', 'second');
    expect(second).toMatchObject({
      status: { conditions: [{ message: '0/1 nodes are available: 1 Too many pods.' }] },
    });
  });

  const placeOfSecond = async () => ((await stage.store.get(podKind, 'default', 'second')) as Pod).spec.nodeName;

  test('is bound when another one goes', async () => {
    await stage.store.delete(podKind, 'default', 'first');
    await stage.settle();
    expect(await placeOfSecond(), 'the first is still on its way out').toBeUndefined();
    await stage.runPods();
    expect(await placeOfSecond()).toBe('east-1');
  });

  test('is bound when another one has ended', async () => {
    const first = (await stage.store.get(podKind, 'default', 'first')) as Pod;
    await stage.store.update(podKind, { ...first, status: { phase: 'Succeeded' } }, { subresource: 'status' });
    await stage.settle();
    expect(await placeOfSecond()).toBe('east-1');
  });

  test('is bound when a node grows', async () => {
    const node = await stage.node('east-1');
    const status = { ...node.status, allocatable: { pods: '2' } };
    await stage.store.update(nodeKind, { ...node, status }, { subresource: 'status' });
    await stage.settle();
    expect(await placeOfSecond()).toBe('east-1');
  });
});

describe('nodes', () => {
  test('a terminal that is cut off keeps its pods, and they count as they were', async () => {
    await begin('cut off');
    await openPool('east', 2);
    await stage.create(deploymentKind, deployment('gate', { replicas: 2 }));
    await stage.runPods();
    const before = (await stage.pods()).map(({ metadata }) => metadata.name);
    stage.disconnect('east-1');
    await stage.advance(39_000);
    expect((await stage.node('east-1')).status?.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    await stage.advance(2_000);
    const cut = await stage.node('east-1');
    expect(cut.status?.conditions).toMatchObject([{ status: 'Unknown', reason: 'NodeStatusUnknown' }]);
    expect(cut.spec?.taints).toEqual([{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }]);
    await stage.advance(24 * 3_600_000);
    expect((await stage.livePods()).map(({ metadata }) => metadata.name)).toEqual(before);
    const [gate] = await stage.deployments();
    expect(gate!.status).toMatchObject({ availableReplicas: 2 });
    expect((await stage.pool('east')).status).toMatchObject({ readyNodeNum: 1, unreadyNodeNum: 1 });
    stage.connect('east-1');
    await stage.settle();
    const back = await stage.node('east-1');
    expect(back.status?.conditions).toMatchObject([{ status: 'True' }]);
    expect(back.spec?.taints).toBeUndefined();
    expect((await stage.livePods()).map(({ metadata }) => metadata.name)).toEqual(before);
  });

  test('a restarted hub gives every terminal its silence before it judges', async () => {
    await begin('restart');
    await openPool('east', 1);
    await stage.settle();
    await stage.restart();
    await stage.advance(39_000);
    expect((await stage.node('east-1')).status?.conditions).toMatchObject([{ status: 'True' }]);
    await stage.advance(2_000);
    expect((await stage.node('east-1')).status?.conditions).toMatchObject([{ status: 'Unknown' }]);
  });

  test('a pod that asks to be moved after 60 s of silence is, and only that', async () => {
    await begin('asked for');
    await openPool('east', 2);
    const tolerations = [
      {
        key: 'node.kubernetes.io/unreachable',
        operator: 'Exists' as const,
        effect: 'NoExecute',
        tolerationSeconds: 60,
      },
    ];
    await stage.create(deploymentKind, deployment('stays'));
    await stage.create(
      deploymentKind,
      deployment('moves', { template: template('moves', 'gate:1', { tolerations, nodeSelector: { zone: 'a' } }) }),
    );
    for (const name of ['east-1', 'east-2']) {
      await stage.update<Node>(nodeKind, name, (one) => ({
        ...one,
        metadata: { ...one.metadata, labels: { ...one.metadata.labels, zone: 'a' } },
      }));
    }
    await stage.runPods();
    const placeOf = async (app: string) =>
      (await stage.livePods()).filter(({ metadata }) => metadata.labels?.app === app).map(({ spec }) => spec.nodeName);
    const [stays] = await placeOf('stays');
    const [moves] = await placeOf('moves');
    for (const name of new Set([stays!, moves!])) stage.disconnect(name);
    await stage.advance(40_000 + 59_000);
    expect(await placeOf('moves')).toEqual([moves]);
    await stage.advance(2_000);
    expect(await placeOf('moves')).not.toEqual([moves]);
    expect(await placeOf('stays')).toEqual([stays]);
  });

  test('a node that joins takes the pods that wait', async () => {
    await begin('join');
    await stage.create(nodePoolKind, pool('east'));
    await stage.create(yurtAppSetKind, appSet('gate', { pools: ['east'] }));
    await stage.settle();
    const [waiting] = await stage.pods();
    expect(waiting!.status?.conditions).toMatchObject([{ message: 'no nodes available to schedule pods' }]);
    expect(await stage.events('FailedScheduling')).toHaveLength(1);
    await joinNode('east', 'east-1');
    await stage.runPods();
    const [bound] = await stage.pods();
    expect(bound!.metadata.name).toBe(waiting!.metadata.name);
    expect(bound!.spec.nodeName).toBe('east-1');
  });

  test('a node that moves to another pool loses the pods of the first and gets those of the second', async () => {
    await begin('move');
    await openPool('east', 1);
    await openPool('west', 0);
    await stage.create(yurtAppSetKind, appSet('gate', { pools: ['east', 'west'] }));
    await stage.runPods();
    await stage.update<Node>(nodeKind, 'east-1', (one) => ({
      ...one,
      metadata: { ...one.metadata, labels: { ...one.metadata.labels, [keys.nodePool]: 'west' } },
    }));
    await stage.runPods();
    const bound = (await stage.livePods()).filter(({ spec }) => spec.nodeName !== undefined);
    expect(bound.map(({ spec }) => [spec.nodeName, spec.nodeSelector?.[keys.nodePool]])).toEqual([['east-1', 'west']]);
    expect(await stage.livePods()).toHaveLength(2);
    expect((await stage.pool('east')).status).toMatchObject({ readyNodeNum: 0, nodes: [] });
    expect((await stage.pool('west')).status).toMatchObject({ readyNodeNum: 1, nodes: ['east-1'] });
  });

  test('pods of a deleted node are gone at once and made anew elsewhere', async () => {
    await begin('deleted node');
    await openPool('east', 2);
    await stage.create(deploymentKind, deployment('gate', { replicas: 2 }));
    await stage.runPods();
    stage.disconnect('east-1');
    await stage.store.delete(nodeKind, undefined, 'east-1');
    await stage.runPods();
    expect((await stage.pods()).map(({ spec }) => spec.nodeName)).toEqual(['east-2', 'east-2']);
  });

  test('attributes of a pool reach its nodes, and are taken back when the pool drops them', async () => {
    await begin('attributes');
    await openPool('east', 1);
    const give = (spec: NodePool['spec']) =>
      stage.update<NodePool>(nodePoolKind, 'east', (one) => ({ ...one, spec: { type: 'Edge', ...spec } }));
    await give({ labels: { site: 'a' }, annotations: { note: 'b' }, taints: [{ key: 'edge', effect: 'NoSchedule' }] });
    await stage.settle();
    const given = await stage.node('east-1');
    expect(given.metadata.labels).toMatchObject({ site: 'a' });
    expect(given.metadata.annotations).toMatchObject({ note: 'b' });
    expect(given.spec?.taints).toEqual([{ key: 'edge', effect: 'NoSchedule' }]);
    await give({});
    await stage.settle();
    const taken = await stage.node('east-1');
    expect(taken.metadata.labels?.site).toBeUndefined();
    expect(taken.metadata.annotations).toEqual({});
    expect(taken.spec?.taints).toBeUndefined();
  });
});

describe('images', () => {
  const digestOf = async () => JSON.parse((await stage.pods())[0]!.metadata.annotations?.[keys.imageDigests] ?? '{}');

  test('a pod is bound with the digest of its image, which a moved tag does not change', async () => {
    await begin('digest');
    stage.image('gate:1', 'sha256:one');
    await openPool('east', 1);
    await stage.create(podKind, pod('bare'));
    await stage.settle();
    expect(await digestOf()).toEqual({ app: 'sha256:one' });
    stage.image('gate:1', 'sha256:two');
    await stage.settle();
    expect(await digestOf()).toEqual({ app: 'sha256:one' });
  });

  test('an image that comes later is resolved then', async () => {
    await begin('late image');
    await openPool('east', 1);
    await stage.create(podKind, pod('bare'));
    await stage.settle();
    expect(await digestOf()).toEqual({});
    stage.image('gate:1', 'sha256:one');
    await stage.settle();
    expect(await digestOf()).toEqual({ app: 'sha256:one' });
  });
});

describe('at scale', () => {
  test('200 nodes in 10 pools settle, the same way each time', async () => {
    const run = async () => {
      await begin('fleet');
      for (let index = 0; index < 10; index += 1) await openPool(`pool-${index}`, 20);
      const tweaks = [{ nodepoolSelector: {}, tweaks: { replicas: 20 } }];
      await stage.create(yurtAppSetKind, withTweaks(appSet('gate', { nodepoolSelector: {} }), tweaks));
      await stage.runPods();
      expect((await stage.appSet('gate')).status).toMatchObject({ readyWorkloads: 10, totalWorkloads: 10 });
      return (await stage.pods()).map(({ metadata, spec }) => `${metadata.name} ${spec.nodeName}`);
    };
    const first = await run();
    expect(new Set(first.map((line) => line.split(' ')[1])).size).toBe(200);
    await stage.stop();
    expect(await run()).toEqual(first);
  });

  test('one change costs the same in a large fleet', async () => {
    await begin('cost');
    for (let index = 0; index < 10; index += 1) await openPool(`pool-${index}`, 20);
    await stage.create(yurtAppSetKind, appSet('gate', { nodepoolSelector: {} }));
    await stage.runPods();
    const before = Number(stage.store.revision());
    stage.disconnect('pool-3-7');
    await stage.advance(41_000);
    // Condition, taint, the pool's numbers and one Event.
    expect(Number(stage.store.revision()) - before).toBe(4);
  });
});

describe('the set as its user edits it', () => {
  test('a new image rolls only the pools whose effective template changed', async () => {
    await begin('one pool');
    await openPool('east', 1);
    await openPool('west', 1);
    await stage.create(yurtAppSetKind, appSet('gate', { pools: ['east', 'west'] }));
    await stage.runPods();
    const before = new Map((await stage.pods()).map(({ spec, metadata }) => [spec.nodeName, metadata.uid]));
    const containerImages = [{ name: 'app', targetImage: 'gate:2' }];
    await stage.update<YurtAppSet>(yurtAppSetKind, 'gate', (one) =>
      withTweaks(one, [{ pools: ['east'], tweaks: { containerImages } }]),
    );
    await stage.runPods();
    const after = new Map((await stage.pods()).map(({ spec, metadata }) => [spec.nodeName, metadata.uid]));
    expect(after.get('west-1')).toBe(before.get('west-1'));
    expect(after.get('east-1')).not.toBe(before.get('east-1'));
    expect((await stage.appSet('gate')).status).toMatchObject({ readyWorkloads: 2, updatedWorkloads: 2 });
  });

  test('a pool with no replica is ready', async () => {
    await begin('zero');
    await openPool('east', 1);
    await stage.create(
      yurtAppSetKind,
      withTweaks(appSet('gate', { pools: ['east'] }), [{ pools: ['east'], tweaks: { replicas: 0 } }]),
    );
    await stage.settle();
    expect((await stage.appSet('gate')).status).toMatchObject({ readyWorkloads: 1, totalWorkloads: 1 });
    expect(await stage.pods()).toEqual([]);
  });
});
