/** The local API with twins behind it: a real store and real sockets, a hub that only tells. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { appEvents } from '../../../runtime/local-api/app-events.ts';
import { EventShares } from '../../../runtime/local-api/event-shares.ts';
import { LocalApi } from '../../../runtime/local-api/local-api.ts';
import { twinSockets } from '../../../runtime/local-api/twin-socket.ts';
import { twinsEndpoint } from '../../../runtime/local-api/twins-endpoint.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import { Twins } from '../../../runtime/twins/twins.ts';

export const NODE = 'gate-1';
const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };

export const pods: ReadonlyMap<string, { namespace: string; name: string; annotations?: Record<string, string> }> =
  new Map([
    ['reader', { namespace: 'default', name: 'reader' }],
    ['blind', { namespace: 'default', name: 'blind', annotations: { 'stile.dev/twins': 'self=reported' } }],
    ['writer', { namespace: 'default', name: 'writer', annotations: { 'stile.dev/twins': '*=get,reported' } }],
  ]);

export interface Ask {
  method?: string;
  /** Uid of the pod; default: the owner. */
  as?: string;
  body?: Json;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Json;
}

export interface Life {
  api: LocalApi;
  twins: Twins;
  store: NodeStore;
  ask(path: string, ask?: Ask): Promise<Answer>;
  open(path: string, ask?: Ask): Promise<IncomingMessage>;
  close(): Promise<void>;
}

export function useTwinsApi(): { begin(dataDir?: string): Promise<Life>; directory(): Promise<string> } {
  const closers: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  const directory = async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'stile-twins-'));
    closers.push(() => rm(dataDir, { recursive: true, force: true }));
    return dataDir;
  };
  const begin = async (given?: string): Promise<Life> => {
    const dataDir = given ?? (await directory());
    const life = await openLife(dataDir);
    closers.push(() => life.close());
    return life;
  };
  return { begin, directory };
}

async function openLife(dataDir: string): Promise<Life> {
  const options = { dataDir, nodeName: NODE, openToUsers: false, tcp: { host: '127.0.0.1', port: 0 } };
  const api = await LocalApi.open(env, options, (uid) => pods.get(uid));
  const store = await NodeStore.open(systemClock, await SqliteJournal.open(join(dataDir, 'state.db'), 'e'.repeat(32)));
  const fail = (error: unknown) => {
    throw error;
  };
  const twins = new Twins(env, { nodeName: NODE }, { store, putState: () => {} }, fail);
  await twins.start();
  const sockets = twinSockets(env, twins, api.principals);
  const handlers = [
    appEvents((event, admit) => store.append(event, admit), new EventShares(store)),
    twinsEndpoint(twins, api.principals),
  ];
  api.serve({ handlers, upgrade: (upgrade) => sockets.upgrade(upgrade), unready: () => [] });
  const open = (path: string, { method = 'GET', as, body, headers = {} }: Ask = {}): Promise<IncomingMessage> => {
    const token = as === undefined ? api.principals.ownerToken : api.access.tokenOf(as);
    return new Promise((resolve, reject) => {
      const socketPath = api.access.socket;
      const shown = { authorization: `Bearer ${token}`, ...headers };
      const request = httpRequest({ socketPath, path, method, headers: shown, agent: false }, resolve);
      request.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  };
  const ask = async (path: string, options?: Ask): Promise<Answer> => {
    const response = await open(path, options);
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode!, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  };
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await api.close();
    await twins.stop();
    await store.close();
  };
  return { api, twins, store, ask, open, close };
}

/** Events of a stream, as they come. */
export class Events {
  readonly seen: { id: string | undefined; data: Json }[] = [];
  readonly #response: IncomingMessage;
  #rest = '';

  constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
    response.on('error', () => {});
  }

  close(): void {
    this.#response.destroy();
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  #take(chunk: string): void {
    const blocks = (this.#rest + chunk).split('\n\n');
    this.#rest = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) this.seen.push({ id: /^id: (.*)$/m.exec(block)?.[1], data: JSON.parse(data) as Json });
    }
  }
}
