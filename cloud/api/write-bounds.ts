/** Every bound of writing, with its unit. Those of reading: `protocol/resources/api/bounds.ts`. */
export const writeBounds = {
  /** Nesting of a request body. */
  bodyDepthMax: 100,
  /** Nodes that the aliases of one YAML document may unfold to. */
  yamlAliasesMax: 100,
  /** Items of one page that the server fetches from the store at once when it deletes a collection. */
  deletePageItems: 500,
  /** How often a write without a resourceVersion is tried when others write the same object. */
  conflictTriesMax: 10,
  /** Characters of the name by which a client owns fields, as upstream. */
  fieldManagerChars: 128,
  /** Owners of one object's fields that a client may send. */
  fieldManagersMax: 100,
  /** Owners besides those that apply; of more the oldest become one, as upstream. */
  fieldUpdatersMax: 10,
  /** Operations of one JSON patch, as upstream. */
  jsonPatchOperationsMax: 10_000,
} as const;
