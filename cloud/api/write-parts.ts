/** What the API needs beyond reading: a store that can be written, and what the kinds' schemas say. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ApiRequest, Identity } from '../../protocol/resources/api/identity.ts';
import type { ApiParts, Call, KindTable } from '../../protocol/resources/api/parts.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import type { Kind } from '../kinds/kind.ts';
import type { ResourceStore } from '../store/resource-store.ts';

export interface WrittenKinds extends KindTable<Kind> {
  /** JSON schemas by the key that `Kind.schema` names, referring to each other as `#/components/schemas/KEY`. */
  readonly schemas: Readonly<Record<string, unknown>>;
  /** Paths of members that the schema does not know, e.g. `spec.replica`. */
  unknownFields(object: KubeObject, kind: Kind): string[];
  /** Members of the wrong type, and required ones that are missing. */
  structuralFaults(object: KubeObject, kind: Kind): FieldFault[];
}

export interface WriteParts extends Omit<ApiParts<Kind>, 'beyondReading' | 'openApi'> {
  store: ResourceStore;
  kinds: WrittenKinds;
  /**
   * Fills in what the server knows of an object that a user writes, before it is checked. Not for a status. Errors
   * that the user is told: `E_INPUT_INVALID`, `E_LINK_BUSY`, `E_NODE_OFFLINE`.
   */
  complete?(object: KubeObject, write: Completion): Promise<KubeObject>;
  /**
   * Refuses, with a `StatusError`, what its writer may not write although the kind allows it. After all checks;
   * `object` is undefined when `write.previous` is deleted.
   */
  guard?(object: KubeObject | undefined, write: JudgedWrite): Promise<void>;
  /** Sentences that whoever creates an object is told besides. */
  advise?(object: KubeObject, kind: Kind): readonly string[];
  /** Refuses, with a `StatusError`, that an object goes which others still need. */
  guardDeletion?(kind: Kind, namespace: string | undefined, name: string): Promise<void>;
}

export interface Completion {
  kind: Kind;
  /** Undefined for a new object. */
  previous: KubeObject | undefined;
  identity: Identity | undefined;
}

export interface JudgedWrite extends Completion {
  /** What was asked, as it was put to `authorize`. */
  request: ApiRequest;
}

export type WriteCall = Call<Kind>;

/** What a guard is told of a write of `previous`; undefined for a new object. */
export function writeOf(
  { kind, identity, verb, path }: Pick<WriteCall, 'kind' | 'identity' | 'verb' | 'path'>,
  previous: KubeObject | undefined,
): JudgedWrite {
  return { kind, previous, identity, request: { identity, verb, path: '', resource: path } };
}

/** Asks each of `guards`; the first that refuses is heard. */
export function allGuards(...guards: NonNullable<WriteParts['guard']>[]): NonNullable<WriteParts['guard']> {
  return async (object, write) => {
    for (const guard of guards) await guard(object, write);
  };
}
