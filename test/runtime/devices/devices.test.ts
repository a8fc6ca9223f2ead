/** Devices of the view are driven: desired goes to them, what they are is reported, and their faults are told. */
import { expect, test } from 'vitest';
import type { DeviceListener, Driver } from '../../../devices/driver.ts';
import { AppError } from '../../../protocol/errors.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import { BARRIER, barrier, barrierProfile, device, eventually, resource, twin, useHouse } from './house.ts';

const { begin, end } = useHouse();

test('a device reports what it is, and becomes what is desired', async () => {
  const life = await begin();
  life.devices.apply([barrier()], [barrierProfile()]);
  life.twins.apply([twin(BARRIER)]);
  await eventually(() =>
    expect(life.reported()).toEqual({ position: 'closed', obstacle: false, cycles: 0, _device: { up: true } }),
  );
  life.twins.apply([twin(BARRIER, { position: 'open' }, 2)]);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'open' }));
});

test('the newest desired value wins over one on its way', async () => {
  const life = await begin();
  life.devices.apply([barrier({ travelMs: '60000' })], [barrierProfile()]);
  life.twins.apply([twin(BARRIER, { position: 'open' })]);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'opening' }));
  await life.twins.patch(BARRIER, { properties: { desired: { position: 'closed' } } });
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'closing' }));
});

test('what the profile does not allow is not written, and told until it is put right', async () => {
  const life = await begin();
  life.devices.apply([barrier()], [barrierProfile()]);
  life.twins.apply([twin(BARRIER, { position: 7, obstacle: true })]);
  await eventually(() =>
    expect(life.reported()).toMatchObject({
      position: 'closed',
      obstacle: true,
      _device: { up: true, faults: { position: 'position is a text, not 7' } },
    }),
  );
  life.twins.apply([twin(BARRIER, { position: 'open', obstacle: true }, 2)]);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'open', _device: { up: true } }));
  await eventually(() => expect(life.reported()._device).toEqual({ up: true }));
});

test('a resource may have any name, also one that every object has', async () => {
  const writes: [string, Json][] = [];
  const driver: Driver = {
    protocol: 'sim',
    async open(_env, _setting, listener) {
      listener.reachable(true);
      listener.reading('constructor', 'read');
      return {
        read: async () => 0,
        write: async (name, value) => {
          writes.push([name, value]);
        },
        invoke: async () => undefined,
        close: async () => {},
      };
    },
  };
  const life = await begin({ drivers: new Map([['sim', driver]]) });
  const deviceResources = ['constructor', 'toString'].map((name) =>
    resource(name, { valueType: 'String', readWrite: 'RW' }),
  );
  const operations = [{ deviceResource: 'constructor' }];
  const deviceCommands = [{ name: 'valueOf', readWrite: 'W', resourceOperations: operations }];
  life.devices.apply([barrier()], [barrierProfile({ deviceResources, deviceCommands })]);
  life.twins.apply([twin(BARRIER, { toString: 'written' })]);
  await eventually(() => expect(Object.entries(life.reported())).toContainEqual(['constructor', 'read']));
  await eventually(() => expect(writes).toEqual([['toString', 'written']]));
  await expect(life.actions.invoke({ twin: BARRIER, name: 'valueOf' })).rejects.toThrow(
    'needs a value for constructor',
  );
});

test('a locked device is written nothing, by desired or action, until it is unlocked', async () => {
  const life = await begin();
  life.devices.apply([barrier({}, { adminState: 'LOCKED' })], [barrierProfile()]);
  life.twins.apply([twin(BARRIER, { position: 'open' })]);
  await eventually(() => expect(life.reported()).toMatchObject({ _device: { up: true, locked: true } }));
  await expect(life.actions.invoke({ twin: BARRIER, name: 'open' })).rejects.toThrow('is locked');
  expect(life.reported().position).toBe('closed');
  life.devices.apply([barrier({}, { adminState: 'UNLOCKED' })], [barrierProfile()]);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'open', _device: { up: true } }));
});

test.each<[string, () => Parameters<Awaited<ReturnType<typeof begin>>['devices']['apply']>, string]>([
  ['no profile', () => [[barrier()], []], 'there is no DeviceProfile barrier in the namespace default'],
  [
    'a faulty profile',
    () => [
      [barrier()],
      [barrierProfile({ deviceResources: [resource('position', { valueType: 'Int16', scale: '0' })] })],
    ],
    'scale cannot be 0',
  ],
  ['a model that is none', () => [[barrier({ model: 'tree' })], [barrierProfile()]], 'is one of barrier'],
  [
    'a protocol that nobody speaks',
    () => [[barrier({}, { protocols: { smoke: {} } })], [barrierProfile()]],
    'this terminal has no driver for smoke, only for sim',
  ],
])('%s is told in reported, and put right it works', async (_what, world, fault) => {
  const life = await begin();
  life.devices.apply(...world());
  life.twins.apply([twin(BARRIER)]);
  await eventually(() => expect(life.reported()._device).toEqual({ up: false, fault: expect.stringContaining(fault) }));
  life.devices.apply([barrier()], [barrierProfile()]);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'closed', _device: { up: true } }));
});

test('a profile that changes makes a new connection, and members of the old one go', async () => {
  const life = await begin();
  life.devices.apply([barrier()], [barrierProfile()]);
  life.twins.apply([twin(BARRIER)]);
  await eventually(() => expect(life.reported()).toHaveProperty('cycles'));
  const deviceResources = [resource('position', { valueType: 'String', readWrite: 'RW' })];
  life.devices.apply([barrier()], [barrierProfile({ deviceResources })]);
  await eventually(() => expect(life.reported()).toEqual({ position: 'closed', _device: { up: true } }));
});

test('a device that is told again as it is keeps its connection', async () => {
  const opened: string[] = [];
  const driver: Driver = {
    protocol: 'sim',
    async open(_env, { id }, listener) {
      opened.push(id);
      listener.reachable(true);
      return { read: async () => 0, write: async () => {}, invoke: async () => undefined, close: async () => {} };
    },
  };
  const life = await begin({ drivers: new Map([['sim', driver]]) });
  life.devices.apply([barrier()], [barrierProfile()]);
  await eventually(() => expect(opened).toHaveLength(1));
  const again = barrier();
  again.status = { operatingState: 'UP' };
  life.devices.apply([again], [barrierProfile()]);
  await end(life);
  expect(opened).toHaveLength(1);
});

test('a device that comes back is written again what is desired', async () => {
  const writes: Json[] = [];
  let listener: DeviceListener | undefined;
  let failing = true;
  const driver: Driver = {
    protocol: 'sim',
    async open(_env, _setting, told) {
      listener = told;
      told.reachable(true);
      return {
        read: async () => 0,
        write: async (_resource, value) => {
          writes.push(value);
          if (failing) throw new AppError('E_DEVICE_FAILED', 'no answer');
        },
        invoke: async () => undefined,
        close: async () => {},
      };
    },
  };
  const life = await begin({ drivers: new Map([['sim', driver]]) });
  life.devices.apply([barrier()], [barrierProfile()]);
  life.twins.apply([twin(BARRIER, { position: 'open' })]);
  await eventually(() => expect(life.reported()._device).toEqual({ up: true, faults: { position: 'no answer' } }));
  failing = false;
  await eventually(() => expect(writes).toEqual(['open', 'open']));
  await eventually(() => expect(life.reported()._device).toEqual({ up: true }));
  listener!.reachable(false, 'the cable is out');
  await eventually(() => expect(life.reported()._device).toEqual({ up: false, fault: 'the cable is out' }));
  listener!.reachable(true);
  await eventually(() => expect(writes).toEqual(['open', 'open', 'open']));
});

test('with the hub away a restart brings devices and their twins back', async () => {
  const first = await begin();
  first.devices.apply([barrier()], [barrierProfile()]);
  first.twins.apply([twin(BARRIER, { position: 'open' })]);
  await eventually(() => expect(first.reported()).toMatchObject({ position: 'open' }));
  await end(first);
  const second = await begin();
  second.devices.apply([barrier()], [barrierProfile()]);
  await eventually(() => expect(second.reported()).toMatchObject({ position: 'open', _device: { up: true } }));
});

test('events are heard by those who listen, the last ones by those who were away', async () => {
  const life = await begin();
  const scanner = barrierProfile({
    deviceResources: [
      resource('scan', { valueType: 'Object' }, { tag: 'event' }),
      resource('present', { valueType: 'String', readWrite: 'W' }),
    ],
    deviceCommands: [{ name: 'present', readWrite: 'W', resourceOperations: [{ deviceResource: 'present' }] }],
  });
  const heard: Json[] = [];
  life.devices.events.onEvent(({ data }) => heard.push(data));
  life.devices.apply([device('scanner-1', { model: 'scanner' })], [scanner]);
  life.twins.apply([twin('default.scanner-1')]);
  await eventually(() => expect(life.reported('default.scanner-1')).toMatchObject({ _device: { up: true } }));
  for (const code of ['1', '2']) {
    const { id } = await life.actions.invoke({ twin: 'default.scanner-1', name: 'present', input: { present: code } });
    await life.actions.settled(id, 10_000, new AbortController().signal);
  }
  expect(heard).toEqual([{ code: '1' }, { code: '2' }]);
  expect(life.devices.events.after('default.scanner-1', 'scan', 1).map(({ data }) => data)).toEqual([{ code: '2' }]);
  life.devices.apply([], []);
  expect(life.devices.events.after('default.scanner-1', 'scan', 0)).toEqual([]);
});
