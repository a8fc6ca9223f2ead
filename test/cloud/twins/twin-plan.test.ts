/** Twins follow nodes and devices; Devices say what became of them. On the real controllers, a store in memory. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { actionKind, deviceKind, deviceProfileKind, nodeKind, twinKind } from '../../../cloud/kinds/registry.ts';
import { ACTION_ANSWER_MS, ACTION_KEPT_MS } from '../../../cloud/twins/action-life.ts';
import { DEVICE_STATUS_MS } from '../../../cloud/twins/device-status.ts';
import { type Action, type Device, type DeviceProfile, keys, type Twin } from '../../../protocol/kubernetes.ts';
import { twinStateArrived } from '../../../protocol/twin/hub-twin.ts';
import type { Members } from '../../../protocol/twin/merge.ts';
import { node } from '../controllers/objects.ts';
import { Stage } from '../controllers/stage.ts';

let stage: Stage;

beforeEach(async () => {
  stage = new Stage('twins');
  await stage.start();
  await stage.create(nodeKind, node('gate-1', { pool: 'east' }));
  await stage.settle();
});

afterEach(async () => {
  await stage.stop();
  expect(stage.timers(), 'timers left after the stop').toBe(0);
});

const twin = async (id: string) => (await stage.store.get(twinKind, undefined, id)) as Twin | undefined;
const device = async () => (await stage.store.get(deviceKind, 'default', 'barrier')) as Device;
const condition = async () => (await device()).status?.conditions?.find(({ type }) => type === 'TwinReady');

const profile: DeviceProfile = {
  apiVersion: 'iot.openyurt.io/v1alpha1',
  kind: 'DeviceProfile',
  metadata: { name: 'barrier', namespace: 'default' },
  spec: {
    deviceResources: [
      { name: 'open', properties: { valueType: 'Bool', readWrite: 'RW' } },
      { name: 'level', properties: { valueType: 'Int16', readWrite: 'R' } },
    ],
    deviceCommands: [{ name: 'raise', readWrite: 'W', resourceOperations: [{ deviceResource: 'open' }] }],
  },
};

function barrier(deviceNode: string, spec: Partial<Device['spec']> = {}, name = 'barrier'): Device {
  return {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'Device',
    metadata: { name, namespace: 'default', annotations: { [keys.deviceNode]: deviceNode } },
    spec: { serviceName: 'sim', profileName: 'barrier', notify: false, ...spec },
  };
}

/** As a report of the node arrives. */
async function told(id: string, value: Members, version: number): Promise<void> {
  const current = (await twin(id))!;
  const state = { uid: current.metadata.uid!, seen: 1, reported: { version, value, metadata: { '': version } } };
  const next = twinStateArrived(current, state, 'epoch', 1)!;
  await stage.store.update(twinKind, next, { whole: true });
  await stage.settle();
}

async function setDevice(change: (device: Device) => Device): Promise<void> {
  await stage.update<Device>(deviceKind, 'barrier', change);
  await stage.settle();
}

test('a node has a twin with its labels, which follow', async () => {
  expect(await twin('gate-1')).toMatchObject({
    metadata: { labels: { [keys.nodePool]: 'east' }, finalizers: [keys.nodeTold] },
    spec: { nodeName: 'gate-1', desired: {} },
    status: { desired: { version: 1 } },
  });
  const found = (await stage.node('gate-1'))!;
  await stage.store.update(nodeKind, {
    ...found,
    metadata: { ...found.metadata, labels: { [keys.nodePool]: 'west' } },
  });
  await stage.settle();
  expect((await twin('gate-1'))?.metadata.labels).toEqual({ [keys.nodePool]: 'west' });
});

test('a deleted twin stays marked until its node was told, then begins again', async () => {
  const first = (await twin('gate-1'))!;
  await stage.store.delete(twinKind, undefined, 'gate-1');
  await stage.settle();
  const marked = (await twin('gate-1'))!;
  expect(marked.metadata.deletionTimestamp).toBeDefined();
  await stage.store.update(twinKind, twinStateArrived(marked, undefined, 'epoch', 1)!, { whole: true });
  await stage.settle();
  const next = (await twin('gate-1'))!;
  expect(next.metadata.uid).not.toBe(first.metadata.uid);
  expect(next.status?.desired.version).toBe(1);
});

test('the twins of a node that was deleted go with it', async () => {
  await stage.create(deviceKind, barrier('gate-1'));
  await stage.settle();
  expect(await twin('default.barrier')).toBeDefined();
  await stage.store.delete(nodeKind, undefined, 'gate-1');
  await stage.advance(2_000);
  expect((await stage.store.list(twinKind)).items).toEqual([]);
  expect(await condition()).toMatchObject({ status: 'False', reason: 'NodeMissing' });
});

test('a device has a twin at the node that drives it, and a new one when it moves', async () => {
  await stage.create(deviceProfileKind, profile);
  await stage.create(deviceKind, barrier('gate-1', { managed: false }));
  await stage.settle();
  const first = (await twin('default.barrier'))!;
  expect(first.spec).toMatchObject({ nodeName: 'gate-1', managed: false });
  expect(await condition()).toMatchObject({ status: 'True', reason: 'TwinMade' });
  await stage.create(nodeKind, node('gate-2', { pool: 'east' }));
  await setDevice((one) => ({ ...one, metadata: { ...one.metadata, annotations: { [keys.deviceNode]: 'gate-2' } } }));
  const leaving = (await twin('default.barrier'))!;
  expect(leaving.metadata.deletionTimestamp).toBeDefined();
  await stage.store.update(twinKind, twinStateArrived(leaving, undefined, 'epoch', 1)!, { whole: true });
  await stage.settle();
  expect((await twin('default.barrier'))!.spec.nodeName).toBe('gate-2');
});

test('deviceProperties become desired by the types of the profile, once per change', async () => {
  await stage.create(deviceProfileKind, profile);
  await stage.create(
    deviceKind,
    barrier('gate-1', { deviceProperties: { open: { name: 'open', desiredValue: 'true' } } }),
  );
  await stage.settle();
  const made = (await twin('default.barrier'))!;
  expect(made.spec.desired).toEqual({ open: true });
  await stage.store.update(twinKind, { ...made, spec: { ...made.spec, desired: { open: false } } });
  await stage.settle();
  expect((await twin('default.barrier'))!.spec.desired, 'the twin itself was written later').toEqual({ open: false });
  const wrong = { level: { name: 'level', desiredValue: '1' }, open: { name: 'open', desiredValue: 'ajar' } };
  await setDevice((one) => ({ ...one, spec: { ...one.spec, deviceProperties: wrong } }));
  const faults = (await condition())!;
  expect(faults).toMatchObject({ status: 'False', reason: 'PropertyFaulty' });
  expect(faults.message).toContain('level cannot be written');
  expect(faults.message).toContain('open is true or false');
});

test('values come back to the Device as texts, at a bounded rate', async () => {
  await stage.create(deviceProfileKind, profile);
  await stage.create(deviceKind, barrier('gate-1'));
  await stage.settle();
  await told('default.barrier', { open: true, _device: { up: true }, other: 1 }, 1);
  expect((await device()).status?.deviceProperties).toEqual({ open: { name: 'open', actualValue: 'true' } });
  await told('default.barrier', { open: true, level: 7, _device: { up: true }, other: 1 }, 2);
  const first = (await device()).status!;
  expect(first).toMatchObject({ operatingState: 'UP', adminState: 'UNLOCKED' });
  expect(first.deviceProperties).toEqual({
    open: { name: 'open', actualValue: 'true' },
    level: { name: 'level', actualValue: '7' },
  });
  await told('default.barrier', { open: false, level: 8, _device: { up: false, locked: true } }, 3);
  expect((await device()).status).toEqual(first);
  await stage.advance(DEVICE_STATUS_MS);
  expect((await device()).status).toMatchObject({
    operatingState: 'DOWN',
    deviceProperties: { level: { actualValue: '8' } },
  });
});

test('a device that would take the name of a node, or lacks its profile, says so', async () => {
  await stage.create(deviceKind, barrier('gate-1'));
  await stage.settle();
  expect(await condition()).toMatchObject({ status: 'False', reason: 'ProfileMissing' });
  await stage.create(nodeKind, node('default.barrier', { pool: 'east' }));
  await stage.settle();
  expect(await condition()).toMatchObject({ status: 'False', reason: 'NameTaken' });
  const leaving = (await twin('default.barrier'))!;
  await stage.store.update(twinKind, twinStateArrived(leaving, undefined, 'epoch', 1)!, { whole: true });
  await stage.settle();
  expect((await twin('default.barrier'))!.spec.nodeName, 'the node has the twin now').toBe('default.barrier');
});

test('an action that nobody tells of expires, and is forgotten later', async () => {
  const bornMs = Date.parse((await twin('gate-1'))!.metadata.creationTimestamp!);
  const expiresTime = new Date(bornMs + 60_000).toISOString();
  const action: Action = {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Action',
    metadata: { name: 'raise-1' },
    spec: { twin: 'default.barrier', nodeName: 'gate-1', name: 'raise', expiresTime, nodeEpoch: 'epoch' },
  };
  const found = async () => (await stage.store.get(actionKind, undefined, 'raise-1')) as Action | undefined;
  await stage.create(actionKind, action);
  await stage.advance(60_000);
  expect((await found())?.status).toBeUndefined();
  await stage.advance(ACTION_ANSWER_MS + 1_000);
  expect((await found())?.status).toMatchObject({ phase: 'Expired', error: { code: 'E_TIMEOUT' } });
  await stage.advance(ACTION_KEPT_MS + 1_000);
  expect(await found()).toBeUndefined();
});

test('a hub that starts again finds everything in order', async () => {
  await stage.create(deviceProfileKind, profile);
  const properties = { open: { name: 'open', desiredValue: 'true' } };
  await stage.create(deviceKind, barrier('gate-1', { deviceProperties: properties }));
  await stage.settle();
  await told('default.barrier', { open: true, level: 7, _device: { up: true } }, 1);
  const before = stage.store.revision();
  await stage.restart();
  expect(stage.store.revision()).toBe(before);
});

test('what a twin cannot hold is told at the Device, and left out', async () => {
  await stage.create(deviceProfileKind, {
    ...profile,
    spec: { deviceResources: [{ name: 'text', properties: { valueType: 'String', readWrite: 'W' } }] },
  } as DeviceProfile);
  const text = { name: 'text', desiredValue: 'x'.repeat(5_000) };
  await stage.create(deviceKind, barrier('gate-1', { deviceProperties: { text } }));
  await stage.settle();
  expect(await condition()).toMatchObject({ status: 'False', reason: 'PropertyFaulty' });
  expect((await twin('default.barrier'))!.spec.desired).toEqual({});
  await setDevice((one) => ({
    ...one,
    spec: { ...one.spec, deviceProperties: { text: { ...text, desiredValue: 'x' } } },
  }));
  expect(await condition()).toMatchObject({ status: 'True' });
  expect((await twin('default.barrier'))!.spec.desired).toEqual({ text: 'x' });
});
