/** Events as the hub has them, and what a terminal's own store says of them. */
import { isDeepStrictEqual } from 'node:util';
import type { NodeEvent } from '../../cloud/hub/hub-state.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { nodeSchema } from '../../runtime/store/sqlite-journal.ts';
import type { HubClient } from './hub-client.ts';

/** Reads on where it stopped: each event once, in the hub's order. */
export class EventReader {
  readonly #client: () => HubClient;
  readonly all: NodeEvent[] = [];
  #cursor = '0';

  constructor(client: () => HubClient) {
    this.#client = client;
  }

  async read(): Promise<readonly NodeEvent[]> {
    for (;;) {
      const path = `/stile/v1/events?after=${this.#cursor}`;
      const { items, cursor } = await this.#client().get<{ items: NodeEvent[]; cursor: string }>(path);
      if (items.length === 0) return this.all;
      this.all.push(...items);
      this.#cursor = cursor;
    }
  }
}

export interface Comparison {
  /** Events that the terminal has and that count as delivered. */
  compared: number;
  /** `EPOCH/SEQ` of those that the hub has not, or has otherwise. */
  lost: string[];
  doubled: string[];
}

/** Compares the store of a terminal that was stopped with what the hub has of it. */
export async function compareEvents(
  databasePath: string,
  node: string,
  hub: readonly NodeEvent[],
): Promise<Comparison> {
  const told = hub.filter((event) => event.node === node);
  const keyOf = ({ epoch, seq }: { epoch: string; seq: number }) => `${epoch}/${seq}`;
  const known = new Map(told.map((event) => [keyOf(event), event.data]));
  const keys = told.map(keyOf);
  const doubled = keys.filter((key, index) => keys.indexOf(key) !== index);
  const database = await Database.open(databasePath, nodeSchema);
  try {
    const rows = await database.all('SELECT epoch, seq, data, acked FROM event JOIN event_epoch USING (epoch)');
    const delivered = rows.filter(({ seq, acked }) => (seq as number) <= (acked as number));
    const lost = delivered.filter(
      ({ epoch, seq, data }) => !isDeepStrictEqual(known.get(`${epoch}/${seq}`), JSON.parse(data as string)),
    );
    return { compared: delivered.length, lost: lost.map(({ epoch, seq }) => `${epoch}/${seq}`), doubled };
  } finally {
    await database.close();
  }
}
