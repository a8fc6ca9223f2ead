/**
 * The version ratchet. `test/protocol/version.test.ts` compares the fingerprint of all message and object schemas
 * with the newest line here; whoever changes one must decide about the version and say why.
 */
export interface VersionLine {
  version: number;
  /** See `fingerprint.ts`. */
  fingerprint: string;
  why: string;
}

/** Newest last. A line is never edited after a release; before the first release, line 1 follows the schema. */
export const versionHistory: readonly VersionLine[] = [
  {
    version: 1,
    fingerprint: '9b4ce4268139138a02afcaa65d6c17efb1a97619f78aeb0a3663e5ca10ff5ac8',
    why: 'the first protocol',
  },
];

export const versionMax = versionHistory.at(-1)!.version;
/** The oldest version that this program still speaks. */
export const versionMin = 1;
