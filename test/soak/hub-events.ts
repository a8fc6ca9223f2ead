/** What the hub has of a terminal's events, read as a back end reads them: by cursor, each page once. */
import type { HubClient } from '../house/hub-client.ts';
import type { EventSource } from './event-sources.ts';

export interface HubEvent {
  node: string;
  epoch: string;
  seq: number;
  type: string;
  data: unknown;
}

interface Page {
  items: HubEvent[];
  cursor: number;
}

const PAGE_EVENTS = 1_000;

export class HubEvents {
  readonly #client: HubClient;
  readonly #node: string;
  readonly #sources: readonly EventSource[];
  readonly #last = new Map<string, number>();
  readonly #of = new Map<EventSource, number>();
  /** Events that did not follow the one before them in their epoch: one was lost, or came twice. */
  readonly outOfOrder: string[] = [];
  #cursor = 0;
  total = 0;

  constructor(client: HubClient, node: string, sources: readonly EventSource[]) {
    this.#client = client;
    this.#node = node;
    this.#sources = sources;
  }

  /** Reads on to the end. */
  async read(): Promise<void> {
    for (;;) {
      const query = `node=${this.#node}&after=${this.#cursor}&limit=${PAGE_EVENTS}`;
      const { items, cursor } = await this.#client.get<Page>(`/stile/v1/events?${query}`);
      for (const event of items) this.#take(event);
      this.#cursor = cursor;
      if (items.length < PAGE_EVENTS) return;
    }
  }

  countOf(source: EventSource): number {
    return this.#of.get(source) ?? 0;
  }

  /** Epoch to its last sequence. */
  get last(): ReadonlyMap<string, number> {
    return this.#last;
  }

  #take(event: HubEvent): void {
    const { epoch, seq } = event;
    const before = this.#last.get(epoch) ?? 0;
    if (seq !== before + 1) this.outOfOrder.push(`${epoch.slice(0, 8)}: ${before}, then ${seq}`);
    this.#last.set(epoch, Math.max(before, seq));
    this.total += 1;
    for (const source of this.#sources) if (source.isMine(event)) this.#of.set(source, (this.#of.get(source) ?? 0) + 1);
  }
}
