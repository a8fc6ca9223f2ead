import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { strategicMergePatch } from '../../../cloud/api/strategic-merge.ts';
import {
  lastAppliedKey,
  lastAppliedOf,
  lastAppliedText,
  type PatchForm,
  patchFormOf,
  threeWayPatch,
  withLastApplied,
} from '../../../cloud/cli/three-way-patch.ts';
import type { Json, KubeObject } from '../../../protocol/kubernetes.ts';

describe('three-way patch', () => {
  it('says only what the manifest says otherwise than the live object', () => {
    const patch = threeWayPatch('merge', undefined, object({ a: 1, b: { c: 2 } }), object({ a: 1, b: { c: 3, d: 4 } }));
    expect(patch).toEqual({ spec: { b: { c: 2 } } });
  });

  it('removes what the last apply said and the manifest says no more, and keeps what others added', () => {
    const patch = threeWayPatch('merge', object({ a: 1, b: 2 }), object({ a: 1 }), object({ a: 1, b: 2, other: 3 }));
    expect(patch).toEqual({ spec: { b: null } });
  });

  it('is nothing when the manifest holds already', () => {
    expect(threeWayPatch('strategic', undefined, object({ a: 1 }), object({ a: 1, b: 2 }))).toBeUndefined();
  });

  it('replaces a list as a whole in a merge patch', () => {
    const patch = threeWayPatch('merge', undefined, object({ pools: ['a'] }), object({ pools: ['a', 'b'] }));
    expect(patch).toEqual({ spec: { pools: ['a'] } });
  });

  it('changes one container by its name and leaves an injected one alone in a strategic patch', () => {
    const wanted = object({ containers: [{ name: 'main', image: 'gate:2' }] });
    const live = object({
      containers: [{ name: 'main', image: 'gate:1', imagePullPolicy: 'Always' }, { name: 'mesh' }],
    });
    const patch = threeWayPatch('strategic', object({ containers: [{ name: 'main', image: 'gate:1' }] }), wanted, live);
    expect(patch).toEqual({
      spec: { '$setElementOrder/containers': [{ name: 'main' }], containers: [{ name: 'main', image: 'gate:2' }] },
    });
    expect(strategicMergePatch(live as unknown as Json, patch!)).toMatchObject({
      spec: { containers: [{ name: 'main', image: 'gate:2', imagePullPolicy: 'Always' }, { name: 'mesh' }] },
    });
  });

  it('deletes a container that the manifest dropped', () => {
    const both = object({ containers: [{ name: 'main' }, { name: 'side' }] });
    const patch = threeWayPatch('strategic', both, object({ containers: [{ name: 'main' }] }), both);
    expect(strategicMergePatch(both as unknown as Json, patch!)).toMatchObject({
      spec: { containers: [{ name: 'main' }] },
    });
  });

  it('puts init containers into the order of the manifest', () => {
    const live = object({ initContainers: [{ name: 'b' }] });
    const wanted = object({ initContainers: [{ name: 'a' }, { name: 'b' }] });
    const patch = threeWayPatch('strategic', undefined, wanted, live);
    expect(strategicMergePatch(live as unknown as Json, patch!)).toEqual(wanted);
  });

  it('replaces the whole list when two elements share the key', () => {
    const ports = (...protocols: string[]) => protocols.map((protocol) => ({ port: 53, protocol }));
    const live = object({ ports: ports('TCP', 'UDP') });
    const wanted = object({ ports: ports('UDP', 'TCP') });
    const patch = threeWayPatch('strategic', undefined, wanted, live);
    expect(strategicMergePatch(live as unknown as Json, patch!)).toEqual(wanted);
  });

  it('keeps only the wanted member of a union', () => {
    const live = object({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } });
    const patch = threeWayPatch('strategic', undefined, object({ strategy: { type: 'Recreate' } }), live);
    expect(strategicMergePatch(live as unknown as Json, patch!)).toMatchObject({
      spec: { strategy: { type: 'Recreate' } },
    });
    expect(JSON.stringify(strategicMergePatch(live as unknown as Json, patch!))).not.toContain('rollingUpdate');
  });

  it('is strategic for the kinds of Kubernetes and a merge patch for all others', () => {
    expect(['', 'apps', 'coordination.k8s.io'].map(patchFormOf)).toEqual(['strategic', 'strategic', 'strategic']);
    expect(['apps.openyurt.io', 'stile.dev', 'gateway.networking.k8s.io'].map(patchFormOf)).toEqual(
      Array(3).fill('merge'),
    );
  });

  it.each(['strategic', 'merge'] as const)('leaves nothing for a second apply (%s, random objects)', (form) => {
    fc.assert(
      fc.property(spec, spec, spec, (last, wanted, live) => {
        const patch = threeWayPatch(form, object(last), object(wanted), object(live));
        const after = patch === undefined ? object(live) : patched(form, object(live), patch);
        expect(threeWayPatch(form, object(wanted), object(wanted), after)).toBeUndefined();
      }),
      { seed: 20_261, numRuns: 500 },
    );
  });
});

describe('last-applied annotation', () => {
  it('is written letter by letter as kubectl writes it', () => {
    const manifest = {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'c', namespace: 'n' },
      data: { k: '<&>' },
    };
    expect(lastAppliedText(manifest)).toBe(
      '{"apiVersion":"v1","data":{"k":"\\u003c\\u0026\\u003e"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"c","namespace":"n"}}\n',
    );
  });

  it('never holds itself and is read back as the manifest', () => {
    const manifest = object({ a: 1 });
    const applied = withLastApplied(withLastApplied(manifest));
    expect(applied.metadata.annotations?.[lastAppliedKey]).toBe(lastAppliedText(manifest));
    expect(lastAppliedOf(applied)).toMatchObject(manifest);
  });

  it('counts as absent when it is damaged', () => {
    const live = { ...object({}), metadata: { name: 'x', annotations: { [lastAppliedKey]: '{"spec":' } } };
    expect(lastAppliedOf(live)).toBeUndefined();
  });
});

function object(spec: object): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec };
}

function patched(form: PatchForm, live: KubeObject, patch: Json): KubeObject {
  const before = live as unknown as Json;
  return (form === 'strategic'
    ? strategicMergePatch(before, patch)
    : mergePatch(before, patch)) as unknown as KubeObject;
}

/** RFC 7396, section 2. */
function mergePatch(target: Json | undefined, patch: Json): Json {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isMap = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Record<string, Json> = isMap ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

const scalar = fc.oneof(fc.constantFrom('a', 'b', '1'), fc.integer({ min: 0, max: 2 }), fc.boolean());
const named = (extra: Record<string, fc.Arbitrary<unknown>>) =>
  fc.uniqueArray(fc.record({ name: fc.constantFrom('x', 'y', 'z'), ...extra }, { requiredKeys: ['name'] }), {
    selector: (item) => item.name,
    maxLength: 3,
  });
const spec = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 3 }),
    labels: fc.dictionary(fc.constantFrom('p', 'q'), scalar),
    containers: named({ image: scalar, args: fc.array(scalar, { maxLength: 2 }), env: named({ value: scalar }) }),
    volumes: named({ configMap: fc.record({ name: scalar }), emptyDir: fc.constant({}) }),
    finalizers: fc.uniqueArray(fc.constantFrom('f', 'g', 'h')),
    tolerations: fc.array(fc.record({ key: scalar }), { maxLength: 2 }),
    strategy: fc.record({ type: scalar, rollingUpdate: fc.record({ maxSurge: scalar }) }, { requiredKeys: ['type'] }),
  },
  { requiredKeys: [] },
);
