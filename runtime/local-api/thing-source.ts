/** What stands behind the things of the local API. */
import type { Actions } from '../devices/actions.ts';
import type { Devices } from '../devices/devices.ts';
import type { TwinSource } from './twin-source.ts';

export interface ThingSource {
  twins: TwinSource;
  devices: Pick<Devices, 'get' | 'events'>;
  actions: Pick<Actions, 'invoke' | 'get' | 'list' | 'settled'>;
}
