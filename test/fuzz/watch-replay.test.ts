/**
 * A list and the watch from its revision, replayed, equal the next list: under writers who get in each other's way,
 * with selectors and pages, also when what a slow reader missed is forgotten. `FUZZ_SEED=n` replays.
 */
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SimRandom } from '../sim/random.ts';
import { FuzzServer } from './api-server.ts';

interface Item {
  metadata: { name: string; resourceVersion: string };
}

interface List {
  metadata: { resourceVersion: string; continue?: string };
  items: Item[];
}

interface Told {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: Item & { code?: number };
}

const seed = Number(process.env.FUZZ_SEED ?? 20_261_123);
const WRITERS = 4;
const WRITES = 600;
const READERS = 6;
/** How many events a reader takes before it goes away, and how many writes it misses then: up to this many. */
const EVENTS_PER_VISIT_MAX = 40;
const WRITES_MISSED_MAX = 200;
const maps = '/api/v1/namespaces/default/configmaps';

let server: FuzzServer;
beforeAll(async () => {
  server = await FuzzServer.start(WRITERS + 2 * READERS, ['default']);
});
afterAll(() => server.stop());

async function ask(method: string, path: string, body?: unknown): Promise<{ code: number; body: unknown }> {
  const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
  const reply = await server.pool.request({
    method,
    path,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { code: reply.statusCode, body: await reply.body.json() };
}

/** Of all writers together. */
let writes = 0;

/** Creates, changes, relabels and deletes among few names. */
async function write(random: SimRandom): Promise<void> {
  for (let count = 0; count < WRITES; count++, writes++) {
    const name = `m${random.integer(0, 11)}`;
    const labels = { colour: random.chance(0.5) ? 'red' : 'blue' };
    const change = random.integer(0, 5);
    if (change < 2)
      await ask('POST', maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data: {} });
    else if (change < 5) await ask('PATCH', `${maps}/${name}`, { metadata: { labels }, data: { count: `${count}` } });
    else await ask('DELETE', `${maps}/${name}`);
  }
}

/** What a client has that lists once and goes on by watching, relisting only when it is told to. */
class Replica {
  readonly #random: SimRandom;
  readonly #selector: string;
  readonly #items = new Map<string, string>();
  #revision: string | undefined;
  relists = 0;

  constructor(random: SimRandom, selector: string) {
    this.#random = random;
    this.#selector = selector;
  }

  /** By name its revision, in order. */
  get state(): [string, string][] {
    return [...this.#items].sort();
  }

  async relist(): Promise<void> {
    this.#items.clear();
    this.relists++;
    const limit = this.#random.chance(0.5) ? '' : '&limit=3';
    let token: string | undefined = '';
    do {
      const { code, body } = await ask('GET', `${maps}?labelSelector=${this.#selector}${limit}&continue=${token}`);
      // The pages' snapshot is forgotten: begin anew, as a reflector does.
      if (code === 410) return this.relist();
      const { items, metadata } = body as List;
      for (const item of items) this.#items.set(item.metadata.name, item.metadata.resourceVersion);
      this.#revision = metadata.resourceVersion;
      token = metadata.continue;
    } while (token);
  }

  /** Takes events until it has had `most`, or has reached the revision `until`. */
  async follow(most: number, until?: number): Promise<void> {
    if (this.#revision === undefined) await this.relist();
    if (until !== undefined && Number(this.#revision) >= until) return;
    const path = `${maps}?watch=true&allowWatchBookmarks=true&labelSelector=${this.#selector}&resourceVersion=${this.#revision}&timeoutSeconds=2`;
    const reply = await server.pool.request({ method: 'GET', path });
    if (reply.statusCode === 410) {
      await reply.body.dump();
      return this.relist();
    }
    let taken = 0;
    for await (const told of eventsOf(reply.body)) {
      if (told.type === 'ERROR') {
        expect(told.object.code).toBe(410);
        return this.relist();
      }
      this.#apply(told);
      if (++taken >= most || (until !== undefined && Number(this.#revision) >= until)) return;
    }
  }

  #apply({ type, object: { metadata } }: Told): void {
    const { name, resourceVersion } = metadata;
    expect(Number(resourceVersion), 'revisions never go back').toBeGreaterThanOrEqual(Number(this.#revision));
    this.#revision = resourceVersion;
    if (type === 'BOOKMARK') return;
    // An ADDED of what is there, or anything of what is not, would be told twice or lost.
    expect(this.#items.has(name), `${type} ${name}`).toBe(type !== 'ADDED');
    if (type === 'DELETED') this.#items.delete(name);
    else this.#items.set(name, resourceVersion);
  }
}

async function* eventsOf(body: Readable): AsyncGenerator<Told> {
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as Told;
  }
}

it('under concurrent writers and compaction every replica ends as the list is', { timeout: 120_000 }, async () => {
  console.log(`fuzz seed ${seed}`);
  const random = new SimRandom(seed);
  const selectors = ['', 'colour%3Dred'];
  const readers = Array.from(
    { length: READERS },
    (_, index) => new Replica(random.fork(`reader ${index}`), selectors[index % 2]!),
  );
  let writing = true;
  const written = Promise.all(
    Array.from({ length: WRITERS }, (_, index) => write(random.fork(`writer ${index}`))),
  ).finally(() => {
    writing = false;
  });
  const followed = readers.map(async (reader, index) => {
    const visits = random.fork(`visits ${index}`);
    while (writing) {
      await reader.follow(visits.integer(1, EVENTS_PER_VISIT_MAX));
      const back = writes + visits.integer(0, WRITES_MISSED_MAX);
      while (writing && writes < back) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  await Promise.all([written, ...followed]);
  for (const [index, reader] of readers.entries()) {
    const { body } = await ask('GET', `${maps}?labelSelector=${selectors[index % 2]}`);
    const { items, metadata } = body as List;
    await reader.follow(Number.POSITIVE_INFINITY, Number(metadata.resourceVersion));
    const expected = items.map(({ metadata: { name, resourceVersion } }) => [name, resourceVersion]);
    expect(reader.state, `reader ${index} at ${metadata.resourceVersion}`).toEqual(expected.sort());
  }
  // Some fell behind what is remembered, or the test has not seen that case.
  expect(readers.map(({ relists }) => relists).some((relists) => relists > 1)).toBe(true);
});
