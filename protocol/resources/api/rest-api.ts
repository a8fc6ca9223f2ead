/**
 * The Kubernetes REST API over a `ResourceReader` (kubernetes.io, "Kubernetes API concepts"): the hub's over its
 * store, to which it adds what changes something, and a terminal's over its view. The listener, TLS and the question
 * who the caller is belong to whoever calls `handle`.
 *
 *   room for one more? → route → may this caller? → handler → answer → audit
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Env } from '../../env.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';
import { bounds } from './bounds.ts';
import { Documents } from './documents.ts';
import { sendAnswer, sendStatus } from './http-answer.ts';
import { type ApiRequest, type Identity, userOf } from './identity.ts';
import { viewOf } from './negotiation.ts';
import type { Answer, ApiParts, Call, HostBounds, ReadParts, Review } from './parts.ts';
import { readBody } from './request-body.ts';
import { handlerOf, writeVerbs } from './resources.ts';
import { type ResourcePath, routeOf, verbOf } from './route.ts';
import { noSuchPath, refuse, type Status, StatusError, type Subject, statusOf, tooManyRequests } from './status.ts';
import { VisibleReader } from './visible-reader.ts';

export interface Api {
  /**
   * Answers one request; never rejects. `identity` is undefined for a caller who has shown nothing. A watch ends in good
   * order when `signal` aborts.
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Ends all watches and waits for the requests being answered. Idempotent. */
  stop(): Promise<void>;
}

/** One request on its way to its answer; the audit record is made from what was learnt. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  identity: Identity | undefined;
  /** Percent-encoded, without the query. */
  pathname: string;
  query: URLSearchParams;
  signal: AbortSignal;
  subject: Subject;
  /** What is asked of a kind that is served, before it is known whether the caller may. */
  asked?: Pick<Call, 'kind' | 'path' | 'verb'>;
  call?: Call;
  bodyBytes: number;
}

export function createRestApi<K extends ResourceKind>(env: Env, parts: ApiParts<K>): Api {
  return new RestApi(env, parts);
}

class RestApi<K extends ResourceKind> implements Api {
  readonly #env: Env;
  readonly #parts: ApiParts<K>;
  readonly #documents: Documents<K>;
  readonly #bounds: HostBounds;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Requests being answered, watches not counted. */
  #requestCount = 0;
  readonly #requestsByUser = new Map<string, number>();
  readonly #watchesByUser = new Map<string, number>();

  constructor(env: Env, parts: ApiParts<K>) {
    this.#env = env;
    this.#parts = parts;
    this.#documents = new Documents(parts);
    this.#bounds = { ...bounds, ...parts.bounds };
  }

  handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const answered = this.#answer(request, response, identity, signal).finally(() => this.#running.delete(answered));
    this.#running.add(answered);
    return answered;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort();
    response.once('close', end);
    // A client that goes away in the middle is no fault of ours; `close` follows.
    response.on('error', end);
    for (const ending of [this.#stopping.signal, signal]) {
      ending?.addEventListener('abort', end, { once: true });
      if (ending?.aborted) end();
    }
    const exchange: Exchange = {
      request,
      response,
      identity,
      ...targetOf(request),
      signal: over.signal,
      subject: {},
      bodyBytes: 0,
    };
    let code = 500;
    try {
      code = await this.#perform(exchange);
    } catch (error) {
      const status = this.#statusOf(exchange, error);
      code = status.code;
      await refuseWith(exchange, status);
    } finally {
      for (const ending of [this.#stopping.signal, signal]) ending?.removeEventListener('abort', end);
      over.abort();
      this.#audit(exchange, code);
    }
  }

  /** Resolves to the code that was sent when the whole answer is sent, a watch included. */
  async #perform(exchange: Exchange): Promise<number> {
    const release = this.#holdRequest(exchange);
    try {
      const answer = await this.#dispatch(exchange);
      if (answer.type !== 'lines') {
        await sendAnswer(exchange.response, answer, exchange.signal);
        return answer.code;
      }
      release();
      const releaseWatch = this.#holdWatch(exchange.identity);
      try {
        await sendAnswer(exchange.response, answer, exchange.signal);
      } finally {
        releaseWatch();
      }
      return 200;
    } finally {
      release();
    }
  }

  async #dispatch(exchange: Exchange): Promise<Answer> {
    const { request, pathname } = exchange;
    const route = routeOf(pathname);
    if (route.type === 'resource') return this.#resource(exchange, route.path);
    await this.#permit(exchange, (request.method ?? 'GET').toLowerCase());
    if (route.type === 'unknown') throw noSuchPath();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw refuse('MethodNotAllowed', 'only GET is served at this path');
    return this.#documents.answer(route, request.headers.accept);
  }

  async #resource(exchange: Exchange, path: ResourcePath): Promise<Answer> {
    const { request, query, identity } = exchange;
    const contentType = request.headers['content-type'];
    const body = async () => {
      const bytes = await readBody(request);
      exchange.bodyBytes = bytes.length;
      return bytes;
    };
    const verb = verbOf(request.method ?? '', path, query);
    if (verb === undefined) throw refuse('MethodNotAllowed', `${request.method} is not a method of this API`);
    const review = this.#parts.beyondReading?.reviews.find((one) => isAt(one, path));
    if (review !== undefined && verb === 'create' && path.name === undefined) {
      // Everybody who has a name may ask what they may do.
      if (identity === undefined) throw refuse('Unauthorized', 'Unauthorized: show a client certificate');
      return review.answer(identity, this.#parts.authorize, body, contentType);
    }
    const kind = this.#parts.kinds.kindByPlural(path.group, path.version, path.plural);
    if (kind !== undefined) {
      exchange.subject = path.name === undefined ? { kind } : { kind, name: path.name };
      exchange.asked = { kind, path, verb };
    }
    await this.#permit(exchange, verb, path);
    if (kind === undefined) throw noSuchPath();
    const view = viewOf(request.headers.accept);
    const call: Call<K> = {
      verb,
      kind,
      path,
      query,
      view,
      identity,
      contentType,
      userAgent: request.headers['user-agent'] ?? '',
      signal: exchange.signal,
      body,
      facts: { dryRun: query.has('dryRun') },
    };
    exchange.call = call;
    return handlerOf(this.#parts.beyondReading, call)(this.#env, this.#readPartsOf(kind, identity), call);
  }

  /** The store as this caller sees it. */
  #readPartsOf(kind: K, identity: Identity | undefined): ReadParts {
    const { store, visible } = this.#parts;
    const narrowed =
      visible === undefined
        ? store
        : new VisibleReader(store, (namespace, name) => visible(identity, kind, namespace, name));
    return { store: narrowed, bounds: this.#bounds };
  }

  async #permit({ identity, pathname }: Exchange, verb: string, resource?: ResourcePath): Promise<void> {
    const asked: ApiRequest = { identity, verb, path: pathname, ...(resource === undefined ? {} : { resource }) };
    const decision = await this.#parts.authorize(asked);
    if (!decision.allowed) throw forbidden(asked, decision.reason);
  }

  /** Takes one of the places for requests and starts their time; the returned function gives both back, once. */
  #holdRequest({ response, identity }: Exchange): () => void {
    if (this.#stopping.signal.aborted) throw refuse('ServiceUnavailable', 'the server is stopping: try again');
    const { requestsMax, requestsPerUserMax, requestMs } = this.#bounds;
    if (this.#requestCount >= requestsMax)
      throw tooManyRequests(`more than ${requestsMax} requests are being answered: try again`);
    const user = userOf(identity);
    if ((this.#requestsByUser.get(user) ?? 0) >= requestsPerUserMax)
      throw tooManyRequests(`more than ${requestsPerUserMax} requests of ${user} are being answered: try again`);
    const releaseUser = holdOne(this.#requestsByUser, user);
    this.#requestCount++;
    const held = new AbortController();
    const expired = () => response.destroy();
    this.#env.clock.sleep(requestMs, held.signal).then(expired, () => {});
    return () => {
      if (held.signal.aborted) return;
      held.abort();
      releaseUser();
      this.#requestCount--;
    };
  }

  #holdWatch(identity: Identity | undefined): () => void {
    const user = userOf(identity);
    const held = this.#watchesByUser.get(user) ?? 0;
    if (held >= this.#bounds.watchesPerUserMax)
      throw tooManyRequests(`${user} has ${held} watches open, which is the most: close some`);
    return holdOne(this.#watchesByUser, user);
  }

  #statusOf(exchange: Exchange, error: unknown): Status {
    const status = statusOf(error, exchange.subject);
    const expected = error instanceof StatusError || exchange.signal.aborted;
    if (status.code >= 500 && !expected)
      this.#env.log.error('api request failed', { path: exchange.pathname, err: error });
    return status;
  }

  #audit({ asked, call, query, identity, request, bodyBytes }: Exchange, code: number): void {
    if (asked === undefined || !writeVerbs.has(asked.verb)) return;
    const { kind, path, verb } = asked;
    // Who may not do it at all has not been listened to.
    const facts: Call['facts'] = call?.facts ?? { dryRun: query.has('dryRun') };
    const plural = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
    const name = path.name ?? facts.name;
    this.#parts.audit({
      timeMs: this.#env.clock.now(),
      user: userOf(identity),
      groups: identity?.groups ?? [],
      verb,
      resource: path.subresource === undefined ? plural : `${plural}/${path.subresource}`,
      version: kind.version,
      ...(path.namespace === undefined ? {} : { namespace: path.namespace }),
      ...(name === undefined ? {} : { name }),
      sourceAddress: request.socket.remoteAddress ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      dryRun: facts.dryRun,
      code,
      bytes: facts.changeBytes ?? bodyBytes,
    });
  }
}

/** Counts one more for `user`; the returned function takes it back and is called once. */
function holdOne(byUser: Map<string, number>, user: string): () => void {
  byUser.set(user, (byUser.get(user) ?? 0) + 1);
  return () => {
    const left = byUser.get(user)! - 1;
    if (left === 0) byUser.delete(user);
    else byUser.set(user, left);
  };
}

function isAt(review: Review, { group, version, plural }: ResourcePath): boolean {
  return review.group === group && review.version === version && review.plural === plural;
}

/** The request line's path as it came: a URL parser would fold `..` and hide what was asked for. */
function targetOf(request: IncomingMessage): { pathname: string; query: URLSearchParams } {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  if (mark < 0) return { pathname: target, query: new URLSearchParams() };
  return { pathname: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

async function refuseWith({ request, response }: Exchange, status: Status): Promise<void> {
  if (response.destroyed) return;
  // Half an answer cannot be taken back; a broken connection says that it is none.
  if (response.headersSent) response.destroy();
  else await sendStatus(response, status, !request.complete);
}

function forbidden({ identity, verb, path, resource }: ApiRequest, reason: string): StatusError {
  const user = `User ${JSON.stringify(userOf(identity))}`;
  const why = reason === '' ? '' : `: ${reason}`;
  if (resource === undefined)
    return refuse('Forbidden', `forbidden: ${user} cannot ${verb} path ${JSON.stringify(path)}${why}`);
  const { group, plural, subresource, namespace, name } = resource;
  const what = group === '' ? plural : `${plural}.${group}`;
  const part = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return refuse(
    'Forbidden',
    `${what}${name === undefined ? '' : ` "${name}"`} is forbidden: ${user} cannot ${verb} resource "${part}" in API group "${group}" ${where}${why}`,
    { kind: plural, ...(group === '' ? {} : { group }), ...(name === undefined ? {} : { name }) },
  );
}
