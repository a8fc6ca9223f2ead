/**
 * Makes the real world unreachable while the simulated one runs: real time, chance and timers throw instead of
 * giving an answer that no seed can repeat. `test/ground` reads our own sources for the same; this also catches what
 * a package does on our behalf.
 */

/** Objects with the members that are replaced. `setImmediate` stays: the driver holds its own. */
const forbidden: readonly [object: object, member: string][] = [
  [Math, 'random'],
  [performance, 'now'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [globalThis, 'fetch'],
  [AbortSignal, 'timeout'],
  [crypto, 'getRandomValues'],
  [crypto, 'randomUUID'],
];

/** Runs `work` with the real world out of reach, and hands it back whatever happens. */
export async function withoutRealWorld<T>(work: () => Promise<T>): Promise<T> {
  const undo = forbidden.map(([object, member]) => replace(object, member, () => refuse(member)));
  undo.push(replace(globalThis, 'Date', dateWithoutNow));
  try {
    return await work();
  } finally {
    for (const restore of undo) restore();
  }
}

/** Still makes dates of given times, and `instanceof` holds for dates made before. */
const dateWithoutNow = new Proxy(Date, {
  get: (target, member) => (member === 'now' ? () => refuse('Date.now') : Reflect.get(target, member)),
  apply: () => refuse('Date()'),
  construct: (target, given: unknown[]) =>
    given.length === 0 ? refuse('new Date()') : new target(...(given as [number])),
});

function refuse(what: string): never {
  throw new Error(`${what} is real: a simulated program must take time and chance from its Env`);
}

/** Gives the function that puts the old value back. */
function replace(object: object, member: string, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(object, member);
  Object.defineProperty(object, member, { configurable: true, writable: true, value });
  return () => {
    if (own === undefined) Reflect.deleteProperty(object, member);
    else Object.defineProperty(object, member, own);
  };
}
