/** What the API needs beyond reading: a store that can be written, and what the kinds' schemas say. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ApiParts, Call, KindTable } from '../../protocol/resources/api/parts.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import type { Kind } from '../kinds/kind.ts';
import type { ResourceStore } from '../store/resource-store.ts';

export interface WrittenKinds extends KindTable<Kind> {
  /** JSON schemas by the key that `Kind.schema` names, referring to each other as `#/components/schemas/KEY`. */
  schemas: Readonly<Record<string, unknown>>;
  /** Paths of members that the schema does not know, e.g. `spec.replica`. */
  unknownFields(object: KubeObject, kind: Kind): string[];
  /** Members of the wrong type, and required ones that are missing. */
  structuralFaults(object: KubeObject, kind: Kind): FieldFault[];
}

export interface WriteParts extends Omit<ApiParts<Kind>, 'beyondReading' | 'openApi'> {
  store: ResourceStore;
  kinds: WrittenKinds;
}

export type WriteCall = Call<Kind>;
