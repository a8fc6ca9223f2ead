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
    fingerprint: 'baf34dde0e626806c1aa7a0dd0d796d6d6ab752f74eb939e6fc21cc7c9a10271',
    why: 'the first protocol',
  },
];

export const versionMax = versionHistory.at(-1)!.version;
/** The oldest version that this program still speaks. */
export const versionMin = 1;
