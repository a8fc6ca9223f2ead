import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { generateSchemas } from '../../../cloud/kinds/generate-schemas.ts';
import { deploymentKind, kinds, nodeKind, podKind, secretKind, yurtAppSetKind } from '../../../cloud/kinds/registry.ts';
import { keyOfRef } from '../../../cloud/kinds/schema.ts';
import { schemas, structuralFaults, unknownFields } from '../../../cloud/kinds/structure.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { deployment, pod, yurtAppSet } from './samples.ts';

test('the committed schemas are what the generator makes now: run cloud/kinds/generate-schemas.ts if not', () => {
  const committed = readFileSync(new URL('../../../cloud/kinds/schemas.gen.ts', import.meta.url), 'utf8');
  expect(committed === generateSchemas()).toBe(true);
});

test('every kind has a schema that names it, and every reference leads somewhere', () => {
  for (const { schema, group, version, kind } of kinds)
    expect(schemas[schema]?.['x-kubernetes-group-version-kind']).toEqual([{ group, version, kind }]);
  for (const [key, schema] of Object.entries(schemas))
    for (const [, ref] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g))
      expect(schemas, `${key} refers to ${ref}`).toHaveProperty([keyOfRef(ref!)]);
});

describe('unknown fields', () => {
  test('a complete object has none', () => {
    expect(unknownFields(pod(), podKind)).toEqual([]);
    expect(unknownFields(deploymentKind.defaults(deployment()), deploymentKind)).toEqual([]);
    expect(unknownFields(yurtAppSet(), yurtAppSetKind)).toEqual([]);
  });

  test('each is named by its path, also in lists, maps and templates', () => {
    const wrong = pod({ container: [], containers: [{ name: 'a', image: 'b', imagePullPolice: 'Always' }] });
    Object.assign(wrong, { status: { podIp: '1.2.3.4' } });
    expect(unknownFields(wrong, podKind).sort()).toEqual([
      'spec.container',
      'spec.containers[0].imagePullPolice',
      'status.podIp',
    ]);
    const set = yurtAppSet();
    Object.assign(set.spec.workload.workloadTemplate.deploymentTemplate!.spec.template.spec, { nodename: 'n' });
    expect(unknownFields(set, yurtAppSetKind)).toEqual([
      'spec.workload.workloadTemplate.deploymentTemplate.spec.template.spec.nodename',
    ]);
  });

  test('labels, annotations and values of patches may hold anything', () => {
    const set = yurtAppSet();
    set.metadata.labels = { constructor: 'x', any: 'y' };
    set.spec.workload.workloadTweaks![0]!.tweaks.patches![0]!.value = { deep: [{ er: null }] };
    expect(unknownFields(set, yurtAppSetKind)).toEqual([]);
  });

  test('the answer is bounded, however hostile the object', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`x${index}`, 1]));
    expect(unknownFields(pod({ ...many }), podKind).length).toBeLessThanOrEqual(32);
    let deep: unknown = 1;
    for (let level = 0; level < 5_000; level++) deep = { nodeAffinity: deep };
    expect(() => unknownFields(pod({ affinity: deep }), podKind)).not.toThrow();
    expect(() => structuralFaults(pod({ affinity: deep }), podKind)).not.toThrow();
  });
});

describe('structure', () => {
  const faultsOf = (object: KubeObject, kind = podKind) => structuralFaults(object, kind).map(({ field }) => field);

  test('what defaults make of good objects is accepted', () => {
    expect(faultsOf(podKind.defaults(pod()))).toEqual([]);
    expect(faultsOf(deploymentKind.defaults(deployment()), deploymentKind)).toEqual([]);
    expect(faultsOf(yurtAppSetKind.defaults(yurtAppSet()), yurtAppSetKind)).toEqual([]);
  });

  test('a wrong type is named', () => {
    expect(faultsOf(pod({ containers: {} }))).toEqual(['spec.containers']);
    expect(faultsOf(pod({ terminationGracePeriodSeconds: '30' }))).toEqual(['spec.terminationGracePeriodSeconds']);
    expect(faultsOf(pod({ terminationGracePeriodSeconds: 1.5 }))).toEqual(['spec.terminationGracePeriodSeconds']);
    expect(faultsOf({ ...pod(), metadata: [] as never })).toEqual(['metadata']);
    expect(faultsOf({ ...pod(), metadata: { name: 'a', labels: { a: 1 } } as never })).toEqual(['metadata.labels.a']);
    const timed = pod();
    timed.metadata.creationTimestamp = 'yesterday';
    expect(faultsOf(timed)).toEqual(['metadata.creationTimestamp']);
  });

  test('what must be there and is not, or is null, is named', () => {
    expect(faultsOf(pod({ containers: null }))).toEqual(['spec.containers']);
    expect(faultsOf(pod({ containers: [{ image: 'a' }] }))).toEqual(['spec.containers[0].name']);
    expect(faultsOf(pod({ containers: [null] }))).toEqual(['spec.containers[0]']);
    expect(faultsOf({ ...deployment(), spec: {} } as KubeObject, deploymentKind)).toEqual([
      'spec.selector',
      'spec.template',
    ]);
  });

  test('null is absent where a member may be absent, as in what kubectl sends', () => {
    const template = deployment();
    Object.assign(template.spec.template.metadata!, { creationTimestamp: null });
    expect(faultsOf(template, deploymentKind)).toEqual([]);
  });

  test('amounts may be numbers, and percentages text', () => {
    const resources = { limits: { cpu: 1, memory: '64Mi' } };
    expect(faultsOf(pod({ containers: [{ name: 'a', image: 'b', resources }] }))).toEqual([]);
    const rolling = deployment();
    rolling.spec.strategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } };
    expect(faultsOf(rolling, deploymentKind)).toEqual([]);
  });

  test('a status may be as incomplete as what is known', () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status: { nodeInfo: { osImage: 'x' } } };
    expect(faultsOf(node, nodeKind)).toEqual([]);
    expect(faultsOf({ ...node, status: { conditions: {} } }, nodeKind)).toEqual(['status.conditions']);
  });

  test('the data of a secret is text', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'd' },
      data: { a: null, b: 1 },
    };
    expect(faultsOf(secret, secretKind)).toEqual(['data.a', 'data.b']);
  });
});
