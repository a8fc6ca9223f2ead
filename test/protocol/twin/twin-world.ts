/** A node and a hub for tests of twins: the two machines without stores, links and clocks. */

import type { Json } from '../../../protocol/kubernetes.ts';
import { keys, type Twin } from '../../../protocol/kubernetes.ts';
import { decodeObject, encodeObject } from '../../../protocol/object.ts';
import { desiredChanged, twinStateArrived } from '../../../protocol/twin/hub-twin.ts';
import type { Members } from '../../../protocol/twin/merge.ts';
import { type TwinRecord, twinArrived, twinStateOf } from '../../../protocol/twin/node-twin.ts';
import { readTwinState } from '../../../protocol/twin/twin-state.ts';

export const ID = 'gate-1';

export function hubTwin(uid: string, desired: Members, options: { managed?: boolean; nowMs?: number } = {}): Twin {
  const { nowMs = 1_000, ...spec } = options;
  const twin: Twin = {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name: ID, uid, finalizers: [keys.nodeTold] },
    spec: { nodeName: ID, desired, ...spec },
  };
  return desiredChanged(undefined, twin, nowMs);
}

/** Somebody replaces desired at the hub. */
export function withHubDesired(twin: Twin, desired: Members, nowMs = 2_000): Twin {
  return desiredChanged(twin, { ...twin, spec: { ...twin.spec, desired } }, nowMs);
}

/** The Twin as it comes out of the view. */
export function overTheWire(twin: Twin): Twin {
  const { desired, applied, floor } = twin.status!;
  const projected = { ...twin, status: { desired, applied, ...(floor === undefined ? {} : { floor }) } };
  return decodeObject(encodeObject(projected)) as Twin;
}

export function atNode(record: TwinRecord | undefined, twin: Twin, nowMs = 3_000): TwinRecord | undefined {
  return twinArrived(record, overTheWire(twin), { sequence: 0, nowMs });
}

export function atHub(twin: Twin, record: TwinRecord, epoch = 'epoch-1', nowMs = 4_000): Twin {
  const told = JSON.parse(JSON.stringify(twinStateOf(record))) as Json;
  return twinStateArrived(twin, readTwinState(told), epoch, nowMs) ?? twin;
}

/** Both ways until neither side has news; more than a few rounds would mean that they argue. */
export function settled(twin: Twin, record: TwinRecord, epoch = 'epoch-1'): { twin: Twin; record: TwinRecord } {
  for (let round = 0; round < 12; round += 1) {
    const heard = atNode(record, twin)!;
    const next = atHub(twin, heard, epoch);
    if (next === twin && heard === record) return { twin, record };
    record = heard;
    twin = next;
  }
  throw new Error('hub and node do not come to rest');
}
