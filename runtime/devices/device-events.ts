/**
 * What happened at devices, for those who listen on this terminal: a scan, a jam. Events are moments: the last ones of
 * each device are remembered in memory for a listener that was away for a moment, and nothing is kept over a restart.
 * What must not be lost an app appends to the outbox.
 */
import { type Clock, type Random, randomHex } from '../../protocol/env.ts';
import type { Json } from '../../protocol/kubernetes.ts';

export interface DeviceEvent {
  device: string;
  /** The resource whose tag is `event`. */
  name: string;
  data: Json;
  timeMs: number;
  /** Rises with each event of this life. */
  number: number;
}

/** Of each device. */
export const EVENTS_REMEMBERED_MAX = 256;

export class DeviceEvents {
  /** Numbers of another life mean nothing. */
  readonly life: string;
  readonly #clock: Clock;
  readonly #rings = new Map<string, DeviceEvent[]>();
  readonly #handlers = new Set<(event: DeviceEvent) => void>();
  #number = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.life = randomHex(random, 8);
  }

  /** Of the newest event. */
  get number(): number {
    return this.#number;
  }

  add(device: string, name: string, data: Json): void {
    this.#number += 1;
    const event = { device, name, data, timeMs: this.#clock.now(), number: this.#number };
    const ring = this.#rings.get(device) ?? [];
    this.#rings.set(device, ring);
    ring.push(event);
    if (ring.length > EVENTS_REMEMBERED_MAX) ring.shift();
    for (const handler of this.#handlers) handler(event);
  }

  /** Those of this name that came after `number` and are remembered. */
  after(device: string, name: string, number: number): DeviceEvent[] {
    return (this.#rings.get(device) ?? []).filter((event) => event.number > number && event.name === name);
  }

  /** `handler` must not throw. */
  onEvent(handler: (event: DeviceEvent) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  forget(device: string): void {
    this.#rings.delete(device);
  }
}
