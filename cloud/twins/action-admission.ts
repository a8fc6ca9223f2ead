/** What is filled in of an Action that somebody asks for, and what is refused before anybody waits for it. */
import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Action, Device, DeviceProfile, KubeObject, Twin } from '../../protocol/kubernetes.ts';
import { finalPhases } from '../../protocol/twin/action-result.ts';
import type { WriteParts } from '../api/write-parts.ts';
import { actionKind, deviceKind, deviceProfileKind, twinKind } from '../kinds/registry.ts';
import { ACTION_LIFE_MS_MAX } from '../kinds/twin.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { deviceKeyOf, profileOf } from './device-properties.ts';

/** Without `spec.expiresTime`. */
export const ACTION_LIFE_MS = 60_000;
/** That one node has not ended; more are refused. */
export const ACTIONS_OPEN_MAX = 256;

/** `epochOf`: of the node's last greeting. */
export function actionAdmission(
  clock: Clock,
  store: ResourceStore,
  epochOf: (node: string) => string | undefined,
): NonNullable<WriteParts['complete']> {
  return async (object, { kind, previous }) => {
    if (kind !== actionKind || previous !== undefined) return object;
    const asked = object as Partial<Action> & KubeObject;
    const { twin: id, name } = asked.spec ?? {};
    // What is missing or of another type is told by the schema.
    if (typeof id !== 'string' || typeof name !== 'string') return object;
    const twin = (await store.get(twinKind, undefined, id)) as Twin | undefined;
    if (twin === undefined) throw new AppError('E_INPUT_INVALID', `there is no twin ${id}`);
    await expectCommand(store, id, name);
    const { nodeName } = twin.spec;
    const nodeEpoch = epochOf(nodeName);
    if (nodeEpoch === undefined)
      throw new AppError('E_NODE_OFFLINE', `the node ${nodeName} never connected: nobody can do anything there yet`);
    await expectRoom(store, nodeName);
    const spec = { ...asked.spec, nodeName, nodeEpoch, expiresTime: expiryOf(asked, clock.now()) };
    const { name: given, generateName } = object.metadata;
    const metadata = given || generateName ? object.metadata : { ...object.metadata, generateName: 'action-' };
    return { ...object, metadata, spec } as KubeObject;
  };
}

async function expectCommand(store: ResourceStore, id: string, name: string): Promise<void> {
  const [namespace, deviceName] = deviceKeyOf(id)?.split('/') ?? [];
  const device =
    deviceName === undefined ? undefined : ((await store.get(deviceKind, namespace, deviceName)) as Device | undefined);
  if (device === undefined)
    throw new AppError('E_INPUT_INVALID', `${id} is the twin of no Device, and only those do something`);
  const { profileName } = device.spec;
  const object = (await store.get(deviceProfileKind, namespace, profileName)) as DeviceProfile | undefined;
  const profile = object && profileOf(object);
  if (profile === undefined) throw new AppError('E_INPUT_INVALID', `there is no DeviceProfile ${profileName} of ${id}`);
  if (profile instanceof AppError) throw profile;
  const commands = [...profile.commands.values()].filter(({ hidden }) => !hidden).map((command) => command.name);
  if (!commands.includes(name))
    throw new AppError('E_INPUT_INVALID', `${id} has no action ${name}; it has ${commands.join(', ') || 'none'}`);
}

/** A terminal that is away for long does not gather what nobody waits for any more. */
async function expectRoom(store: ResourceStore, nodeName: string): Promise<void> {
  const { items } = await store.list(actionKind);
  const open = (items as Action[]).filter(
    ({ spec, status }) => spec.nodeName === nodeName && !finalPhases.has(status?.phase ?? 'Pending'),
  );
  if (open.length >= ACTIONS_OPEN_MAX)
    throw new AppError(
      'E_LINK_BUSY',
      `${ACTIONS_OPEN_MAX} actions of ${nodeName} are not over yet: wait until some are`,
    );
}

function expiryOf({ spec }: Partial<Action>, nowMs: number): string {
  if (spec?.expiresTime === undefined) return new Date(nowMs + ACTION_LIFE_MS).toISOString();
  const expiresMs = Date.parse(spec.expiresTime);
  if (expiresMs > nowMs + ACTION_LIFE_MS_MAX)
    throw new AppError('E_INPUT_INVALID', 'spec.expiresTime is more than 24 hours away');
  if (expiresMs <= nowMs) throw new AppError('E_INPUT_INVALID', 'spec.expiresTime is over already');
  return spec.expiresTime;
}
