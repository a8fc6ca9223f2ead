/** All that the API needs to know of the kinds that this hub serves, in one value. */
import type { KindTable } from '../api/parts.ts';
import { kindByPlural, kinds } from '../kinds/registry.ts';
import { schemas, structuralFaults, unknownFields } from '../kinds/structure.ts';

export const servedKinds: KindTable = { kinds, kindByPlural, schemas, unknownFields, structuralFaults };
