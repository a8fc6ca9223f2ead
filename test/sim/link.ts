/** One direction between two simulated hosts: how long it takes, what it does wrong, what went through. */
import type { SimRandom } from './random.ts';

/** One direction between two hosts. Rates are probabilities per message. */
export interface LinkProfile {
  latencyMs: number;
  /** Up to so much more, drawn per message; order is kept. */
  jitterMs: number;
  bytesPerSecond: number;
  /** The message breaks its connection instead of arriving. */
  resetRate: number;
  lossRate: number;
  duplicateRate: number;
  /** The message arrives up to `reorderMs` later and lets others pass. */
  reorderRate: number;
  reorderMs: number;
  /** A dial fails at once. */
  refuseRate: number;
}

export const calmLink: LinkProfile = {
  latencyMs: 20,
  jitterMs: 5,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  resetRate: 0,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  reorderMs: 200,
  refuseRate: 0,
};

/** What becomes of channels that had traffic during a cut. */
export type AfterHeal = 'dead' | 'resume';
export interface Traffic {
  messagesSent: number;
  bytesSent: number;
  messagesDelivered: number;
  bytesDelivered: number;
  lost: number;
  duplicated: number;
  reordered: number;
  resets: number;
  dials: number;
  dialsRefused: number;
}

/** One direction between two hosts, shared by all their channels. */
export class Link {
  readonly from: string;
  readonly to: string;
  readonly profile: LinkProfile;
  readonly traffic: Traffic = noTraffic();
  cut: AfterHeal | undefined;
  /** Arrivals that wait for the end of a `resume` cut, in order. */
  readonly held: (() => void)[] = [];
  /** World time at which the line has sent everything that it was handed. */
  busyUntilMs = 0;

  constructor(from: string, to: string, profile: LinkProfile) {
    this.from = from;
    this.to = to;
    this.profile = profile;
  }

  delayMs(random: SimRandom): number {
    return this.profile.latencyMs + (this.profile.jitterMs > 0 ? random.between(0, this.profile.jitterMs) : 0);
  }
}

export function noTraffic(): Traffic {
  return {
    messagesSent: 0,
    bytesSent: 0,
    messagesDelivered: 0,
    bytesDelivered: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    resets: 0,
    dials: 0,
    dialsRefused: 0,
  };
}

export function addTraffic(total: Traffic, part: Traffic): void {
  for (const key of Object.keys(total) as (keyof Traffic)[]) total[key] += part[key];
}
