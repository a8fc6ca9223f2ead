/** Which node a pod goes to, rule by rule. */
import { describe, expect, test } from 'vitest';
import { type Candidate, placementOf, reconcilePendingPod } from '../../../cloud/controllers/scheduling.ts';
import type { Node, Pod } from '../../../protocol/kubernetes.ts';
import { keys } from '../../../protocol/kubernetes.ts';
import { node, nowMs, pod } from './objects.ts';

function candidate(one: Node, load: Partial<Candidate> = {}): Candidate {
  return { node: one, podCount: 0, requested: new Map(), siblings: 0, twins: 0, ...load };
}

function place(one: Pod, candidates: Candidate[], nodeCount = candidates.length): string {
  const placement = placementOf({ pod: one, candidates, nodeCount });
  return 'node' in placement ? placement.node : placement.message;
}

function affinity(...matchExpressions: { key: string; operator: string; values?: string[] }[]): Pod {
  const nodeSelectorTerms = [{ matchExpressions }];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return pod('p', { spec: { affinity: { nodeAffinity } } });
}

describe('a pod fits only where', () => {
  const noMatch = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
  const labelled = (labels: Record<string, string>) => node('a', { labels });

  test.each<[string, Pod, Node, string]>([
    ['its nodeSelector is met', pod('p', { spec: { nodeSelector: { zone: '1' } } }), labelled({ zone: '1' }), 'a'],
    [
      'no selected label differs',
      pod('p', { spec: { nodeSelector: { zone: '1' } } }),
      labelled({ zone: '2' }),
      noMatch,
    ],
    ['In: the value is listed', affinity({ key: 'k', operator: 'In', values: ['1', '2'] }), labelled({ k: '2' }), 'a'],
    ['In: the label is there', affinity({ key: 'k', operator: 'In', values: ['1'] }), labelled({}), noMatch],
    [
      'NotIn: the value is not listed',
      affinity({ key: 'k', operator: 'NotIn', values: ['1'] }),
      labelled({ k: '1' }),
      noMatch,
    ],
    ['NotIn: or the label is absent', affinity({ key: 'k', operator: 'NotIn', values: ['1'] }), labelled({}), 'a'],
    ['Exists: the label is there', affinity({ key: 'k', operator: 'Exists' }), labelled({}), noMatch],
    ['DoesNotExist: it is not', affinity({ key: 'k', operator: 'DoesNotExist' }), labelled({ k: '1' }), noMatch],
    ['Gt: it is greater', affinity({ key: 'k', operator: 'Gt', values: ['9'] }), labelled({ k: '10' }), 'a'],
    ['Gt: and not equal', affinity({ key: 'k', operator: 'Gt', values: ['10'] }), labelled({ k: '10' }), noMatch],
    ['Gt: and a number', affinity({ key: 'k', operator: 'Gt', values: ['1'] }), labelled({ k: 'x' }), noMatch],
    ['Lt: it is less', affinity({ key: 'k', operator: 'Lt', values: ['10'] }), labelled({ k: '9' }), 'a'],
    [
      'all requirements of a term hold',
      affinity({ key: 'k', operator: 'Exists' }, { key: 'l', operator: 'Exists' }),
      labelled({ k: '1' }),
      noMatch,
    ],
    ['an unknown operator matches nothing', affinity({ key: 'k', operator: 'Like' }), labelled({ k: '1' }), noMatch],
    ['a term without requirements matches nothing', affinity(), labelled({}), noMatch],
  ])('%s', (_rule, one, on, expected) => {
    expect(place(one, [candidate(on)])).toBe(expected);
  });

  test('one of several affinity terms holds', () => {
    const nodeSelectorTerms = [
      { matchExpressions: [{ key: 'k', operator: 'Exists' }] },
      { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
    ];
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
    expect(place(pod('p', { spec: { affinity: { nodeAffinity } } }), [candidate(node('a'))])).toBe('a');
  });
});

describe('taints', () => {
  const tainted = (effect: 'NoSchedule' | 'NoExecute' | 'PreferNoSchedule', value = 'v') =>
    candidate(node('a', { spec: { taints: [{ key: 'k', value, effect }] } }));
  const refused = '0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.';
  const tolerating = (toleration: object) => pod('p', { spec: { tolerations: [toleration] } });

  test.each<[string, Pod, Candidate, string]>([
    ['NoSchedule repels', pod('p'), tainted('NoSchedule'), refused],
    ['NoExecute repels', pod('p'), tainted('NoExecute'), refused],
    ['PreferNoSchedule does not', pod('p'), tainted('PreferNoSchedule'), 'a'],
    ['Exists tolerates any value', tolerating({ key: 'k', operator: 'Exists' }), tainted('NoSchedule'), 'a'],
    ['Equal tolerates the same value', tolerating({ key: 'k', value: 'v' }), tainted('NoSchedule'), 'a'],
    ['Equal refuses another value', tolerating({ key: 'k', value: 'w' }), tainted('NoSchedule'), refused],
    [
      'a toleration of another effect does not count',
      tolerating({ key: 'k', operator: 'Exists', effect: 'NoExecute' }),
      tainted('NoSchedule'),
      refused,
    ],
    ['an empty key with Exists tolerates all', tolerating({ operator: 'Exists' }), tainted('NoExecute'), 'a'],
    ['an empty key without Exists tolerates nothing', tolerating({ value: 'v' }), tainted('NoSchedule'), refused],
  ])('%s', (_rule, one, on, expected) => {
    expect(place(one, [on])).toBe(expected);
  });

  test('a cordoned node takes no pod', () => {
    const cordoned = candidate(node('a', { spec: { unschedulable: true } }));
    expect(place(pod('p'), [cordoned])).toBe('0/1 nodes are available: 1 node(s) were unschedulable.');
  });

  test.each(['Unknown', 'never'] as const)('a node whose readiness is %s takes none, tainted yet or not', (ready) => {
    expect(place(pod('p'), [candidate(node('a', { ready }))])).toContain('node.kubernetes.io/unreachable');
    const tolerations = [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists' as const }];
    expect(place(pod('p', { spec: { tolerations } }), [candidate(node('a', { ready }))])).toBe('a');
  });
});

describe('capacity', () => {
  const offering = (allocatable: Record<string, string>, load: Partial<Candidate> = {}) =>
    candidate(node('a', { allocatable }), load);
  const wanting = (requests: Record<string, string>) => pod('p', { requests });
  const withPort = (port: { containerPort: number; hostPort: number; protocol?: string }): Pod => {
    const portless = pod('p');
    return { ...portless, spec: { ...portless.spec, containers: [{ name: 'main', image: 'gate:1', ports: [port] }] } };
  };
  const requested = new Map([['cpu', 200_000]]);

  test.each<[string, Pod, Candidate, string]>([
    ['what is just enough is enough', wanting({ cpu: '100m' }), offering({ cpu: '0.3' }, { requested }), 'a'],
    [
      'what is taken by others is not there',
      wanting({ cpu: '101m' }),
      offering({ cpu: '0.3' }, { requested }),
      '0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'every shortage is named',
      wanting({ cpu: '2', memory: '1Gi' }),
      offering({ cpu: '1', memory: '1G' }),
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.',
    ],
    [
      'the number of pods counts',
      pod('p'),
      offering({ pods: '3' }, { podCount: 3 }),
      '0/1 nodes are available: 1 Too many pods.',
    ],
    [
      'a host port is taken once per node',
      withPort({ containerPort: 80, hostPort: 80 }),
      offering({}, { requested: new Map([['hostPort/TCP/80', 1]]) }),
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ],
    [
      'another host port of the same number is another protocol',
      withPort({ containerPort: 80, hostPort: 80, protocol: 'UDP' }),
      offering({}, { requested: new Map([['hostPort/TCP/80', 1]]) }),
      'a',
    ],
    [
      'cpu and memory that a node does not state are not limited',
      wanting({ cpu: '64', memory: '1Ti' }),
      candidate(node('a')),
      'a',
    ],
    [
      'anything else must be stated',
      wanting({ 'x/gpu': '1' }),
      candidate(node('a')),
      '0/1 nodes are available: 1 Insufficient x/gpu.',
    ],
  ])('%s', (_rule, one, on, expected) => {
    expect(place(one, [on])).toBe(expected);
  });

  test('a limit without a request is a request, and the hungriest init container counts', () => {
    const one = pod('p', {
      spec: {
        containers: [{ name: 'app', resources: { limits: { cpu: '1' } } }],
        initContainers: [{ name: 'init', resources: { requests: { cpu: '2' } } }],
      },
    });
    expect(place(one, [offering({ cpu: '2' })])).toBe('a');
    expect(place(one, [offering({ cpu: '1.9' })])).toContain('Insufficient cpu');
  });
});

describe('of the nodes that fit, the best is', () => {
  const a = node('a');
  const b = node('b');

  test.each<[string, Candidate[], string]>([
    ['the ready one', [candidate(node('a', { ready: 'False' })), candidate(b, { siblings: 9, podCount: 9 })], 'b'],
    [
      'with fewest pods of the same owner and template',
      [candidate(a, { twins: 1, siblings: 1 }), candidate(b, { siblings: 3 })],
      'b',
    ],
    ['then of the same owner', [candidate(a, { siblings: 1 }), candidate(b, { podCount: 5 })], 'b'],
    ['then with fewest pods', [candidate(a, { podCount: 2 }), candidate(b, { podCount: 1 })], 'b'],
    ['then by name', [candidate(b), candidate(a)], 'a'],
  ])('%s', (_rule, candidates, expected) => {
    expect(place(pod('p'), candidates)).toBe(expected);
  });
});

describe('a refusal', () => {
  test('counts every node, also those of other pools', () => {
    const full = candidate(node('a', { allocatable: { pods: '0' } }));
    const cordoned = candidate(node('b', { spec: { unschedulable: true } }));
    expect(place(pod('p'), [full, cordoned], 5)).toBe(
      "0/5 nodes are available: 1 Too many pods, 1 node(s) were unschedulable, 3 node(s) didn't match Pod's node affinity/selector.",
    );
  });

  test('is written once, and written again only when it says something else', () => {
    const view = { pod: pod('p'), nowMs };
    const [status] = reconcilePendingPod(view, { message: 'full' }, () => undefined).steps;
    expect(status).toMatchObject({ do: 'updateStatus' });
    const told = (status as unknown as { object: Pod }).object;
    expect(reconcilePendingPod({ pod: told, nowMs: nowMs + 1 }, { message: 'full' }, () => undefined).steps).toEqual(
      [],
    );
    expect(reconcilePendingPod({ pod: told, nowMs }, { message: 'fuller' }, () => undefined).steps).toHaveLength(2);
  });

  test('is taken back when the pod is bound', () => {
    const one = pod('p', { unschedulable: true });
    const { steps } = reconcilePendingPod({ pod: one, nowMs }, { node: 'a' }, () => undefined);
    expect(steps.map((step) => step.do)).toEqual(['update', 'updateStatus', 'tell']);
    expect(steps[1]).toMatchObject({ object: { status: { conditions: [{ type: 'PodScheduled', status: 'True' }] } } });
  });
});

describe('image digests', () => {
  const bind = (one: Pod, known: Record<string, string>) => {
    const [step] = reconcilePendingPod({ pod: one, nowMs }, { node: 'a' }, (reference) => known[reference]).steps;
    const text = (step as unknown as { object: Pod }).object.metadata.annotations?.[keys.imageDigests];
    return text === undefined ? undefined : JSON.parse(text);
  };
  const pinned = `gate@sha256:${'a'.repeat(64)}`;

  test.each<[string, Pod, Record<string, string>, unknown]>([
    ['are written for what is known', pod('p'), { 'gate:1': 'sha256:x' }, { app: 'sha256:x' }],
    ['are not written for what is not', pod('p'), {}, undefined],
    [
      'stay once resolved',
      pod('p', { annotations: { [keys.imageDigests]: '{"app":"sha256:old"}' } }),
      { 'gate:1': 'sha256:new' },
      { app: 'sha256:old' },
    ],
    [
      'are those that the reference names',
      pod('p', { spec: { containers: [{ name: 'app', image: pinned }] } }),
      {},
      { app: `sha256:${'a'.repeat(64)}` },
    ],
    [
      'replace what is no JSON object',
      pod('p', { annotations: { [keys.imageDigests]: 'nonsense' } }),
      { 'gate:1': 'sha256:x' },
      { app: 'sha256:x' },
    ],
  ])('%s', (_rule, one, known, expected) => {
    expect(bind(one, known)).toEqual(expected);
  });
});
