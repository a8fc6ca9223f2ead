/**
 * Devices of the simulated house. A few terminals have a lamp, which is left to the terminal's app and wins conflicts
 * there (`managed: false`), and a barrier, which a driver has and which does something when it is told to.
 */
import type { DeviceListener, Driver } from '../../devices/driver.ts';
import { AppError } from '../../protocol/errors.ts';
import { type KubeObject, keys } from '../../protocol/kubernetes.ts';
import { namespace } from './manifests.ts';
import type { Observer } from './observer.ts';
import type { SimRandom } from './random.ts';

/** So many terminals, the first ones, have devices. */
const EQUIPPED = 6;
export const COMMAND = 'raise';
/** What it is told to do carries a text of its own. */
export const TOKEN = 'ticket';
const PROTOCOL = 'tally';
const RUN_MS_MAX = 4_000;
const FAIL_RATE = 0.1;

const numbers = Array.from({ length: EQUIPPED }, (_unused, index) => index);
const nodeOf = (number: number): string => `node-${String(number).padStart(3, '0')}`;

/** Twins of the barriers. */
export const drivenDevices: ReadonlySet<string> = new Set(numbers.map((number) => `${namespace}.barrier-${number}`));

/** Profiles first. */
export function deviceManifests(): KubeObject[] {
  const profile = (name: string, spec: KubeObject['spec']) => ({
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'DeviceProfile',
    metadata: { name, namespace },
    spec,
  });
  const device = (kind: string, number: number, own: Record<string, unknown>) =>
    ({
      apiVersion: 'iot.openyurt.io/v1alpha1',
      kind: 'Device',
      metadata: { name: `${kind}-${number}`, namespace, annotations: { [keys.deviceNode]: nodeOf(number) } },
      spec: { serviceName: PROTOCOL, profileName: kind, notify: false, ...own },
    }) as KubeObject;
  const text = (name: string) => ({ name, properties: { valueType: 'String', readWrite: 'RW' } });
  return [
    profile('lamp', { deviceResources: [text('colour')] }),
    profile('barrier', {
      deviceResources: [text(TOKEN)],
      deviceCommands: [{ name: COMMAND, readWrite: 'W', resourceOperations: [{ deviceResource: TOKEN }] }],
    }),
    ...numbers.flatMap((number) => [
      device('lamp', number, { managed: false }),
      device('barrier', number, { protocols: { [PROTOCOL]: { place: String(number) } } }),
    ]),
  ];
}

/** Barriers that take their time, fail at times, and tell `observer` what they really did. */
export function tallyDriver(host: string, random: SimRandom, observer: Required<Observer>): Driver {
  return {
    protocol: PROTOCOL,
    open: async ({ clock }, _setting, listener: DeviceListener) => {
      listener.reachable(true);
      return {
        read: async () => '',
        write: async () => {},
        invoke: async (_command, values, signal) => {
          await clock.sleep(random.between(0, RUN_MS_MAX / 2), signal);
          observer.actionTaken(host, String(values[TOKEN]));
          await clock.sleep(random.between(0, RUN_MS_MAX / 2), signal);
          if (random.chance(FAIL_RATE)) throw new AppError('E_DEVICE_FAILED', 'the barrier jams');
          return String(values[TOKEN]);
        },
        close: async () => {},
      };
    },
  };
}
