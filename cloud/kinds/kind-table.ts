import { kindByPlural, kinds } from './registry.ts';
export const kindTable = { kinds, kindByPlural, schemas: {}, unknownFields: () => [], structuralFaults: () => [] };
