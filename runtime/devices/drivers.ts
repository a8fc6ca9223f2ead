/** The drivers of this program, by the name that `spec.protocols` of a Device gives them. */
import type { Driver } from '../../devices/driver.ts';
import { simDriver } from '../../devices/sim/sim-driver.ts';

export const drivers: ReadonlyMap<string, Driver> = new Map([simDriver].map((driver) => [driver.protocol, driver]));
