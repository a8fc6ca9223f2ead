/** Whoever asks for an action hears at once when it can never happen. */
import { beforeEach, expect, test } from 'vitest';
import { actionKind, deviceKind, deviceProfileKind, twinKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import { ACTION_LIFE_MS, ACTIONS_OPEN_MAX, actionAdmission } from '../../../cloud/twins/action-admission.ts';
import type { Action, KubeObject } from '../../../protocol/kubernetes.ts';
import { testEnv } from '../../contract/resource-store.ts';

const env = testEnv();
const nowMs = env.clock.now();
let store: MemoryStore;
let ask: (spec: Partial<Action['spec']>) => Promise<KubeObject>;
const epochs = new Map<string, string>();

beforeEach(async () => {
  store = new MemoryStore(env);
  epochs.clear();
  epochs.set('gate-1', 'epoch');
  const complete = actionAdmission(env.clock, store, (node) => epochs.get(node));
  ask = (spec) => {
    const action = { apiVersion: 'stile.dev/v1alpha1', kind: 'Action', metadata: { name: '' }, spec };
    return complete(action, { kind: actionKind, previous: undefined, identity: undefined });
  };
  const iot = 'iot.openyurt.io/v1alpha1';
  await store.create(deviceProfileKind, {
    apiVersion: iot,
    kind: 'DeviceProfile',
    metadata: { name: 'barrier', namespace: 'default' },
    spec: {
      deviceResources: [{ name: 'open', properties: { valueType: 'Bool', readWrite: 'RW' } }],
      deviceCommands: [{ name: 'raise', readWrite: 'W', resourceOperations: [{ deviceResource: 'open' }] }],
    },
  });
  await store.create(deviceKind, {
    apiVersion: iot,
    kind: 'Device',
    metadata: { name: 'barrier', namespace: 'default' },
    spec: { serviceName: 'sim', profileName: 'barrier', notify: false },
  });
  for (const name of ['default.barrier', 'gate-1'])
    await store.create(twinKind, {
      apiVersion: 'stile.dev/v1alpha1',
      kind: 'Twin',
      metadata: { name },
      spec: { nodeName: 'gate-1', desired: {} },
    });
});

test('node, epoch and expiry are filled in', async () => {
  expect(await ask({ twin: 'default.barrier', name: 'raise' })).toMatchObject({
    metadata: { generateName: 'action-' },
    spec: { nodeName: 'gate-1', nodeEpoch: 'epoch', expiresTime: new Date(nowMs + ACTION_LIFE_MS).toISOString() },
  });
});

test.each([
  [{ twin: 'default.other', name: 'raise' }, 'there is no twin'],
  [{ twin: 'gate-1', name: 'raise' }, 'the twin of no Device'],
  [{ twin: 'default.barrier', name: 'lower' }, 'it has raise'],
  [{ twin: 'default.barrier', name: 'raise', expiresTime: '1999-01-01T00:00:00Z' }, 'over already'],
  [{ twin: 'default.barrier', name: 'raise', expiresTime: '9999-01-01T00:00:00Z' }, 'more than 24 hours'],
])('%j is refused', async (spec, sentence) => {
  await expect(ask(spec)).rejects.toMatchObject({
    code: 'E_INPUT_INVALID',
    message: expect.stringContaining(sentence),
  });
});

test('a node that never connected does nothing', async () => {
  epochs.clear();
  await expect(ask({ twin: 'default.barrier', name: 'raise' })).rejects.toMatchObject({ code: 'E_NODE_OFFLINE' });
});

test('the actions that a node has not ended are bounded', async () => {
  const { spec } = await ask({ twin: 'default.barrier', name: 'raise' });
  for (let count = 0; count < ACTIONS_OPEN_MAX; count += 1)
    await store.create(actionKind, {
      apiVersion: 'stile.dev/v1alpha1',
      kind: 'Action',
      metadata: { name: `raise-${count}` },
      spec: spec as Action['spec'],
      status: count === 0 ? { phase: 'Completed' } : { phase: 'Pending' },
    });
  expect(await ask({ twin: 'default.barrier', name: 'raise' })).toBeDefined();
  await store.update(
    actionKind,
    { ...(await store.get(actionKind, undefined, 'raise-0'))!, status: { phase: 'Pending' } },
    { subresource: 'status' },
  );
  await expect(ask({ twin: 'default.barrier', name: 'raise' })).rejects.toMatchObject({ code: 'E_LINK_BUSY' });
});
