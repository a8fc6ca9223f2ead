/** Every bound of the API that reading knows, with its unit. */
export const bounds = {
  /** One request body: an object of 1.5 MiB and some room, as upstream. */
  bodyBytesMax: 3 * 1024 * 1024,
  /** Requests being answered at once, watches not counted. */
  requestsMax: 400,
  /** Those of one user: a program that asks for everything at once leaves room for the others. */
  requestsPerUserMax: 100,
  /** Watches that one user holds open at once. */
  watchesPerUserMax: 1_000,
  /** A request that is no watch must be answered within this time, a slow reader included. */
  requestMs: 60_000,
  /** Bytes waiting for one watcher; a slower one is dropped and must list again. */
  watchBufferBytesMax: 4 * 1024 * 1024,
  /** A watch without `timeoutSeconds` ends between once and twice this time, so that watchers spread. */
  watchMs: 30 * 60_000,
  /** A quiet watch whose client asked for bookmarks hears one as often as this. */
  bookmarkMs: 60_000,
  /** Items turned into JSON before the event loop gets its turn. */
  sliceItems: 100,
} as const;
