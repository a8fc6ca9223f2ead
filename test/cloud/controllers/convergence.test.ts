/**
 * Whatever happens to the fleet, the controllers come to rest, and at rest everything is as it should be. Operations
 * are drawn from a seed; then all terminals are connected, and the end is compared with the rules.
 * Replay one seed: CONTROLLERS_SEED=N vitest run test/cloud/controllers/convergence.test.ts
 */
import { describe, expect, test } from 'vitest';
import { templateHash } from '../../../cloud/controllers/deployment.ts';
import {
  controllerRevisionKind,
  deploymentKind,
  nodeKind,
  nodePoolKind,
  podKind,
  replicaSetKind,
  yurtAppSetKind,
} from '../../../cloud/kinds/registry.ts';
import { type Deployment, type KubeObject, keys, type Node, type YurtAppSet } from '../../../protocol/kubernetes.ts';
import { SimRandom } from '../../sim/random.ts';
import { appSet, deployment, node, pool, withTweaks } from './objects.ts';
import { Stage } from './stage.ts';

const operationCount = 40;
const poolNames = ['east', 'west', 'north'];
const nodeNames = Array.from({ length: 8 }, (_, index) => `node-${index}`);
const seeds = process.env.CONTROLLERS_SEED
  ? [process.env.CONTROLLERS_SEED]
  : Array.from({ length: 25 }, (_, i) => `${i}`);

class Disorder {
  readonly stage: Stage;
  readonly #random: SimRandom;

  constructor(seed: string) {
    this.stage = new Stage(seed);
    this.#random = new SimRandom(`disorder ${seed}`);
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)]!;
  }

  below(bound: number): number {
    return Math.floor(this.#random.next() * bound);
  }

  async operation(): Promise<void> {
    const operations = [
      () => this.joinOrLeave(),
      () => this.joinOrLeave(),
      () => this.move(),
      () => this.cordon(),
      () => this.connection(),
      () => this.connection(),
      () => this.pool(),
      () => this.editSet(),
      () => this.editSet(),
      () => this.editDeployment(),
      () => this.killPod(),
      () => this.stage.runPods(),
      () => this.stage.advance(this.below(90_000)),
      () => this.stage.restart(),
    ];
    await this.pick(operations)();
    if (this.below(2) === 0) await this.stage.settle();
  }

  async joinOrLeave(): Promise<void> {
    const name = this.pick(nodeNames);
    if ((await this.stage.node(name)) !== undefined) {
      if (this.below(3) === 0) await this.stage.store.delete(nodeKind, undefined, name);
      return;
    }
    const allocatable = { pods: String(1 + this.below(6)), cpu: '2' };
    await this.stage.create(nodeKind, node(name, { pool: this.pick(poolNames), ready: 'never', allocatable }));
    this.stage.connect(name);
  }

  async move(): Promise<void> {
    await this.#editNode((one) => ({
      ...one,
      metadata: { ...one.metadata, labels: { ...one.metadata.labels, [keys.nodePool]: this.pick(poolNames) } },
    }));
  }

  async cordon(): Promise<void> {
    const unschedulable = this.below(3) === 0;
    await this.#editNode((one) => ({ ...one, spec: { ...one.spec, unschedulable } }));
  }

  async connection(): Promise<void> {
    const name = this.pick(nodeNames);
    if ((await this.stage.node(name)) === undefined) return;
    if (this.below(2) === 0) this.stage.disconnect(name);
    else this.stage.connect(name);
  }

  async pool(): Promise<void> {
    const name = this.pick(poolNames);
    if ((await this.stage.pool(name)) === undefined) {
      await this.stage.create(nodePoolKind, pool(name, { labels: { from: name } }, { site: this.pick(['a', 'b']) }));
    } else if (this.below(4) === 0) await this.stage.store.delete(nodePoolKind, undefined, name);
  }

  async editSet(): Promise<void> {
    const image = this.pick(['gate:1', 'gate:2', 'gate:3']);
    const tweaks = [
      {
        nodepoolSelector: {},
        tweaks: { replicas: this.below(4), containerImages: [{ name: 'app', targetImage: image }] },
      },
      { pools: [this.pick(poolNames)], tweaks: { replicas: this.below(6) } },
    ];
    const selection = this.pick<Partial<YurtAppSet['spec']>>([
      { nodepoolSelector: {} },
      { nodepoolSelector: { matchLabels: { site: 'a' } } },
      { pools: ['east', 'north'] },
    ]);
    const wanted = withTweaks(appSet('gate', selection), tweaks);
    if ((await this.stage.appSet('gate')) === undefined) await this.stage.create(yurtAppSetKind, wanted);
    else if (this.below(8) === 0) await this.stage.store.delete(yurtAppSetKind, 'default', 'gate');
    else await this.stage.update(yurtAppSetKind, 'gate', (one) => ({ ...one, spec: wanted.spec }));
  }

  async editDeployment(): Promise<void> {
    const strategy = this.pick([
      { type: 'Recreate' },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    ]);
    const wanted = deployment('lone', { replicas: this.below(5), strategy });
    wanted.spec.template.spec.containers[0]!.image = this.pick(['lone:1', 'lone:2']);
    if ((await this.stage.store.get(deploymentKind, 'default', 'lone')) === undefined) {
      await this.stage.create(deploymentKind, wanted);
    } else await this.stage.update(deploymentKind, 'lone', (one) => ({ ...one, spec: wanted.spec }));
  }

  async killPod(): Promise<void> {
    const pods = await this.stage.livePods();
    if (pods.length === 0) return;
    const one = this.pick(pods);
    if (this.below(2) === 0) await this.stage.store.delete(podKind, 'default', one.metadata.name);
    else await this.stage.store.update(podKind, { ...one, status: { phase: 'Failed' } }, { subresource: 'status' });
  }

  async #editNode(change: (one: Node) => Node): Promise<void> {
    const name = this.pick(nodeNames);
    if ((await this.stage.node(name)) !== undefined) await this.stage.update(nodeKind, name, change);
  }

  /** Everybody is there and works, and all pauses after failures are over. */
  async heal(): Promise<void> {
    for (const name of nodeNames) {
      if ((await this.stage.node(name)) === undefined) continue;
      this.stage.connect(name);
      await this.stage.update<Node>(nodeKind, name, (one) => ({ ...one, spec: { ...one.spec, unschedulable: false } }));
    }
    for (let round = 0; round < 4; round += 1) {
      await this.stage.runPods();
      await this.stage.advance(400_000);
    }
    await this.stage.runPods();
  }
}

describe('after any disorder', () => {
  test.each(seeds)('the fleet comes to rest as it should be (seed %s)', async (seed) => {
    const disorder = new Disorder(seed);
    const { stage } = disorder;
    await stage.start();
    for (let count = 0; count < operationCount; count += 1) await disorder.operation();
    await disorder.heal();
    const atRest = stage.store.revision();
    await stage.advance(24 * 3_600_000);
    expect(stage.store.revision(), 'something is written although nothing changes').toBe(atRest);
    await expectOrder(stage);
    await stage.stop();
    expect(stage.timers()).toBe(0);
  });
});

async function expectOrder(stage: Stage): Promise<void> {
  const deployments = await stage.deployments();
  const pods = await stage.pods();
  const active = pods.filter(({ status }) => status?.phase !== 'Failed');
  const owners = new Map(deployments.map((each) => [each.metadata.uid, each]));
  for (const each of pods) {
    expect(owners.has(each.metadata.ownerReferences![0]!.uid), `${each.metadata.name} is an orphan`).toBe(true);
    expect(each.metadata.deletionTimestamp, `${each.metadata.name} never goes`).toBeUndefined();
  }
  for (const each of deployments) expectDeployment(each, active);
  await expectHistory(stage, deployments);
  await expectNodes(stage, active);
  const set = await stage.appSet('gate');
  const ofSet = deployments.filter(({ metadata }) => metadata.ownerReferences?.[0]?.kind === 'YurtAppSet');
  if (set === undefined) expect(ofSet).toEqual([]);
  else expect(set.status).toMatchObject({ totalWorkloads: ofSet.length, observedGeneration: set.metadata.generation });
}

function expectDeployment(
  one: Deployment,
  active: readonly { metadata: Deployment['metadata']; spec: unknown }[],
): void {
  const { name, uid } = one.metadata;
  const own = active.filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === uid);
  const bound = own.filter(({ spec }) => (spec as { nodeName?: string }).nodeName !== undefined);
  const hashes = new Set(own.map(({ metadata }) => metadata.labels?.[keys.podTemplateHash]));
  const desired = one.spec.replicas ?? 1;
  expect(one.status, name).toMatchObject({ observedGeneration: one.metadata.generation, replicas: own.length });
  // Where not all fit, the rolling replacement may stop half-way, with one surge pod waiting.
  if (bound.length < own.length) return;
  expect(own.length, `${name} has the wrong number of pods`).toBe(desired);
  expect(hashes.size, `${name} has pods of several templates`).toBeLessThanOrEqual(1);
  expect(one.status).toMatchObject({ availableReplicas: desired, updatedReplicas: desired, readyReplicas: desired });
}

/** Records of nobody are gone; each Deployment has its number from the record of its template, the highest of all. */
async function expectHistory(stage: Stage, deployments: readonly Deployment[]): Promise<void> {
  const records = (await stage.store.list(replicaSetKind)).items;
  const ownerOf = ({ metadata }: KubeObject) => metadata.ownerReferences?.[0]?.uid;
  const owners = new Set(deployments.map(({ metadata }) => metadata.uid));
  for (const record of records) expect(owners.has(ownerOf(record)!), `${record.metadata.name} is an orphan`).toBe(true);
  for (const one of deployments) {
    const own = records.filter((record) => ownerOf(record) === one.metadata.uid);
    const numbers = own.map((record) => Number(record.metadata.annotations?.[keys.deploymentRevision]));
    const hash = templateHash(one);
    const current = own.filter(({ metadata }) => metadata.labels?.[keys.podTemplateHash] === hash);
    expect(current, `${one.metadata.name} has one record of its template`).toHaveLength(1);
    expect(new Set(numbers).size, 'a number is given once').toBe(own.length);
    expect(current[0]!.metadata.annotations?.[keys.deploymentRevision]).toBe(`${Math.max(...numbers)}`);
    expect(one.metadata.annotations?.[keys.deploymentRevision]).toBe(`${Math.max(...numbers)}`);
    const total = own.reduce((sum, record) => sum + Number((record.status as { replicas: number }).replicas), 0);
    expect(total, `${one.metadata.name} has pods of templates that no record knows`).toBe(one.status?.replicas);
  }
  const sets = new Set([(await stage.appSet('gate'))?.metadata.uid]);
  for (const revision of (await stage.store.list(controllerRevisionKind)).items)
    expect(sets.has(ownerOf(revision)!), `${revision.metadata.name} is an orphan`).toBe(true);
  const set = await stage.appSet('gate');
  if (set === undefined) return;
  const current = await stage.store.get(controllerRevisionKind, 'default', String(set.status?.currentRevision));
  expect(current?.data).toEqual({ spec: { workload: { ...set.spec.workload, $patch: 'replace' } } });
}

async function expectNodes(stage: Stage, active: Awaited<ReturnType<Stage['pods']>>): Promise<void> {
  const counts = new Map<string, number>();
  for (const { spec, metadata } of active) {
    if (spec.nodeName === undefined) continue;
    counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
    const home = await stage.node(spec.nodeName);
    expect(home, `${metadata.name} is on a node that does not exist`).toBeDefined();
    const wanted = spec.nodeSelector?.[keys.nodePool];
    if (wanted !== undefined) expect(home.metadata.labels?.[keys.nodePool], metadata.name).toBe(wanted);
  }
  for (const name of nodeNames) {
    const one = await stage.node(name);
    if (one === undefined) continue;
    expect(one.status?.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    expect(one.spec?.taints).toBeUndefined();
    expect(counts.get(name) ?? 0, `${name} is overfull`).toBeLessThanOrEqual(Number(one.status?.allocatable?.pods));
    const of = await stage.pool(one.metadata.labels![keys.nodePool]!);
    expect(one.metadata.labels?.from).toBe(of === undefined ? undefined : of.metadata.name);
    if (of !== undefined) expect(of.status?.nodes).toContain(name);
  }
}
