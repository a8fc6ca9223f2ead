/** What a pool says of its nodes and gives to them. */
import { describe, expect, test } from 'vitest';
import { reconcileNodeAttributes } from '../../../cloud/controllers/node-pool-attributes.ts';
import { reconcileNodePoolStatus } from '../../../cloud/controllers/node-pool-status.ts';
import type { Node, NodePool, Taint } from '../../../protocol/kubernetes.ts';
import { keys } from '../../../protocol/kubernetes.ts';
import { node, pool } from './objects.ts';

function attributed(one: Node, of: NodePool | undefined): Node {
  const [step] = reconcileNodeAttributes(one, of).steps;
  return step === undefined ? one : ((step as { object: Node }).object as Node);
}

describe('the status of a pool', () => {
  test('counts nodes by readiness and names them sorted', () => {
    const nodes = [node('c', { ready: 'Unknown' }), node('b'), node('a', { ready: 'never' })];
    const [step] = reconcileNodePoolStatus(pool('east'), nodes).steps;
    expect(step).toMatchObject({ object: { status: { readyNodeNum: 1, unreadyNodeNum: 2, nodes: ['a', 'b', 'c'] } } });
  });

  test('has its required numbers also when the pool is empty', () => {
    const [step] = reconcileNodePoolStatus(pool('east'), []).steps;
    expect(step).toMatchObject({ object: { status: { readyNodeNum: 0, unreadyNodeNum: 0, nodes: [] } } });
  });

  test('keeps what others write and is not written again', () => {
    const status = { readyNodeNum: 1, unreadyNodeNum: 0, nodes: ['a'], leaderNum: 1 };
    expect(reconcileNodePoolStatus({ ...pool('east'), status }, [node('a')]).steps).toEqual([]);
    const [step] = reconcileNodePoolStatus({ ...pool('east'), status }, []).steps;
    expect(step).toMatchObject({ object: { status: { leaderNum: 1, nodes: [] } } });
  });
});

describe('attributes of a pool', () => {
  const taint = (key: string, value?: string): Taint => ({ key, effect: 'NoSchedule', ...(value ? { value } : {}) });

  test('overwrite equal keys of the node and leave its others', () => {
    const one = node('a', { labels: { site: 'old', own: '1' }, annotations: { note: 'old', mine: '1' } });
    const given = attributed(one, pool('east', { labels: { site: 'new' }, annotations: { note: 'new' } }));
    expect(given.metadata.labels).toMatchObject({ site: 'new', own: '1' });
    expect(given.metadata.annotations).toMatchObject({ note: 'new', mine: '1' });
  });

  test('are taken back when the pool drops them', () => {
    const given = attributed(node('a'), pool('east', { labels: { site: 'a', kept: 'b' }, taints: [taint('k')] }));
    const dropped = attributed(given, pool('east', { labels: { kept: 'b' } }));
    expect(dropped.metadata.labels?.site).toBeUndefined();
    expect(dropped.metadata.labels?.kept).toBe('b');
    expect(dropped.spec?.taints).toBeUndefined();
  });

  test('replace a taint of the same key and effect, whatever its value, and leave other taints', () => {
    const one = node('a', { spec: { taints: [taint('own'), taint('k', 'node')] } });
    const given = attributed(one, pool('east', { taints: [taint('k', 'pool')] }));
    expect(given.spec?.taints).toEqual([taint('own'), taint('k', 'pool')]);
  });

  test('are given once: a node edited by hand is left alone until the pool changes', () => {
    const east = pool('east', { labels: { site: 'a' } });
    const given = attributed(node('a'), east);
    expect(reconcileNodeAttributes(given, east).steps).toEqual([]);
    const edited = { ...given, metadata: { ...given.metadata, labels: { ...given.metadata.labels, site: 'hand' } } };
    expect(reconcileNodeAttributes(edited, east).steps).toEqual([]);
    expect(attributed(edited, pool('east', { labels: { site: 'b' } })).metadata.labels?.site).toBe('b');
  });

  test('change with the pool that the node is in, and go when it leaves', () => {
    const given = attributed(node('a'), pool('east', { labels: { site: 'a' } }));
    const moved = attributed(given, pool('west', { labels: { region: 'w' } }));
    expect(moved.metadata.labels).toMatchObject({ region: 'w' });
    expect(moved.metadata.labels?.site).toBeUndefined();
    const left = attributed(moved, undefined);
    expect(left.metadata.labels?.region).toBeUndefined();
    expect(left.metadata.annotations?.[keys.previousAttributes]).toBeUndefined();
  });

  test('never touch the label that says which pool the node is in', () => {
    const given = attributed(
      node('a', { pool: 'east' }),
      pool('east', { labels: { [keys.nodePool]: 'west', site: 'a' } }),
    );
    expect(given.metadata.labels?.[keys.nodePool]).toBe('east');
    expect(attributed(given, undefined).metadata.labels?.[keys.nodePool]).toBe('east');
  });

  test('are remembered on the node in the words of OpenYurt', () => {
    const given = attributed(node('a'), pool('east', { labels: { site: 'a' }, taints: [taint('k')] }));
    expect(JSON.parse(given.metadata.annotations?.[keys.previousAttributes] ?? '')).toEqual({
      labels: { site: 'a' },
      annotations: {},
      taints: [{ key: 'k', effect: 'NoSchedule' }],
    });
  });

  test.each(['nonsense', 'null', '[]', '{"labels":null,"taints":1}'])('survive a memory of %s', (text) => {
    const one = node('a', { annotations: { [keys.previousAttributes]: text } });
    expect(attributed(one, pool('east', { labels: { site: 'a' } })).metadata.labels?.site).toBe('a');
  });
});
