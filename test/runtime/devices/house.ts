/** Devices, actions and twins of one terminal over a real store and simulated devices; the test says what the hub says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import type { Driver } from '../../../devices/driver.ts';
import type { Env } from '../../../protocol/env.ts';
import type {
  Action,
  ActionStatus,
  Device,
  DeviceProfile,
  DeviceResource,
  Json,
  Twin,
} from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { Actions } from '../../../runtime/devices/actions.ts';
import { Devices } from '../../../runtime/devices/devices.ts';
import { drivers } from '../../../runtime/devices/drivers.ts';
import { type NewEvent, NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import { Twins } from '../../../runtime/twins/twins.ts';

export const NODE = 'gate-1';
export const BARRIER = 'default.barrier-1';
export const EPOCH = 'e1'.repeat(16);

const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent') };

export interface Life {
  twins: Twins;
  devices: Devices;
  actions: Actions;
  store: NodeStore;
  /** What was appended for the hub. */
  events: NewEvent[];
  /** Makes commits fail while it is set. */
  disk: { fault: Error | undefined };
  reported(id?: string): Record<string, Json>;
}

export interface Beginning {
  drivers?: ReadonlyMap<string, Driver>;
  dataDir?: string;
  nowMs?: () => number;
}

/** Each test has a directory of its own, in which life follows on life. */
export function useHouse() {
  const closers: (() => Promise<unknown>)[] = [];
  let directory: string | undefined;
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    directory = undefined;
  });
  const dataDir = async () => {
    if (directory !== undefined) return directory;
    const made = await mkdtemp(join(tmpdir(), 'stile-devices-'));
    closers.push(() => rm(made, { recursive: true, force: true }));
    directory = made;
    return made;
  };
  const begin = async (beginning: Beginning = {}): Promise<Life> => {
    const life = await openLife(beginning.dataDir ?? (await dataDir()), beginning);
    closers.push(() => end(life));
    return life;
  };
  return { begin, end, dataDir };
}

const ended = new WeakSet<Life>();

/** `crash`: nothing more is written. */
export async function end(life: Life, how: 'stop' | 'crash' = 'stop'): Promise<void> {
  if (ended.has(life)) return;
  ended.add(life);
  if (how === 'crash') life.disk.fault = new Error('the power is gone');
  await life.actions.stop();
  await life.devices.stop();
  await life.twins.stop();
  await life.store.close();
}

async function openLife(dataDir: string, { drivers: table = drivers, nowMs }: Beginning): Promise<Life> {
  const journal = await SqliteJournal.open(join(dataDir, 'state.db'), EPOCH);
  const disk: Life['disk'] = { fault: undefined };
  const commit = journal.commit.bind(journal);
  journal.commit = async (changes) => {
    if (disk.fault !== undefined) throw disk.fault;
    await commit(changes);
  };
  const store = await NodeStore.open(systemClock, journal);
  const fail = (error: unknown) => {
    throw error;
  };
  const twins = new Twins(env, { nodeName: NODE }, { store, putState: () => {} }, fail);
  const devices = new Devices(env, { twins, drivers: table }, fail);
  const events: NewEvent[] = [];
  const append = async (event: NewEvent) => {
    const appended = await store.append(event);
    if (appended.original) events.push(event);
    return appended;
  };
  const actions = new Actions(env, { store, devices, append, nowMs: nowMs ?? (() => systemClock.now()) }, fail);
  await twins.start();
  await actions.start();
  const reported = (id = BARRIER) => {
    const section = twins.get(id)?.document.properties.reported ?? {};
    return Object.fromEntries(Object.entries(section).filter(([name]) => !name.startsWith('$')));
  };
  return { twins, devices, actions, store, events, disk, reported };
}

const meta = (name: string) => ({ name, namespace: 'default', uid: `uid-${name}` });

export function resource(name: string, properties: DeviceResource['properties'], rest: object = {}): DeviceResource {
  return { name, properties: { readWrite: 'R', ...properties }, ...rest };
}

/** A barrier with all that the simulated one has. */
export function barrierProfile(spec: Partial<DeviceProfile['spec']> = {}): DeviceProfile {
  return {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'DeviceProfile',
    metadata: meta('barrier'),
    spec: {
      description: 'A barrier of a car park.',
      deviceResources: [
        resource('position', { valueType: 'String', readWrite: 'RW' }),
        resource('obstacle', { valueType: 'Bool', readWrite: 'RW' }),
        resource('cycles', { valueType: 'Uint32', minimum: '0' }),
        resource('jam', { valueType: 'Object' }, { tag: 'event' }),
      ],
      deviceCommands: [
        {
          name: 'open',
          readWrite: 'W',
          resourceOperations: [{ deviceResource: 'position', defaultValue: '"open"' }],
        },
        { name: 'close', readWrite: 'W', resourceOperations: [{ deviceResource: 'position', defaultValue: 'closed' }] },
      ],
      ...spec,
    },
  };
}

export function device(name: string, sim: Record<string, string>, spec: Partial<Device['spec']> = {}): Device {
  return {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'Device',
    metadata: meta(name),
    spec: { serviceName: '', notify: false, profileName: 'barrier', protocols: { sim }, ...spec },
  };
}

export const barrier = (sim: Record<string, string> = {}, spec: Partial<Device['spec']> = {}) =>
  device('barrier-1', { model: 'barrier', travelMs: '30', ...sim }, spec);

export function twin(name: string, desired: Record<string, Json> = {}, version = 1): Twin {
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name, uid: `uid-of-${name}` },
    spec: { nodeName: NODE, desired },
    status: { desired: { version, metadata: 1 }, applied: 0 },
  };
}

export function action(uid: string, spec: Partial<Action['spec']> = {}): Action {
  const expiresTime = new Date(systemClock.now() + 60_000).toISOString();
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Action',
    metadata: { name: uid, uid },
    spec: { twin: BARRIER, nodeName: NODE, name: 'open', expiresTime, nodeEpoch: EPOCH, ...spec },
  };
}

/** Looks again until it holds. */
export async function eventually(look: () => void): Promise<void> {
  const untilMs = systemClock.monotonic() + 10_000;
  for (;;) {
    try {
      look();
      return;
    } catch (error) {
      if (systemClock.monotonic() > untilMs) throw error;
      await systemClock.sleep(10);
    }
  }
}

/** What the hub was told of actions that are over. */
export function results(life: Life): NewEvent[] {
  return life.events.filter(({ data }) => (data as unknown as { status: ActionStatus }).status.phase !== 'Running');
}

export const phaseOf = (life: Life, id: string) => life.actions.get(id)?.status.phase;

export function expectPhase(life: Life, id: string, phase: string): Promise<void> {
  return eventually(() => expect(phaseOf(life, id)).toBe(phase));
}
