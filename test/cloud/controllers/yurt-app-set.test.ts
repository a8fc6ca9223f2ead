/** Which pools a YurtAppSet reaches, and what it says of them. */
import { describe, expect, test } from 'vitest';
import { effectiveDeployment, workloadRevision } from '../../../cloud/controllers/effective-deployment.ts';
import type { Step } from '../../../cloud/controllers/step.ts';
import { reconcileYurtAppSet, selectedPools, type YurtAppSetView } from '../../../cloud/controllers/yurt-app-set.ts';
import { controllerRevisionKind } from '../../../cloud/kinds/registry.ts';
import type { Condition, Deployment, NodePool, YurtAppSet } from '../../../protocol/kubernetes.ts';
import { appSet, nowMs, pool, withTweaks } from './objects.ts';

const pools = [pool('west', {}, { site: 'a' }), pool('east', {}, { site: 'b' }), pool('north')];

function view(yas: YurtAppSet, deployments: Deployment[] = [], of: NodePool[] = pools): YurtAppSetView {
  return { yas, pools: of, deployments, revisions: [], isRevision: () => false, nowMs };
}

/** Without the history, which has a test of its own. */
function workloadsAndStatus(input: YurtAppSetView): Step[] {
  const { steps } = reconcileYurtAppSet(input);
  return steps.filter((step) => step.do === 'tell' || step.kind !== controllerRevisionKind);
}

/** As its controller left it. */
function deployed(yas: YurtAppSet, name: string, status: Record<string, unknown> = {}): Deployment {
  const result = effectiveDeployment(yas, pools.find(({ metadata }) => metadata.name === name) ?? pool(name));
  if ('faults' in result) throw new Error(JSON.stringify(result.faults));
  const { deployment } = result;
  const metadata = { ...deployment.metadata, uid: `uid-${name}`, generation: 1 };
  return {
    ...deployment,
    metadata,
    status: { observedGeneration: 1, readyReplicas: 1, updatedReplicas: 1, ...status },
  };
}

function does(input: YurtAppSetView): string[] {
  return workloadsAndStatus(input)
    .filter((step) => step.do !== 'tell')
    .map((step) => step.do);
}

function statusOf(input: YurtAppSetView): Record<string, unknown> {
  for (const step of workloadsAndStatus(input)) if (step.do === 'updateStatus') return step.object.status as never;
  return input.yas.status ?? {};
}

function condition(input: YurtAppSetView, type: string): Condition | undefined {
  return (statusOf(input).conditions as Condition[]).find((each) => each.type === type);
}

describe('the selected pools', () => {
  test.each<[string, Partial<YurtAppSet['spec']>, string[]]>([
    ['are none without a selector or names', {}, []],
    ['are all with an empty selector', { nodepoolSelector: {} }, ['east', 'north', 'west']],
    ['are those whose labels match', { nodepoolSelector: { matchLabels: { site: 'a' } } }, ['west']],
    ['are those that are named', { pools: ['north'] }, ['north']],
    [
      'are both together',
      { nodepoolSelector: { matchLabels: { site: 'a' } }, pools: ['north', 'west'] },
      ['north', 'west'],
    ],
    ['are none of those that do not exist', { pools: ['south', 'east'] }, ['east']],
  ])('%s', (_rule, spec, expected) => {
    expect(selectedPools(appSet('gate', spec), pools).map(({ metadata }) => metadata.name)).toEqual(expected);
  });

  test('are none that is being deleted', () => {
    const leaving = { ...pool('east'), metadata: { ...pool('east').metadata, deletionTimestamp: 'now' } };
    expect(selectedPools(appSet('gate', { nodepoolSelector: {} }), [leaving])).toEqual([]);
  });
});

describe('Deployments', () => {
  const yas = appSet('gate', { pools: ['east', 'west'] });

  test('are made for the pools that have none', () => {
    expect(does(view(yas, [deployed(yas, 'east')]))).toEqual(['create', 'updateStatus']);
  });

  test('are left alone when they are as wanted', () => {
    const both = [deployed(yas, 'east'), deployed(yas, 'west')];
    const status = statusOf(view(yas, both));
    expect(does(view({ ...yas, status }, both))).toEqual([]);
  });

  test('are put right when somebody changed them', () => {
    const scaled = deployed(yas, 'east');
    scaled.spec.replicas = 9;
    const [step] = workloadsAndStatus(view(yas, [scaled, deployed(yas, 'west')]));
    expect(step).toMatchObject({ do: 'update', object: { spec: { replicas: 1 } } });
  });

  test('keep annotations that others wrote, and lose labels that are nobody’s', () => {
    const one = deployed(yas, 'east');
    one.metadata.annotations = { ...one.metadata.annotations, other: 'kept' };
    expect(does(view(yas, [one, deployed(yas, 'west')]))).not.toContain('update');
    one.metadata.labels = { ...one.metadata.labels, stray: 'x' };
    expect(does(view(yas, [one, deployed(yas, 'west')]))).toContain('update');
  });

  test('of pools that are no longer selected are deleted', () => {
    const one = appSet('gate', { pools: ['east'] });
    const input = view(one, [deployed(one, 'east'), deployed(one, 'west')]);
    expect(does(input)).toEqual(['delete', 'updateStatus']);
    expect(condition(input, 'AppDeleted')).toMatchObject({ status: 'False', reason: 'Deleting' });
  });

  test('of a pool whose tweaks became wrong stay as they are', () => {
    const wrong = withTweaks(yas, [{ pools: ['east'], tweaks: { replicas: -1 } }]);
    const input = view(wrong, [deployed(yas, 'east'), deployed(yas, 'west')]);
    expect(does(input)).toEqual(['update', 'updateStatus']);
    expect(condition(input, 'AppUpdated')).toMatchObject({ status: 'False', reason: 'UpdateWorkloadFailed' });
    expect(condition(input, 'AppUpdated')?.message).toContain('pool east: spec.replicas');
    expect(condition(input, 'AppDispatched')).toMatchObject({ status: 'True' });
  });

  test('of a set that is being deleted are left to garbage collection', () => {
    const leaving = { ...yas, metadata: { ...yas.metadata, deletionTimestamp: 'now' } };
    expect(workloadsAndStatus(view(leaving))).toEqual([]);
  });
});

describe('the status', () => {
  const yas = appSet('gate', { pools: ['east', 'west'] });
  const both = (status: Record<string, unknown>) => view(yas, [deployed(yas, 'east'), deployed(yas, 'west', status)]);

  test('counts workloads, and says when all are ready', () => {
    expect(statusOf(both({}))).toMatchObject({
      observedGeneration: 1,
      currentRevision: `gate-${workloadRevision(yas)}`,
      readyWorkloads: 2,
      updatedWorkloads: 2,
      totalWorkloads: 2,
    });
    expect(condition(both({}), 'AppReady')).toMatchObject({ status: 'True' });
  });

  test('does not count what is not ready, not updated, or not yet seen by its own controller', () => {
    expect(statusOf(both({ readyReplicas: 0 }))).toMatchObject({ readyWorkloads: 1, updatedWorkloads: 2 });
    expect(statusOf(both({ updatedReplicas: 0 }))).toMatchObject({ readyWorkloads: 2, updatedWorkloads: 1 });
    expect(statusOf(both({ observedGeneration: 0 }))).toMatchObject({ readyWorkloads: 1, updatedWorkloads: 1 });
    expect(condition(both({ readyReplicas: 0 }), 'AppReady')).toMatchObject({
      status: 'False',
      message: '1 of 2 pools',
    });
  });

  test('calls a pool with no replica ready', () => {
    const zero = withTweaks(yas, [{ nodepoolSelector: {}, tweaks: { replicas: 0 } }]);
    const idle = { readyReplicas: 0, updatedReplicas: 0 };
    const input = view(zero, [deployed(zero, 'east', idle), deployed(zero, 'west', idle)]);
    expect(statusOf(input)).toMatchObject({ readyWorkloads: 2, updatedWorkloads: 2 });
  });

  test.each<[string, Partial<YurtAppSet['spec']>, string, string]>([
    ['no pool is selected', {}, 'False', 'no pool is selected'],
    ['a named pool does not exist', { pools: ['east', 'south'] }, 'False', 'pools that do not exist: south'],
    ['all are found', { pools: ['east'] }, 'True', ''],
  ])('says whether pools were found: %s', (_rule, spec, status, message) => {
    expect(condition(view(appSet('gate', spec)), 'PoolFound')).toMatchObject({ status, message });
  });

  test('warns once of pools that do not exist', () => {
    const set = appSet('gate', { pools: ['south'] });
    const told = (input: YurtAppSetView) => workloadsAndStatus(input).filter((step) => step.do === 'tell');
    expect(told(view(set))).toMatchObject([{ type: 'Warning', reason: 'PoolNotFound' }]);
    expect(told(view({ ...set, status: statusOf(view(set)) }))).toEqual([]);
  });
});
