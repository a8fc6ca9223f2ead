/**
 * A watch: one line of JSON per event for as long as the client stays (kubernetes.io, "Kubernetes API concepts",
 * efficient detection of changes, watch bookmarks, streaming lists).
 *
 *     revision unset or 0, or sendInitialEvents:  list → ADDED … → [initial-events-end] → events after the list
 *     revision given:                             events after it
 *     end:  time is over → the stream ends;  fault → one ERROR event with a Status, then the stream ends
 */
import type { Env } from '../../env.ts';
import { AppError } from '../../errors.ts';
import type { KubeObject } from '../../kubernetes.ts';
import type { Revision, Watch, WatchEvent } from '../store/resource-reader.ts';
import { bounds } from './bounds.ts';
import { type WatchParameters, watchParameters } from './parameters.ts';
import type { Answer, Call, LineSink, ReadParts } from './parts.ts';
import { renderingOf } from './read.ts';
import { type Rendering, renderBookmark, renderObject } from './rendering.ts';
import { statusOf } from './status.ts';

/** The annotation of the bookmark that ends the initial state. */
const initialEventsEnd = { 'k8s.io/initial-events-end': 'true' };

type ToldType = 'ADDED' | 'MODIFIED' | 'DELETED';

export function watchObjects(env: Env, parts: ReadParts, call: Call): Answer {
  const parameters = watchParameters(call);
  // Faults of the parameters and of the view are answered as such, before the stream begins.
  const rendering = renderingOf(env, call);
  return { type: 'lines', run: (sink) => new WatchStream(env, parts, call, parameters, rendering, sink).run() };
}

class WatchStream {
  readonly #env: Env;
  readonly #parts: ReadParts;
  readonly #call: Call;
  readonly #parameters: WatchParameters;
  readonly #rendering: Rendering;
  readonly #sink: LineSink;
  /** Aborts when this stream is over, for whatever reason. */
  readonly #over = new AbortController();
  #headingsSent = false;
  /** Everything up to here was told. */
  #revision: Revision = '';
  #bookmarked: Revision = '';

  constructor(
    env: Env,
    parts: ReadParts,
    call: Call,
    parameters: WatchParameters,
    rendering: Rendering,
    sink: LineSink,
  ) {
    this.#env = env;
    this.#parts = parts;
    this.#call = call;
    this.#parameters = parameters;
    this.#rendering = rendering;
    this.#sink = sink;
  }

  async run(): Promise<void> {
    const end = () => this.#over.abort();
    this.#call.signal.addEventListener('abort', end, { once: true });
    if (this.#call.signal.aborted) end();
    let watch: Watch | undefined;
    try {
      const from = await this.#begin();
      this.#revision = from;
      if (this.#over.signal.aborted) return;
      watch = this.#parts.store.watch(
        this.#call.kind,
        { ...this.#parameters.scope, from },
        { onEvent: (event) => this.#onEvent(event), onEnd: (error) => this.#fail(error) },
      );
      await this.#untilOver();
    } catch (error) {
      this.#fail(error);
    } finally {
      watch?.close();
      this.#call.signal.removeEventListener('abort', end);
    }
  }

  /** Tells the initial state where it is asked for; resolves to the revision after which events follow. */
  async #begin(): Promise<Revision> {
    const { revision, initialEvents, bookmarks, scope } = this.#parameters;
    const known = revision !== undefined && revision !== '0';
    if (known && !initialEvents) return revision;
    if (this.#call.query.has('sendInitialEvents') && !initialEvents) return this.#parts.store.revision(this.#call.kind);
    const { items, revision: listed } = await this.#parts.store.list(this.#call.kind, scope);
    for (let from = 0; from < items.length && !this.#over.signal.aborted; from += bounds.sliceItems) {
      for (const object of items.slice(from, from + bounds.sliceItems)) this.#write('ADDED', object);
      await this.#sink.drained();
    }
    this.#revision = listed;
    if (initialEvents && bookmarks) this.#bookmark(initialEventsEnd);
    return listed;
  }

  #onEvent(event: WatchEvent): void {
    if (this.#over.signal.aborted) return;
    this.#revision = event.revision;
    if (event.type === 'BOOKMARK') {
      if (this.#parameters.bookmarks) this.#bookmark();
    } else this.#write(event.type, event.object);
    // A reader this slow would cost the memory of everybody: it lists again when it is ready.
    if (this.#sink.waitingBytes() <= (this.#parts.bounds?.watchBufferBytesMax ?? bounds.watchBufferBytesMax)) return;
    this.#sink.abandon();
    this.#over.abort();
  }

  #write(type: ToldType, object: KubeObject): void {
    if (this.#rendering.view.as === 'object') {
      this.#sink.write(sharedLine(type, object));
      return;
    }
    const rendering = { ...this.#rendering, nowMs: this.#env.clock.now() };
    const rendered = renderObject(rendering, object, !this.#headingsSent);
    this.#headingsSent = true;
    this.#sink.write(`{"type":"${type}","object":${JSON.stringify(rendered)}}\n`);
  }

  #bookmark(annotations?: object): void {
    this.#bookmarked = this.#revision;
    const object = renderBookmark(this.#rendering, this.#revision, annotations);
    this.#sink.write(`{"type":"BOOKMARK","object":${JSON.stringify(object)}}\n`);
  }

  #fail(error: unknown): void {
    if (this.#over.signal.aborted) return;
    if (!(error instanceof AppError)) this.#env.log.error('watch failed', { err: error });
    this.#sink.write(`{"type":"ERROR","object":${JSON.stringify(statusOf(error))}}\n`);
    this.#over.abort();
  }

  /** Waits for the end, sending a bookmark now and then. */
  async #untilOver(): Promise<void> {
    const { clock, random } = this.#env;
    const timeoutMs = this.#parameters.timeoutMs ?? bounds.watchMs * (1 + random.next());
    const endMs = clock.monotonic() + timeoutMs;
    while (!this.#over.signal.aborted) {
      const leftMs = endMs - clock.monotonic();
      if (leftMs <= 0) break;
      await clock.sleep(Math.min(leftMs, bounds.bookmarkMs), this.#over.signal).catch(() => {});
      if (!this.#over.signal.aborted && this.#parameters.bookmarks && this.#revision !== this.#bookmarked)
        this.#bookmark();
    }
    this.#over.abort();
  }
}

/** A store tells one change to all watches before the next, so that the last line is all that is worth keeping. */
let last: { type: ToldType; object: KubeObject; line: Uint8Array } | undefined;

/** The line of an object as it is, made once for all who watch it; objects of a store never change. */
function sharedLine(type: ToldType, object: KubeObject): Uint8Array {
  if (last?.object !== object || last.type !== type)
    last = { type, object, line: Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`) };
  return last.line;
}
