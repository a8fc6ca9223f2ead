/** An object of the view as the readers on this terminal see it: the hub's bytes, and what is known here laid over. */
import { createHash } from 'node:crypto';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { decodeObject } from '../../protocol/object.ts';

/** What this terminal knows of an object's status. */
export interface LocalStatus {
  /** Only of this very object; undefined: of whichever has the name. */
  uid: string | undefined;
  status: Json;
  /** Nothing more will be known. */
  ended: boolean;
}

/** Replaced when the object changes for its readers. */
export interface ShownObject {
  /** May be replaced by equal ones, so that bytes that came again are not held twice. */
  bytes: Uint8Array;
  /** Of the view's entry that made it what it is. */
  readonly hash: Uint8Array;
  readonly local: LocalStatus | undefined;
  /** What it is called instead of `nameOf`, where that would not be clear. */
  readonly revision: number | undefined;
}

/** Names of objects are below; a store counts its changes from above. */
export const OBJECT_NAMES = 2 ** 45;
const NAME_BYTES = 5;

/** The object, made anew with each call. Errors: those of `decodeObject`. */
export function shownObject(shown: ShownObject): KubeObject {
  const object = decodeObject(shown.bytes);
  const local = localOf(shown, object);
  if (local !== undefined) object.status = local.status;
  object.metadata.resourceVersion = String(shown.revision ?? nameOf(shown, local));
  return object;
}

/**
 * The resourceVersion that follows from what is stored: the hub's revision and bytes, and what is laid over. It is the
 * same in any life of the program, and another one when the hub writes again what it once wrote.
 */
export function nameOf(shown: ShownObject, local: LocalStatus | undefined): number {
  if (local === undefined) return Buffer.from(shown.hash).readUIntBE(0, NAME_BYTES);
  const hash = createHash('sha256').update(shown.hash).update(JSON.stringify(local.status));
  return hash.digest().readUIntBE(0, NAME_BYTES);
}

/** What is laid over `object`, made of the bytes of `shown`: nothing that is known of another of its name. */
export function localOf({ local }: ShownObject, object: KubeObject): LocalStatus | undefined {
  return local?.uid === undefined || local.uid === object.metadata.uid ? local : undefined;
}
