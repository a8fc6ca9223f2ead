/** What a Deployment ran with is kept under the numbers that kubectl reads, and nothing that runs is touched for it. */
import { describe, expect, test } from 'vitest';
import { type DeploymentInput, reconcileDeployment, templateHash } from '../../../cloud/controllers/deployment.ts';
import { unfinishedRevisionsMax } from '../../../cloud/controllers/deployment-history.ts';
import { deploymentKind, podKind, replicaSetKind } from '../../../cloud/kinds/registry.ts';
import type { ReplicaSet } from '../../../cloud/kinds/replica-set.ts';
import { type Deployment, type KubeObject, keys, type Pod } from '../../../protocol/kubernetes.ts';
import { ago, deployment, node, nowMs, pod, template } from './objects.ts';

/** One Deployment with its records and pods, whose steps are done as the executor does them. */
class Shop {
  deployment: Deployment;
  records: ReplicaSet[] = [];
  pods: Pod[];
  taken: string[] = [];
  awayNodes = new Set<string>();
  #count = 0;

  constructor(spec: Partial<Deployment['spec']> = {}, pods: Pod[] = []) {
    this.deployment = deployment('gate', { replicas: 2, ...spec });
    this.pods = pods;
  }

  /** Looks until nothing is left to do; every pod that is made runs at once. */
  settle(): this {
    for (let round = 0; round < 12; round += 1) {
      const steps = reconcileDeployment(this.#input()).steps.filter((step) => step.do !== 'tell');
      if (steps.length === 0) return this;
      for (const step of steps) this.#do(step.do, step.kind === podKind, step.object);
    }
    throw new Error('the Deployment does not come to rest');
  }

  ask(image: string, cause?: string): this {
    const annotations = { ...this.deployment.metadata.annotations, ...(cause ? { [keys.changeCause]: cause } : {}) };
    const metadata = { ...this.deployment.metadata, annotations, generation: this.deployment.metadata.generation! + 1 };
    const spec = { ...this.deployment.spec, template: template('gate', image) };
    this.deployment = deploymentKind.defaults({ ...this.deployment, metadata, spec } as Deployment) as Deployment;
    return this;
  }

  set(spec: Partial<Deployment['spec']>): this {
    this.deployment = { ...this.deployment, spec: { ...this.deployment.spec, ...spec } };
    return this;
  }

  /** `revision image replicas`, by revision. */
  history(): string[] {
    const number = (one: ReplicaSet) => Number(one.metadata.annotations?.[keys.deploymentRevision]);
    return [...this.records]
      .sort((one, other) => number(one) - number(other))
      .map((one) => `${number(one)} ${one.spec.template.spec.containers[0]!.image} ${one.status?.replicas}`);
  }

  record(image: string): ReplicaSet {
    return this.records.find(({ spec }) => spec.template.spec.containers[0]!.image === image)!;
  }

  #input(): DeploymentInput {
    const nodes = [node('a'), ...[...this.awayNodes].map((name) => node(name, { ready: 'Unknown' }))];
    return {
      deployment: this.deployment,
      pods: this.pods,
      replicaSets: this.records,
      isReplicaSet: (name) => this.taken.includes(name) || this.records.some(({ metadata }) => metadata.name === name),
      node: (name) => nodes.find(({ metadata }) => metadata.name === name),
      makesRoom: () => false,
      nowMs,
      seed: String(this.#count),
    };
  }

  #do(action: string, isPod: boolean, object: KubeObject): void {
    if (isPod) this.#doPod(action, object as Pod);
    else if (object.kind === 'Deployment') this.#write(action, object as Deployment);
    else {
      this.records = this.records.filter(({ metadata }) => metadata.name !== object.metadata.name);
      if (action !== 'delete') this.records.push(object as ReplicaSet);
    }
  }

  #write(action: string, { metadata, status }: Deployment): void {
    if (action === 'update') this.deployment = { ...this.deployment, metadata };
    else this.deployment = { ...this.deployment, status: status! };
  }

  #doPod(action: string, object: Pod): void {
    this.#count += 1;
    this.pods = this.pods.filter(({ metadata }) => metadata.name !== object.metadata.name);
    if (action === 'delete') return;
    const conditions = [{ type: 'Ready', status: 'True' as const, lastTransitionTime: ago(300) }];
    const spec = { ...object.spec, nodeName: 'a' };
    this.pods.push({ ...object, spec, status: { phase: 'Running', conditions } });
  }
}

describe('a revision', () => {
  test('is there for the template that runs, and its number on the Deployment', () => {
    const shop = new Shop().settle();
    expect(shop.history()).toEqual(['1 gate:1 2']);
    expect(shop.deployment.metadata.annotations).toEqual({ [keys.deploymentRevision]: '1' });
    const hash = templateHash(shop.deployment);
    expect(shop.records[0]).toMatchObject({
      metadata: {
        name: `gate-${hash}`,
        labels: { app: 'gate', [keys.podTemplateHash]: hash },
        ownerReferences: [{ kind: 'Deployment', name: 'gate', uid: 'uid-gate', controller: true }],
      },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'gate', [keys.podTemplateHash]: hash } },
        template: { metadata: { labels: { app: 'gate', [keys.podTemplateHash]: hash } } },
      },
      status: { replicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 },
    });
    expect(replicaSetKind.validate(shop.records[0]!, undefined)).toEqual([]);
  });

  test('follows another when the template changes, not when the replicas do', () => {
    const shop = new Shop().settle().ask('gate:2').settle();
    expect(shop.history()).toEqual(['1 gate:1 0', '2 gate:2 2']);
    expect(shop.set({ replicas: 3 }).settle().history()).toEqual(['1 gate:1 0', '2 gate:2 3']);
  });

  test('that comes again gets the next number and remembers the one it had', () => {
    const shop = new Shop().settle().ask('gate:2').settle().ask('gate:1').settle();
    expect(shop.history()).toEqual(['2 gate:2 0', '3 gate:1 2']);
    expect(shop.record('gate:1').metadata.annotations?.[keys.deploymentRevisionHistory]).toBe('1');
    expect(shop.deployment.metadata.annotations?.[keys.deploymentRevision]).toBe('3');
  });

  test('keeps the cause of its own change, and other annotations for an undo to bring back', () => {
    const shop = new Shop();
    shop.deployment.metadata.annotations = { site: 'east', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    shop.ask('gate:1', 'first').settle().ask('gate:2', 'second').settle();
    const annotations = (image: string) => shop.record(image).metadata.annotations;
    expect(annotations('gate:1')).toEqual({
      site: 'east',
      [keys.changeCause]: 'first',
      [keys.deploymentRevision]: '1',
    });
    expect(annotations('gate:2')).toMatchObject({ [keys.changeCause]: 'second' });
  });

  test('has another name where its own is taken', () => {
    const shop = new Shop();
    const name = `gate-${templateHash(shop.deployment)}`;
    shop.taken = [name];
    expect(shop.settle().records[0]!.metadata.name).toMatch(new RegExp(`^${name}-[a-z0-9]{5}$`));
  });

  test('of which the counts were edited is put right', () => {
    const shop = new Shop().settle();
    shop.records = [{ ...shop.records[0]!, spec: { ...shop.records[0]!.spec, replicas: 7 } }];
    expect(shop.settle().records[0]!.spec.replicas).toBe(2);
  });

  test('is recorded again when somebody deletes it', () => {
    const shop = new Shop().settle();
    shop.records = [];
    expect(shop.settle().history()).toEqual(['1 gate:1 2']);
  });
});

describe('pods of before there was a history', () => {
  test('stay as they are', () => {
    const hash = templateHash(deployment('gate', { replicas: 2 }));
    const pods = ['x', 'y'].map((name) => pod(name, { node: 'a', hash, ready: true, owner: 'uid-gate' }));
    const shop = new Shop({}, pods).settle();
    expect(shop.pods).toEqual(pods);
    expect(shop.history()).toEqual(['1 gate:1 2']);
  });
});

describe('the history', () => {
  test('is as long as its limit, the present apart, and what still runs stays in it', () => {
    const shop = new Shop({ revisionHistoryLimit: 1 }).settle();
    shop.pods[0]!.spec.nodeName = 'gone';
    shop.awayNodes.add('gone');
    for (const image of ['gate:2', 'gate:3', 'gate:4']) shop.ask(image).settle();
    expect(shop.history()).toEqual(['1 gate:1 1', '3 gate:3 0', '4 gate:4 1']);
    expect(shop.record('gate:4').spec.replicas, 'one is held by a terminal that is away').toBe(1);
  });

  test('of none forgets what no longer runs, and counts on', () => {
    const shop = new Shop({ revisionHistoryLimit: 0 }).settle().ask('gate:2').settle().ask('gate:3').settle();
    expect(shop.history()).toEqual(['3 gate:3 2']);
  });

  test('keeps what worked while attempts fail, and is bounded then too', () => {
    const shop = new Shop({ revisionHistoryLimit: 1, minReadySeconds: 3_600 }).settle();
    const attempts = unfinishedRevisionsMax + 3;
    for (let attempt = 2; attempt <= attempts; attempt += 1) shop.ask(`gate:${attempt}`).settle();
    expect(shop.record('gate:1'), 'it is not available for long enough either, so it still runs').toBeDefined();
    expect(shop.records.length).toBeLessThanOrEqual(unfinishedRevisionsMax + 3);
    expect(shop.records.length).toBeGreaterThan(unfinishedRevisionsMax);
  });
});

describe('a paused Deployment', () => {
  test('makes no revision of a template that is only proposed, and makes lost pods of the one in force', () => {
    const shop = new Shop().settle().set({ paused: true }).ask('gate:2').settle();
    expect(shop.history()).toEqual(['1 gate:1 2']);
    shop.pods.pop();
    expect(shop.settle().history()).toEqual(['1 gate:1 2']);
    const images = new Set(shop.pods.map(({ spec }) => spec.containers[0]!.image));
    expect([...images]).toEqual(['gate:1']);
    expect(shop.set({ paused: false }).settle().history()).toEqual(['1 gate:1 0', '2 gate:2 2']);
  });

  test('that never ran has a revision of what it makes', () => {
    expect(new Shop({ paused: true }).settle().history()).toEqual(['1 gate:1 2']);
  });
});

test('a Deployment that is being deleted leaves its records to garbage collection', () => {
  const shop = new Shop().settle();
  shop.deployment = deploymentKind.defaults({
    ...shop.deployment,
    metadata: { ...shop.deployment.metadata, deletionTimestamp: 'now' },
  }) as Deployment;
  expect(shop.ask('gate:2').settle().history()).toEqual(['1 gate:1 2']);
});
