/** One Twin for each node and for each device that a node drives: what is made, kept in step and taken away. Pure. */
import { AppError } from '../../protocol/errors.ts';
import { type Device, type DeviceProfile, keys, type Node, type Twin } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import type { Step } from '../controllers/step.ts';
import { twinKind } from '../kinds/twin.ts';
import { profileOf, wantedProperties, withProperties } from './device-properties.ts';

/** Whose twin it is. */
export interface TwinOwner {
  /** That holds it. */
  node: Node;
  /** Undefined: the twin is the node's own. */
  device?: Device;
  profile?: DeviceProfile;
}

export interface TwinView {
  id: string;
  twin: Twin | undefined;
  /** Undefined: there shall be no such twin. */
  owner: TwinOwner | undefined;
  /** The node that the twin was made for, while it exists. */
  holder: Node | undefined;
}

export function reconcileTwin({ id, twin, owner, holder }: TwinView): Step[] {
  if (twin?.metadata.deletionTimestamp !== undefined) return isHeldFor(twin, holder) ? [] : [released(twin)];
  if (owner === undefined) return twin === undefined ? [] : [{ do: 'delete', kind: twinKind, object: twin }];
  if (twin === undefined) return [{ do: 'create', kind: twinKind, object: inStep(newTwin(id, owner), owner) }];
  // A device that moved: the node that had it drops its twin, then a new one begins at the other.
  if (!isOf(twin, owner.node)) return [{ do: 'delete', kind: twinKind, object: twin }];
  const object = inStep(twin, owner);
  return sameJson(object, twin) ? [] : [{ do: 'update', kind: twinKind, object }];
}

/** A node that is gone, or that is another one of the same name, holds nothing any more. */
function isHeldFor(twin: Twin, holder: Node | undefined): boolean {
  return holder !== undefined && isOf(twin, holder);
}

function isOf({ metadata, spec }: Twin, node: Node): boolean {
  const owners = metadata.ownerReferences ?? [];
  return spec.nodeName === node.metadata.name && owners.some(({ uid }) => uid === node.metadata.uid);
}

function released(twin: Twin): Step {
  const finalizers = (twin.metadata.finalizers ?? []).filter((each) => each !== keys.nodeTold);
  return { do: 'update', kind: twinKind, object: { ...twin, metadata: { ...twin.metadata, finalizers } } };
}

/** A device's twin is its node's too: owners of an object without a namespace have none either. */
function newTwin(id: string, { node }: TwinOwner): Twin {
  const { name, uid } = node.metadata;
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: {
      name: id,
      finalizers: [keys.nodeTold],
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: uid! }],
    },
    spec: { nodeName: name, desired: {} },
  };
}

function inStep(twin: Twin, { node, device, profile }: TwinOwner): Twin {
  const labels = { ...device?.metadata.labels, ...node.metadata.labels };
  const labelled: Twin = { ...twin, metadata: { ...twin.metadata, labels } };
  if (device === undefined) return labelled;
  const { managed: _, ...spec } = labelled.spec;
  const managed: Twin = { ...labelled, spec: device.spec.managed === false ? { ...spec, managed: false } : spec };
  const read = profile === undefined ? undefined : profileOf(profile);
  if (read === undefined || read instanceof AppError) return managed;
  return withProperties(managed, wantedProperties(device, read)) ?? managed;
}
