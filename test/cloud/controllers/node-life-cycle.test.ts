/** When a node is called unreachable, and what that may cost a pod: nothing, unless its owner asked. */
import { describe, expect, test } from 'vitest';
import { type NodeLifeCycleView, reconcileNodeLifeCycle } from '../../../cloud/controllers/node-life-cycle.ts';
import type { Node } from '../../../protocol/kubernetes.ts';
import { node, nowMs, pod } from './objects.ts';

const unreachable = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' as const };

function view(changes: Partial<NodeLifeCycleView>): NodeLifeCycleView {
  return {
    node: node('a'),
    pods: [],
    contact: undefined,
    firstKnownMs: 0,
    silenceMs: 40_000,
    monotonicMs: 1_000_000,
    nowMs,
    ...changes,
  };
}

const connected = { connectedSinceMs: 500_000, lastSeenMonotonicMs: 500_000, silenceMs: 40_000 };
const lastSeen = (lastSeenMonotonicMs: number, silenceMs = 40_000) => ({ lastSeenMonotonicMs, silenceMs });

describe('a connected node', () => {
  test.each<[string, Node, string[]]>([
    ['that is ready is left alone', node('a'), []],
    ['that was never judged becomes ready', node('a', { ready: 'never' }), ['updateStatus', 'tell']],
    ['that was lost becomes ready', node('a', { ready: 'Unknown' }), ['updateStatus', 'tell']],
    ['that says it is not ready is believed', node('a', { ready: 'False' }), []],
    ['loses the taint', node('a', { spec: { taints: [unreachable] } }), ['update']],
  ])('%s', (_rule, one, expected) => {
    const { steps, lookAgainMs } = reconcileNodeLifeCycle(view({ node: one, contact: connected }));
    expect(steps.map((step) => step.do)).toEqual(expected);
    expect(lookAgainMs).toBeUndefined();
  });

  test('keeps the taints that others gave it', () => {
    const other = { key: 'k', effect: 'NoSchedule' as const };
    const [step] = reconcileNodeLifeCycle(
      view({ node: node('a', { spec: { taints: [other, unreachable] } }), contact: connected }),
    ).steps;
    expect(step).toMatchObject({ object: { spec: { taints: [other] } } });
  });
});

describe('a silent node', () => {
  test.each<[string, Partial<NodeLifeCycleView>, number | undefined]>([
    ['is waited for as long as its profile says', { contact: lastSeen(990_000) }, 30_000],
    ['is waited for longer on a metered link', { contact: lastSeen(990_000, 300_000) }, 290_000],
    ['is judged when the silence is over', { contact: lastSeen(960_000) }, undefined],
    ['has a whole silence after a restart of the hub', { firstKnownMs: 980_000 }, 20_000],
    ['has the silence of its pool then', { firstKnownMs: 980_000, silenceMs: 300_000 }, 280_000],
  ])('%s', (_rule, changes, wait) => {
    const { steps, lookAgainMs } = reconcileNodeLifeCycle(view(changes));
    expect(lookAgainMs).toBe(wait);
    expect(steps.map((step) => step.do)).toEqual(wait === undefined ? ['update', 'updateStatus', 'tell'] : []);
  });

  test('says since when, by the wall clock', () => {
    const { steps } = reconcileNodeLifeCycle(view({ contact: lastSeen(940_000) }));
    const conditions = [
      {
        type: 'Ready',
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'terminal has not been heard of since 2029-12-31T23:59:00Z',
        lastTransitionTime: '2030-01-01T00:00:00Z',
      },
    ];
    expect(steps[1]).toMatchObject({ object: { status: { conditions } } });
  });

  test('is written of once: the second look finds nothing to do', () => {
    const lost = node('a', { ready: 'Unknown', spec: { taints: [unreachable] } });
    expect(reconcileNodeLifeCycle(view({ node: lost, contact: lastSeen(0) })).steps).toEqual([]);
  });
});

describe('a pod on a silent node', () => {
  const lost = node('a', { ready: 'Unknown', spec: { taints: [unreachable] } });
  const tolerating = (...tolerations: object[]) => pod('p', { node: 'a', spec: { tolerations } });
  const timed = (tolerationSeconds: number) => ({
    key: unreachable.key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds,
  });

  test.each<[string, ReturnType<typeof pod>, 'stays' | 'goes' | number]>([
    ['without tolerations stays for ever', pod('p', { node: 'a' }), 'stays'],
    ['that tolerates without a time stays', tolerating({ key: unreachable.key, operator: 'Exists' }), 'stays'],
    ['of another taint stays', tolerating({ ...timed(0), key: 'node.kubernetes.io/not-ready' }), 'stays'],
    ['of another effect stays', tolerating({ ...timed(0), effect: 'NoSchedule' }), 'stays'],
    ['goes when its time is over', tolerating(timed(100)), 'goes'],
    ['is waited for until then', tolerating(timed(200)), 40_000],
    ['goes by the shortest of its times', tolerating(timed(200), timed(10)), 'goes'],
  ])('%s', (_rule, one, expected) => {
    // Unknown since 840 000, which is 160 s ago.
    const { steps, lookAgainMs } = reconcileNodeLifeCycle(
      view({ node: lost, pods: [one], contact: lastSeen(800_000) }),
    );
    expect(steps.map((step) => step.do)).toEqual(expected === 'goes' ? ['delete', 'tell'] : []);
    expect(lookAgainMs).toBe(typeof expected === 'number' ? expected : undefined);
  });
});
