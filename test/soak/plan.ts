/** How long a soak does what, and what it must stay within. Pure. */

/** One after the other; the load of each is in `main.ts`. */
export interface Phases {
  /** Flapping link, events, changes of the view. */
  busyMs: number;
  /** Events alone, over a link that holds: what an event costs. */
  eventsMs: number;
  /** Nothing: what a terminal writes when nobody wants anything. */
  quietMs: number;
}

export interface Plan extends Phases {
  /** The part of the busy time that is not looked at: code is compiled, heaps find their size. */
  warmUpMs: number;
  sampleMs: number;
  /** The link is down for `downMs` at the end of each `periodMs`. */
  link: { periodMs: number; downMs: number };
  changeMs: number;
  eventMs: number;
  /** After a phase: until the hub has everything. */
  settleMsMax: number;
  bounds: Bounds;
}

export interface Bounds {
  /**
   * What is alive in the heap, and anonymous memory besides it, may surely grow (lower end of the 95 % interval) by
   * so much in an hour; undefined where a run is too short for a slope, because code is still being compiled.
   */
  bytesPerHour: number | undefined;
  /** Anonymous memory, heap and all: from its lowest floor after the warm-up to its last. */
  growthBytes: number;
  /** Medians of the first and of the last third of what is looked at may differ by so many. */
  openFiles: number;
  threads: number;
  /** Two come and go by the load itself: the guest, and the one that is restarted. */
  processes: number;
  /** In the quiet time: as much as the budget of a day allows, or this where the time is too short for a share of it. */
  quietBytesMin: number;
  /** The budget itself. */
  idleBytesPerDay: number;
}

const MINUTE_MS = 60_000;
const MIB = 2 ** 20;
/** From here on slopes are judged. */
const LONG_MINUTES = 15;

/** `idleBytesPerDay`: the budget of an idle terminal. */
export function planFor(minutes: number, idleBytesPerDay: number): Plan {
  const long = minutes >= LONG_MINUTES;
  const totalMs = minutes * MINUTE_MS;
  return {
    busyMs: totalMs * 0.8,
    eventsMs: totalMs * 0.1,
    quietMs: totalMs * 0.1,
    warmUpMs: totalMs * 0.8 * (long ? 0.25 : 0.4),
    sampleMs: long ? 5_000 : 1_000,
    link: long ? { periodMs: MINUTE_MS, downMs: 20_000 } : { periodMs: totalMs / 8, downMs: totalMs / 24 },
    changeMs: 7_000,
    eventMs: 2_000,
    settleMsMax: 3 * MINUTE_MS,
    bounds: {
      bytesPerHour: long ? 6 * MIB : undefined,
      growthBytes: long ? 16 * MIB : 24 * MIB,
      openFiles: 4,
      threads: 1,
      processes: 2,
      quietBytesMin: 64 * 1024,
      idleBytesPerDay,
    },
  };
}
