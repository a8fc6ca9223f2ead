/** What a pool gets of a YurtAppSet, and what no tweak can take away. */
import { describe, expect, test } from 'vitest';
import {
  deploymentName,
  effectiveDeployment,
  workloadRevision,
} from '../../../cloud/controllers/effective-deployment.ts';
import { type Deployment, keys, type WorkloadTweak, type YurtAppSet } from '../../../protocol/kubernetes.ts';
import { appSet, pool, template, withTweaks } from './objects.ts';

const east = pool('east', {}, { site: 'station' });

function effective(set: YurtAppSet, of = east): Deployment {
  const result = effectiveDeployment(set, of);
  if ('faults' in result) throw new Error(JSON.stringify(result.faults));
  return result.deployment;
}

function faults(set: YurtAppSet): string[] {
  const result = effectiveDeployment(set, east);
  return 'faults' in result ? result.faults.map(({ field, message }) => `${field}: ${message}`) : [];
}

function tweaked(...tweaks: WorkloadTweak['tweaks'][]): YurtAppSet {
  return withTweaks(
    appSet('gate'),
    tweaks.map((each) => ({ pools: ['east'], tweaks: each })),
  );
}

type Patch = NonNullable<WorkloadTweak['tweaks']['patches']>[number];

function patched(...patches: Patch[]): YurtAppSet {
  return tweaked({ patches });
}

const add = (path: string, value: unknown) => ({ path, operation: 'add' as const, value: value as never });
const replace = (path: string, value: unknown) => ({ path, operation: 'replace' as const, value: value as never });
const remove = (path: string) => ({ path, operation: 'remove' as const });

/** All by which the Deployment is found and its pods are kept in the pool. */
function expectOwned(deployment: Deployment): void {
  expect(deployment.metadata).toMatchObject({
    name: deploymentName(appSet('gate'), 'east'),
    namespace: 'default',
    labels: { [keys.poolName]: 'east', [keys.refYurtAppSet]: 'gate' },
    annotations: { [keys.refNodePool]: 'east' },
    ownerReferences: [{ kind: 'YurtAppSet', name: 'gate', uid: 'uid-gate', controller: true }],
  });
  expect(deployment.metadata.labels?.[keys.revisionHash]).toBeDefined();
  expect(deployment.spec.selector).toEqual({ matchLabels: { app: 'gate', [keys.poolName]: 'east' } });
  expect(deployment.spec.template.metadata?.labels).toMatchObject({ app: 'gate', [keys.poolName]: 'east' });
  expect(deployment.spec.template.spec.nodeSelector).toMatchObject({ [keys.nodePool]: 'east' });
}

describe('the Deployment of a pool', () => {
  test('is the template, owned by the set and bound to the pool', () => {
    const deployment = effective(appSet('gate'));
    expectOwned(deployment);
    expect(deployment.spec.template.spec.containers).toMatchObject([{ name: 'app', image: 'gate:1' }]);
    expect(deployment.spec.replicas).toBe(1);
  });

  test('has a name that starts with set and pool, and is the same each time', () => {
    expect(deploymentName(appSet('gate'), 'east')).toMatch(/^gate-east-[a-z0-9]{5}$/);
    expect(deploymentName(appSet('gate'), 'east')).toBe(deploymentName(appSet('gate'), 'east'));
    expect(deploymentName(appSet('gate'), 'west')).not.toBe(deploymentName(appSet('gate'), 'east'));
    expect(deploymentName(appSet('g'.repeat(200)), 'p'.repeat(60)).length).toBeLessThan(240);
  });

  test('has the revision of the workload, whatever pools are selected', () => {
    const { spec } = appSet('gate');
    const revision = workloadRevision(appSet('gate'));
    expect(workloadRevision({ ...appSet('gate'), spec: { ...spec, pools: ['other'] } })).toBe(revision);
    expect(workloadRevision(tweaked({ replicas: 3 }))).not.toBe(revision);
  });

  test('leaves the set and the pool as they were', () => {
    const set = patched(replace('/spec/template/spec/containers/0/image', 'other:1'));
    const before = structuredClone(set);
    effective(set);
    expect(set).toEqual(before);
  });
});

describe('tweaks', () => {
  test('apply to the pools that they name or select, and to no other', () => {
    const tweak = (changes: Partial<WorkloadTweak>) =>
      withTweaks(appSet('gate'), [{ ...changes, tweaks: { replicas: 7 } }]);
    const replicas = (changes: Partial<WorkloadTweak>) => effective(tweak(changes)).spec.replicas;
    expect(replicas({ pools: ['east'] })).toBe(7);
    expect(replicas({ nodepoolSelector: { matchLabels: { site: 'station' } } })).toBe(7);
    expect(replicas({ nodepoolSelector: {} })).toBe(7);
    expect(replicas({ pools: ['west'] })).toBe(1);
    expect(replicas({})).toBe(1);
  });

  test('apply in order, the last one winning', () => {
    const images = (targetImage: string) => ({ containerImages: [{ name: 'app', targetImage }] });
    const set = tweaked({ replicas: 2, ...images('a:1') }, { replicas: 3 }, images('b:1'));
    const { spec } = effective(set);
    expect([spec.replicas, spec.template.spec.containers[0]!.image]).toEqual([3, 'b:1']);
  });

  test('set images in containers and init containers, and ignore unknown names', () => {
    const set = tweaked({
      containerImages: [
        { name: 'app', targetImage: 'new:1' },
        { name: 'nobody', targetImage: 'x:1' },
      ],
    });
    set.spec.workload.workloadTemplate.deploymentTemplate!.spec.template.spec.initContainers = [
      { name: 'app-init', image: 'init:1' },
      { name: 'app', image: 'old:1' },
    ];
    const result = effectiveDeployment(set, east);
    // The two may not have the same name in a valid pod, but each is set before that is judged.
    expect('faults' in result).toBe(true);
    set.spec.workload.workloadTemplate.deploymentTemplate!.spec.template.spec.initContainers!.pop();
    set.spec.workload.workloadTweaks![0]!.tweaks.containerImages!.push({ name: 'app-init', targetImage: 'init:2' });
    const { spec } = effective(set).spec.template;
    expect([spec.containers[0]!.image, spec.initContainers![0]!.image]).toEqual(['new:1', 'init:2']);
  });

  test('are patched in after all of them, as one patch', () => {
    const set = tweaked(
      { patches: [replace('/spec/replicas', 9), add('/spec/template/spec/containers/0/env', [])] },
      { replicas: 2, patches: [add('/spec/template/spec/containers/0/env/-', { name: 'A', value: '1' })] },
    );
    const { spec } = effective(set);
    expect(spec.replicas).toBe(9);
    expect(spec.template.spec.containers[0]!.env).toEqual([{ name: 'A', value: '1' }]);
  });

  test('have the name of the pool put in for {{nodepool-name}}, inside values only', () => {
    const value = { name: 'POOL', value: 'in {{nodepool-name}}, yes {{nodepool-name}}' };
    const set = patched(add('/spec/template/spec/containers/0/env', [value]));
    const { spec } = effective(set);
    expect(spec.template.spec.containers[0]!.env).toEqual([{ name: 'POOL', value: 'in east, yes east' }]);
  });
});

describe('no patch can take away', () => {
  test.each<[string, Patch[]]>([
    ['the labels, by replacing them all', [add('/metadata/labels', { foo: 'bar' })]],
    ['the labels, by removing them', [remove('/metadata/labels')]],
    ['the name and the namespace', [replace('/metadata/name', 'x'), replace('/metadata/namespace', 'y')]],
    ['the owner', [replace('/metadata/ownerReferences', [])]],
    ['the annotations', [remove('/metadata/annotations')]],
    ['the selector', [replace('/spec/selector', { matchLabels: { foo: 'bar' } })]],
    ['the labels of the pods', [replace('/spec/template/metadata/labels', { foo: 'bar' })]],
    ['the metadata of the pods', [remove('/spec/template/metadata')]],
    ['the placement, by replacing the nodeSelector', [replace('/spec/template/spec/nodeSelector', { zone: '1' })]],
    ['the placement, by removing it', [remove('/spec/template/spec/nodeSelector')]],
    [
      'the placement, by naming another pool',
      [replace('/spec/template/spec/nodeSelector/apps.openyurt.io~1nodepool', 'west')],
    ],
    ['the kind', [replace('/kind', 'Pod'), replace('/apiVersion', 'v1')]],
  ])('%s', (_rule, patches) => {
    const deployment = effective(patched(...patches));
    expectOwned(deployment);
    expect([deployment.apiVersion, deployment.kind]).toEqual(['apps/v1', 'Deployment']);
  });

  test('but what it adds beside them stays', () => {
    const set = patched(add('/metadata/labels', { foo: 'bar' }), add('/spec/template/spec/nodeSelector/zone', '1'));
    const deployment = effective(set);
    expect(deployment.metadata.labels?.foo).toBe('bar');
    expect(deployment.spec.template.spec.nodeSelector).toMatchObject({ zone: '1' });
  });
});

describe('refused, with the place that is wrong named, is', () => {
  test.each<[string, YurtAppSet, RegExp]>([
    [
      'a patch of a path that is not there',
      patched(replace('/spec/no/such', 1)),
      /workloadTweaks: replace \/spec\/no\/such/,
    ],
    [
      'a combination that is no Deployment',
      patched(replace('/spec/template/spec/containers', [])),
      /spec\.template\.spec\.containers/,
    ],
    [
      'two tweaks that are fine alone and wrong together',
      tweaked(
        { patches: [add('/spec/strategy', { type: 'Recreate' })] },
        { patches: [add('/spec/strategy/rollingUpdate', { maxSurge: 1 })] },
      ),
      /spec\.strategy\.rollingUpdate/,
    ],
    ['a negative number of replicas', tweaked({ replicas: -1 }), /spec\.replicas/],
    ['a removed template', patched(remove('/spec/template')), /^spec: /],
    ['a removed spec', patched(remove('/spec')), /^spec: /],
    [
      'a nodeName, which goes round the pool',
      patched(add('/spec/template/spec/nodeName', 'a')),
      /spec\.template\.spec\.nodeName/,
    ],
    ['an attack on prototypes', patched(add('/spec/__proto__/x', 1)), /workloadTweaks/],
  ])('%s', (_rule, set, expected) => {
    expect(faults(set).join('\n')).toMatch(expected);
  });

  test('a set without a deploymentTemplate', () => {
    const set = appSet('gate');
    set.spec.workload.workloadTemplate = { statefulSetTemplate: { spec: { template: template('gate') } } };
    expect(faults(set)).toEqual([expect.stringContaining('deploymentTemplate')]);
  });
});
