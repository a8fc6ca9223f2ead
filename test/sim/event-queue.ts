/** What is to happen, by time and then by order of asking. */

export interface Timer {
  /** Idempotent, also after it fired. */
  cancel(): void;
}

/** What timers belong to. Timers of an owner that is not alive never fire. */
export interface Owner {
  alive: boolean;
  timers: number;
}

/** A binary heap. Cancelled entries stay until they come up or outnumber the live ones; they are counted. */
export class EventQueue {
  #heap: Event[] = [];
  #sequence = 0;
  #cancelled = 0;

  /** Entries that are to fire. Those of dead owners are not. */
  get live(): number {
    this.#sweep();
    return this.#heap.length;
  }

  push(atMs: number, callback: () => void, owner: Owner | undefined): Event {
    if (!Number.isFinite(atMs)) throw new RangeError(`cannot schedule at ${atMs} ms`);
    const event = new Event(this, atMs, this.#sequence, callback, owner);
    this.#sequence += 1;
    if (owner !== undefined) owner.timers += 1;
    this.#heap.push(event);
    siftUp(this.#heap, this.#heap.length - 1);
    return event;
  }

  /** The first live event not after `untilMs`. */
  take(untilMs: number): Event | undefined {
    for (let event = this.#heap[0]; event !== undefined; event = this.#heap[0]) {
      const dead = isDead(event);
      if (!dead && event.atMs > untilMs) return undefined;
      removeFirst(this.#heap);
      if (event.over) this.#cancelled -= 1;
      else this.#finish(event);
      if (!dead) return event;
    }
    return undefined;
  }

  cancel(event: Event): void {
    this.#finish(event);
    // The callback's closure would be kept until its time.
    event.callback = nothing;
    this.#cancelled += 1;
    if (this.#cancelled > 1_000 && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  #finish(event: Event): void {
    event.over = true;
    if (event.owner !== undefined) event.owner.timers -= 1;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((event) => !isDead(event));
    this.#cancelled = 0;
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index -= 1) siftDown(this.#heap, index);
  }
}

class Event implements Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly owner: Owner | undefined;
  callback: () => void;
  /** Fired or cancelled. */
  over = false;
  readonly #queue: EventQueue;

  constructor(queue: EventQueue, atMs: number, sequence: number, callback: () => void, owner: Owner | undefined) {
    this.#queue = queue;
    this.atMs = atMs;
    this.sequence = sequence;
    this.callback = callback;
    this.owner = owner;
  }

  cancel(): void {
    if (!this.over) this.#queue.cancel(this);
  }
}

function nothing(): void {}

function isDead(event: Event): boolean {
  return event.over || event.owner?.alive === false;
}

function before(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}

function removeFirst(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  siftDown(heap, 0);
}

function siftUp(heap: Event[], start: number): void {
  const event = heap[start]!;
  let index = start;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(event, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = event;
}

function siftDown(heap: Event[], start: number): void {
  const event = heap[start]!;
  let index = start;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, event)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = event;
}
