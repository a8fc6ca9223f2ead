/** All that the API needs to know of the kinds that this hub serves, in one value. */
import type { WrittenKinds } from '../api/write-parts.ts';
import { kindByPlural, kinds } from '../kinds/registry.ts';
import { schemas, structuralFaults, unknownFields } from '../kinds/structure.ts';

export const servedKinds: WrittenKinds = { kinds, kindByPlural, schemas, unknownFields, structuralFaults };
