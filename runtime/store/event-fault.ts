/** Whether an event can travel. Pure. */
import type { Json } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import { eventSizeBytes } from './node-state.ts';
import type { NewEvent } from './node-store.ts';

/**
 * Why it could never reach the hub as it is, in one sentence; undefined when it can. What is stored is sent until it is
 * acknowledged: one event that does not fit into a message would keep the terminal from its hub for good.
 */
export function eventFault(event: NewEvent): string | undefined {
  const { type, data, id = '' } = event;
  if (!type.isWellFormed() || !id.isWellFormed()) return 'type or id of the event has half a surrogate pair';
  const fault = valueFault(data, 0);
  if (fault !== undefined) return `the data of the event ${fault}`;
  const sizeBytes = eventSizeBytes(event);
  if (sizeBytes <= limits.reportValueBytesMax) return undefined;
  return `an event of ${sizeBytes} bytes is above the limit of ${limits.reportValueBytesMax}`;
}

/** Also of what would arrive, but not as it was told. */
function valueFault(value: Json, depth: number): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'has half a surrogate pair';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'has a number that is not finite';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= limits.eventDepthMax) return `nests deeper than ${limits.eventDepthMax} levels: make it flatter`;
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') return 'has a member called __proto__: choose another name';
    const fault = key.isWellFormed() ? valueFault(member, depth + 1) : 'has half a surrogate pair in a name';
    if (fault !== undefined) return fault;
  }
  return undefined;
}
