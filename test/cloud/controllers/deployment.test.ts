/** How many pods there are, which ones go, and what is said of them. */
import { describe, expect, test } from 'vitest';
import { type DeploymentInput, reconcileDeployment, templateHash } from '../../../cloud/controllers/deployment.ts';
import { endedPodsKeptMax, pick, planDeployment } from '../../../cloud/controllers/deployment-plan.ts';
import type { Outcome, Step } from '../../../cloud/controllers/step.ts';
import { replicaSetKind } from '../../../cloud/kinds/registry.ts';
import type { Condition, Deployment, Node, Pod } from '../../../protocol/kubernetes.ts';
import { keys } from '../../../protocol/kubernetes.ts';
import { ago, deployment, node, nowMs, type PodTraits, pod } from './objects.ts';

const nodes = new Map<string, Node>(
  [
    node('a'),
    node('b'),
    node('c'),
    node('away', { ready: 'Unknown' }),
    node('cordoned', { spec: { unschedulable: true } }),
  ].map((each) => [each.metadata.name, each]),
);

function input(one: Deployment, pods: Pod[], changes: Partial<DeploymentInput> = {}): DeploymentInput {
  return {
    deployment: one,
    pods,
    replicaSets: [],
    isReplicaSet: () => false,
    node: (name) => nodes.get(name),
    makesRoom: () => false,
    nowMs,
    seed: 'seed',
    ...changes,
  };
}

/** Without the history, which has a test of its own. */
function podsAndStatus(view: DeploymentInput): Outcome {
  const outcome = reconcileDeployment(view);
  const isOfHistory = (step: Step) => step.do === 'update' || (step.do !== 'tell' && step.kind === replicaSetKind);
  return { ...outcome, steps: outcome.steps.filter((step) => !isOfHistory(step)) };
}

const gate = (replicas: number, spec: Partial<Deployment['spec']> = {}) => deployment('gate', { replicas, ...spec });
const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});

/** A ready pod of the current template, unless said otherwise. */
function current(name: string, traits: PodTraits = {}): Pod {
  return pod(name, { node: 'a', hash: 'now', ready: true, ...traits });
}

function old(name: string, traits: PodTraits = {}): Pod {
  return pod(name, { node: 'a', hash: 'before', ready: true, ...traits });
}

function plan(one: Deployment, pods: Pod[], changes: Partial<DeploymentInput> = {}): string {
  const { createCount, remove } = planDeployment(input(one, pods, changes), 'now');
  const names = remove.map(({ metadata }) => metadata.name).sort();
  return [`+${createCount}`, ...names.map((name) => `-${name}`)].join(' ');
}

describe('the number of pods', () => {
  const unbound = { node: undefined, ready: false } as unknown as PodTraits;

  test.each<[string, Deployment, Pod[], string]>([
    ['is made up', gate(3), [current('x')], '+2'],
    ['is met', gate(1), [current('x')], '+0'],
    ['is brought down, the least missed first', gate(1), [current('x'), current('y', { ready: false })], '+0 -y'],
    ['may be none', gate(0), [current('x')], '+0 -x'],
    ['does not count pods on their way out', gate(1), [current('x', { deleted: true })], '+1'],
    ['counts pods that wait for a node', gate(1), [pod('x', { hash: 'now' })], '+0'],
    ['counts pods on a node that is away as they were', gate(1), [current('x', { node: 'away' })], '+0'],
    ['does not count ended pods', gate(1), [current('x', { phase: 'Succeeded', ready: false })], '+1'],
    ['counts pods that are bound and not ready', gate(1), [current('x', { ready: false })], '+0'],
    ['counts by owner, however the pod came to be', gate(1), [current('x', unbound)], '+0'],
  ])('%s', (_rule, one, pods, expected) => {
    expect(plan(one, pods)).toBe(expected);
  });

  test('does not count a pod whose node left the pool: it goes and another is made', () => {
    const moved = current('x', { spec: { nodeSelector: { [keys.nodePool]: 'east' } } });
    expect(plan(gate(1), [moved])).toBe('+1 -x');
  });

  test('is not made up at once after a pod failed as a whole, and later with longer pauses', () => {
    const failed = (name: string, ageSeconds: number) => current(name, { phase: 'Failed', ready: false, ageSeconds });
    expect(planDeployment(input(gate(1), [failed('x', 4)]), 'now')).toMatchObject({
      createCount: 0,
      lookAgainMs: 6_000,
    });
    expect(plan(gate(1), [failed('x', 10)])).toBe('+1');
    expect(planDeployment(input(gate(1), [failed('x', 12), failed('y', 30)]), 'now').lookAgainMs).toBe(8_000);
    expect(plan(gate(1), [failed('x', -60)]), 'a clock that jumped back').toBe('+1');
  });

  test('keeps a bounded number of ended pods for people to look at, the youngest', () => {
    const ended = Array.from({ length: endedPodsKeptMax + 2 }, (_, index) =>
      current(`e${index}`, { phase: 'Failed', ready: false, ageSeconds: 1_000 + index }),
    );
    expect(plan(gate(0), ended)).toBe('+0 -e5 -e6');
  });
});

describe('the pods that go first are', () => {
  const view = { node: (name: string) => nodes.get(name) };

  test.each<[string, Pod[], string]>([
    ['unbound', [current('x', { ready: false }), pod('y')], 'y'],
    ['then on a cordoned node', [current('x', { ready: false }), current('y', { node: 'cordoned' })], 'y'],
    ['then on a deleted node', [current('x', { ready: false }), current('y', { node: 'nowhere' })], 'y'],
    ['then not ready', [current('x'), current('y', { node: 'b', ready: false })], 'y'],
    ['then on the most crowded node', [current('x', { node: 'b', ageSeconds: 1 }), current('y'), current('z')], 'y'],
    ['then the youngest', [current('x', { ageSeconds: 9 }), current('y', { ageSeconds: 8 })], 'y'],
  ])('%s', (_rule, pods, expected) => {
    expect(pick(pods, 1, view).map(({ metadata }) => metadata.name)).toEqual([expected]);
  });

  test('such that the rest is even', () => {
    const pods = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map((on, index) => current(`${on}${index}`, { node: on }));
    const rest = pods.filter((each) => !pick(pods, 4, view).includes(each));
    expect(rest.map(({ spec }) => spec.nodeName).sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('a new template', () => {
  const olds = (count: number, traits: PodTraits = {}) =>
    Array.from({ length: count }, (_, index) => old(`o${index}`, traits));

  test.each<[string, Deployment, Pod[], string]>([
    ['surges by a quarter, rounded up, and may miss a quarter, rounded down', gate(4), olds(4), '+1 -o0'],
    ['of one pod makes the new one first', gate(1), olds(1), '+1'],
    ['of one pod removes the old one when the new one is available', gate(1), [...olds(1), current('n')], '+0 -o0'],
    ['waits while the new one is not ready', gate(1), [...olds(1), current('n', { ready: false })], '+0'],
    ['never surges above the bound', gate(4, rolling(1, 0)), [...olds(4), current('n', { ready: false })], '+0'],
    ['may take all at once', gate(3, rolling(0, '100%')), olds(3), '+0 -o0 -o1 -o2'],
    ['takes broken old pods first', gate(2, rolling(0, 1)), [old('x'), old('y', { ready: false })], '+0 -y'],
    ['moves although both bounds are zero', gate(1, rolling('10%', 0)), olds(1), '+1'],
    ['moves with a surge of zero', gate(1, rolling(0, '10%')), olds(1), '+0 -o0'],
    ['is not rolled out while paused', gate(2, { paused: true }), olds(2), '+0'],
    ['Recreate: all old pods go first', gate(2, { strategy: { type: 'Recreate' } }), olds(2), '+0 -o0 -o1'],
    [
      'Recreate: and are gone before a new one is made',
      gate(1, { strategy: { type: 'Recreate' } }),
      [old('x', { deleted: true })],
      '+0',
    ],
    ['Recreate: then the new ones come', gate(2, { strategy: { type: 'Recreate' } }), [], '+2'],
  ])('%s', (_rule, one, pods, expected) => {
    expect(plan(one, pods)).toBe(expected);
  });

  test('counts a pod as available only after minReadySeconds', () => {
    const one = gate(1, { minReadySeconds: 60 });
    expect(plan(one, [old('x'), current('n', { readySeconds: 59 })])).toBe('+0');
    expect(plan(one, [old('x'), current('n', { readySeconds: 60 })])).toBe('+0 -x');
    expect(podsAndStatus(input(one, [old('x'), current('n', { readySeconds: 50 })])).lookAgainMs).toBe(10_000);
  });
});

describe('a terminal that is away', () => {
  test('keeps its old pod and holds up nobody else', () => {
    const pods = [old('x', { node: 'away' }), old('y', { node: 'b' })];
    expect(plan(gate(2), pods)).toBe('+1');
    expect(plan(gate(2), [...pods, current('n', { node: 'c' })])).toBe('+0 -y');
    expect(plan(gate(2), [old('x', { node: 'away' }), current('n', { node: 'c' })])).toBe('+0');
  });

  test('does not keep a pod that is not needed any more', () => {
    expect(plan(gate(1), [old('x', { node: 'away' }), current('n')])).toBe('+0 -x');
    expect(plan(gate(0), [old('x', { node: 'away' })])).toBe('+0 -x');
  });

  test('gets its new pod when it is back', () => {
    const back = { node: (name: string) => node(name) };
    expect(plan(gate(2), [old('x', { node: 'away' }), current('n')], back)).toBe('+1');
  });
});

describe('when the surge fits nowhere', () => {
  const waiting = pod('n', { hash: 'now', unschedulable: true });
  const next = pod('m', { hash: 'now', unschedulable: true });
  const room = (name: string) => ({ makesRoom: (_pending: Pod, one: Pod) => one.metadata.name === name });

  test('one old pod in whose place it fits makes way', () => {
    expect(plan(gate(2), [waiting, old('x'), old('y')], room('y'))).toBe('+0 -y');
  });

  test('none does when it would not fit there either', () => {
    expect(plan(gate(1), [waiting, old('x')])).toBe('+0');
  });

  test('none does before the scheduler has said so', () => {
    expect(plan(gate(1), [pod('n', { hash: 'now' }), old('x')], room('x'))).toBe('+0');
  });

  test('no second one does while the first place is not filled', () => {
    expect(plan(gate(2), [waiting, next, old('x', { deleted: true }), old('y')], room('y'))).toBe('+0');
  });
});

describe('a pod', () => {
  test('is named after Deployment and template, differs by chance, and has the marks of a ReplicaSet’s', () => {
    const one = gate(2);
    const hash = templateHash(one);
    const created = podsAndStatus(input(one, []))
      .steps.filter((step) => step.do === 'create')
      .map((step) => step.object as Pod);
    expect(created).toHaveLength(2);
    expect(created[0]!.metadata.name).toMatch(new RegExp(`^gate-${hash}-[a-z0-9]{5}$`));
    expect(created[0]!.metadata.name).not.toBe(created[1]!.metadata.name);
    expect(created[0]!.metadata).toMatchObject({
      labels: { app: 'gate', [keys.podTemplateHash]: hash },
      ownerReferences: [{ kind: 'Deployment', name: 'gate', uid: 'uid-gate', controller: true }],
    });
    const other = podsAndStatus(input(one, [], { seed: 'other' })).steps[0];
    expect(other).not.toMatchObject({ object: { metadata: { name: created[0]!.metadata.name } } });
  });

  test('has another hash when anything in the template differs, and only then', () => {
    const hash = templateHash(gate(1));
    expect(templateHash(gate(5))).toBe(hash);
    const { template } = gate(1).spec;
    const labels = { ...template.metadata?.labels, [keys.podTemplateHash]: 'x' };
    expect(templateHash(gate(1, { template: { ...template, metadata: { labels } } }))).toBe(hash);
    const annotated = { ...template, metadata: { ...template.metadata, annotations: { restarted: 'now' } } };
    expect(templateHash(gate(1, { template: annotated }))).not.toBe(hash);
  });

  test('that cannot be valid is not made; why is said once', () => {
    const one = gate(1);
    one.spec.template = { metadata: { labels: { app: 'gate' } }, spec: { containers: [] } };
    const { steps } = podsAndStatus(input(one, []));
    expect(steps.map((step) => step.do)).toEqual(['tell', 'updateStatus']);
    expect(steps[0]).toMatchObject({ reason: 'FailedCreate', type: 'Warning' });
    const status = (steps[1] as unknown as { object: Deployment }).object.status!;
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'ReplicaFailure', status: 'True' }));
    expect(podsAndStatus(input({ ...one, status }, [])).steps).toEqual([]);
  });
});

describe('the status', () => {
  const hash = templateHash(gate(2));
  const ready = (name: string, traits: PodTraits = {}) => current(name, { hash, ...traits });
  const statusOf = (one: Deployment, pods: Pod[], changes: Partial<DeploymentInput> = {}) => {
    const steps = podsAndStatus(input(one, pods, changes)).steps;
    for (const step of steps) if (step.do === 'updateStatus') return step.object.status as Record<string, unknown>;
    return one.status ?? {};
  };
  const condition = (status: Record<string, unknown>, type: string) =>
    (status.conditions as Condition[]).find((each) => each.type === type);

  test('counts what there is', () => {
    const pods = [ready('x'), ready('y', { ready: false }), old('z'), ready('gone', { deleted: true })];
    expect(statusOf(gate(3), pods)).toMatchObject({
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      unavailableReplicas: 1,
    });
  });

  test('is Available while no more are missing than the bounds allow', () => {
    expect(condition(statusOf(gate(4), [ready('x'), ready('y'), ready('z')]), 'Available')?.status).toBe('True');
    expect(condition(statusOf(gate(4), [ready('x'), ready('y')]), 'Available')?.status).toBe('False');
  });

  test('says that a rollout is over, and that it stays over when a pod falls ill', () => {
    const over = { ...gate(1), status: statusOf(gate(1), [ready('x')]) };
    expect(condition(over.status, 'Progressing')).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' });
    const ill = statusOf(over, [ready('x', { ready: false })], { nowMs: nowMs + 86_400_000 });
    expect(condition(ill, 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
  });

  test('says when nothing has moved for longer than the deadline', () => {
    const begun = { ...gate(1), status: statusOf(gate(1), [ready('x', { ready: false })]) };
    expect(condition(begun.status, 'Progressing')).toMatchObject({ status: 'True', lastUpdateTime: ago(0) });
    const { lookAgainMs } = podsAndStatus(input(begun, [ready('x', { ready: false })]));
    expect(lookAgainMs).toBe(600_000);
    const late = { nowMs: nowMs + 600_000 };
    const stuck = statusOf(begun, [ready('x', { ready: false })], late);
    expect(condition(stuck, 'Progressing')).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
  });

  test('waits for a terminal that is away without a deadline', () => {
    const status = statusOf(gate(2), [ready('x'), old('y', { node: 'away' })]);
    expect(condition(status, 'Progressing')).toMatchObject({ status: 'True', reason: 'WaitingForNodes' });
    const one = { ...gate(2), status };
    const later = podsAndStatus(input(one, [ready('x'), old('y', { node: 'away' })], { nowMs: nowMs + 86_400_000 }));
    expect(later).toEqual({ steps: [] });
  });

  test('is written once', () => {
    const one = { ...gate(1), status: statusOf(gate(1), [ready('x')]) };
    expect(podsAndStatus(input(one, [ready('x')], { nowMs: nowMs + 1_000 })).steps).toEqual([]);
  });

  test('of a Deployment that is being deleted is left alone, and so are its pods', () => {
    const leaving = { ...gate(1), metadata: { ...gate(1).metadata, deletionTimestamp: 'now' } };
    expect(podsAndStatus(input(leaving, [])).steps).toEqual([]);
  });
});
