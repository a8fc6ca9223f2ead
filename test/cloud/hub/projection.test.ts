/** What of twins, actions and devices a terminal is told, and what is no news for it. */
import { expect, test } from 'vitest';
import { isSameForNode, placementOf, projectForNode } from '../../../cloud/hub/projection.ts';
import { type Action, type Device, keys, type Pod, type Twin } from '../../../protocol/kubernetes.ts';
import { decodeObject, encodeObject } from '../../../protocol/object.ts';

const twin: Twin = {
  apiVersion: 'stile.dev/v1alpha1',
  kind: 'Twin',
  metadata: {
    name: 'gate-1',
    uid: 'u1',
    resourceVersion: '7',
    labels: { site: 'east' },
    annotations: { [keys.changedBy]: 'ann' },
    finalizers: [keys.nodeTold],
  },
  spec: { nodeName: 'gate-1', desired: { mode: 'free' }, tags: { owner: 'hall' } },
  status: {
    desired: { version: 4, metadata: { '': 1, mode: 1 } },
    applied: 2,
    reported: { version: 9, epoch: 'e', value: { mode: 'paid' }, metadata: { '': 1, mode: 1 } },
    conflicts: [{ path: 'mode', winner: 'hub', time: '2030-01-01T00:00:00Z' }],
  },
};
const withStatus = (status: Partial<Twin['status']>): Twin => ({
  ...twin,
  metadata: { ...twin.metadata, resourceVersion: '8' },
  status: { ...twin.status!, ...status },
});

const action: Action = {
  apiVersion: 'stile.dev/v1alpha1',
  kind: 'Action',
  metadata: { name: 'action-1', uid: 'u2' },
  spec: { twin: 'a.b', nodeName: 'gate-1', name: 'open', expiresTime: '2030-01-01T00:00:00Z', nodeEpoch: 'e' },
};

test('a twin travels as what shall be and what the hub counts of it', () => {
  const told = {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name: 'gate-1', uid: 'u1' },
    spec: { desired: { mode: 'free' } },
    status: { desired: { version: 4, metadata: { '': 1, mode: 1 } }, applied: 2 },
  };
  expect(projectForNode(twin)).toEqual(told);
  expect(decodeObject(encodeObject(projectForNode(twin)))).toEqual(told);
  const floor = { version: 9, value: {}, metadata: { '': 1 } };
  expect(projectForNode(withStatus({ floor })).status).toMatchObject({ floor });
});

test('a report is no news for the node that made it', () => {
  const reported = { ...twin.status!.reported!, version: 10, value: { mode: 'free' } };
  expect(isSameForNode(twin, withStatus({ reported, conflicts: [] }))).toBe(true);
  expect(isSameForNode(twin, withStatus({ applied: 3 }))).toBe(false);
  expect(isSameForNode(twin, { ...twin, spec: { ...twin.spec, desired: {} } })).toBe(false);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [] } } as unknown as Pod;
  const running: Pod = { ...pod, metadata: { name: 'a', resourceVersion: '2' }, status: { phase: 'Running' } };
  expect(isSameForNode(pod, running)).toBe(true);
});

test('an action is with its node until it is over', () => {
  expect(placementOf(action)).toMatchObject({ node: 'gate-1', own: 'Action.stile.dev//action-1' });
  expect(placementOf({ ...action, status: { phase: 'Running' } } as Action)).toBeDefined();
  expect(placementOf({ ...action, status: { phase: 'Expired' } } as Action)).toBeUndefined();
});

test('a device brings its profile, and nobody is told of one that no node drives', () => {
  const device: Device = {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'Device',
    metadata: { name: 'barrier', namespace: 'default', annotations: { [keys.deviceNode]: 'gate-1' } },
    spec: { serviceName: '', profileName: 'p', notify: false },
  };
  expect(placementOf(device)).toEqual({
    node: 'gate-1',
    own: 'Device.iot.openyurt.io/default/barrier',
    names: new Set(['DeviceProfile.iot.openyurt.io/default/p']),
  });
  expect(placementOf({ ...device, metadata: { name: 'barrier', namespace: 'default' } })).toBeUndefined();
});
