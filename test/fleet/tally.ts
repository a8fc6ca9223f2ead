/** What the members of a fleet saw: counted in each process, put together by the parent. Times are wall-clock ms. */

export interface Tally {
  members: number;
  /** Have a session now. */
  live: number;
  /** Sessions that ended although nobody asked them to. */
  lost: number;
  /** Turned away by the hub, or by HTTP. */
  refused: number;
  /** Dials that came to nothing. */
  failed: number;
  fullHandshakes: number;
  resumedHandshakes: number;
  /** Changes of the view, or messages. */
  changes: number;
  /** When the last of them was durable at its member. */
  changedAtMs: number;
  /** Acknowledgements that were sent. */
  acknowledged: number;
  acknowledgedAtMs: number;
  beats: number;
  /** The longest that a beat waited for its answer. */
  beatMsMax: number;
}

export function emptyTally(): Tally {
  return {
    members: 0,
    live: 0,
    lost: 0,
    refused: 0,
    failed: 0,
    fullHandshakes: 0,
    resumedHandshakes: 0,
    changes: 0,
    changedAtMs: 0,
    acknowledged: 0,
    acknowledgedAtMs: 0,
    beats: 0,
    beatMsMax: 0,
  };
}

/** Of several processes: counts are added, of times the latest and the longest count. */
export function summed(tallies: readonly Tally[]): Tally {
  const all = emptyTally();
  for (const tally of tallies)
    for (const name of Object.keys(all) as (keyof Tally)[])
      all[name] = /AtMs$|Max$/.test(name) ? Math.max(all[name], tally[name]) : all[name] + tally[name];
  return all;
}

/** Wall-clock ms with fractions, comparable between the processes of a machine. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
