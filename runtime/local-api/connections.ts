/**
 * The connections of the local API and what each of them holds: who is there, and who must go when one more comes. One
 * caller, or many that show no token, take places from themselves and never from the others.
 *
 *   one that shows no token, too many of them   the oldest of those goes
 *   a caller's own, too many of them            its oldest idle one goes
 *   all, too many                               one of whoever has the most goes: idle ones first, the oldest first
 */
import type { Duplex } from 'node:stream';
import { AppError } from '../../protocol/errors.ts';

/** Of both doors together. */
export const CONNECTIONS_MAX = 256;
/** Connections that have shown no valid token yet. */
export const UNKNOWN_CONNECTIONS_MAX = 64;
/** Requests of one caller under way, those that observe included, until their answers are taken. */
export const REQUESTS_PER_CALLER_MAX = 64;
/** More than it can have requests on, so that one of them is idle. */
export const CONNECTIONS_PER_CALLER_MAX = 80;
/** Bytes that wait for all readers together. Above it, whoever lets the most wait is cut off. */
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;

interface Connection {
  socket: Duplex;
  caller: string | undefined;
  /** Whether the caller may still do what it could when its last request began. */
  holds: () => boolean;
  /** Ends of its requests that are under way. */
  underWay: Set<() => void>;
}

export class Connections {
  /** The one with the latest request last. */
  readonly #all = new Map<Duplex, Connection>();
  readonly #onCut: (caller: string | undefined, why: string) => void;

  constructor(onCut: (caller: string | undefined, why: string) => void) {
    this.#onCut = onCut;
  }

  get size(): number {
    return this.#all.size;
  }

  add(socket: Duplex): void {
    this.#all.set(socket, { socket, caller: undefined, holds: () => true, underWay: new Set() });
    socket.once('close', () => this.#forget(socket));
    const unknown = this.#of(undefined);
    if (unknown.length > UNKNOWN_CONNECTIONS_MAX) this.#cut(unknown[0]!, 'too many connections without a token');
    if (this.#all.size > CONNECTIONS_MAX) this.#cut(this.#victim(), 'too many connections');
  }

  /**
   * A request of `caller` is under way until the returned function is called; `onGone` hears when its connection closes
   * before that, as it does a moment after `holds` no longer does. Errors: `E_TOO_MANY`.
   */
  begin(socket: Duplex, caller: string, onGone: () => void, holds: () => boolean): () => void {
    const connection = this.#all.get(socket);
    if (connection === undefined) throw new AppError('E_TOO_MANY', 'this connection is closed: connect again');
    this.#all.delete(socket);
    this.#all.set(socket, connection);
    connection.holds = holds;
    if (connection.caller !== caller) {
      connection.caller = caller;
      const own = this.#of(caller);
      const idle = own.find((each) => each.underWay.size === 0 && each !== connection);
      if (own.length > CONNECTIONS_PER_CALLER_MAX && idle !== undefined) this.#cut(idle, 'too many connections');
    }
    let requests = 0;
    for (const each of this.#all.values()) if (each.caller === caller) requests += each.underWay.size;
    if (requests >= REQUESTS_PER_CALLER_MAX) throw tooMany(caller);
    connection.underWay.add(onGone);
    return () => connection.underWay.delete(onGone);
  }

  /** Cuts off who observes and may no more, and who lets the most wait until what waits is within its bound. */
  shed(): void {
    for (const connection of [...this.#all.values()])
      if (connection.underWay.size > 0 && !connection.holds())
        this.#cut(connection, 'its pod is gone, or its rights are others now');
    const waiting = [...this.#all.values()].map((connection) => ({
      connection,
      bytes: connection.socket.writableLength,
    }));
    let bytes = waiting.reduce((sum, each) => sum + each.bytes, 0);
    if (bytes <= WAITING_BYTES_MAX) return;
    waiting.sort((a, b) => a.bytes - b.bytes);
    while (bytes > WAITING_BYTES_MAX) {
      const most = waiting.pop()!;
      bytes -= most.bytes;
      this.#cut(most.connection, 'too many bytes wait for it');
    }
  }

  /** Who is under way hears that its connection is to close. */
  endRequests(): void {
    for (const { underWay } of this.#all.values()) for (const onGone of underWay) onGone();
  }

  closeAll(): void {
    for (const { socket } of this.#all.values()) socket.destroy();
  }

  #of(caller: string | undefined): Connection[] {
    return [...this.#all.values()].filter((each) => each.caller === caller);
  }

  #victim(): Connection {
    const byCaller = Map.groupBy(this.#all.values(), ({ caller }) => caller);
    const [most] = [...byCaller.values()].sort((a, b) => b.length - a.length);
    return most!.find(({ underWay }) => underWay.size === 0) ?? most![0]!;
  }

  #cut({ socket, caller }: Connection, why: string): void {
    this.#onCut(caller, why);
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Duplex): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    this.#all.delete(socket);
    for (const onGone of connection.underWay) onGone();
    connection.underWay.clear();
  }
}

function tooMany(caller: string): AppError {
  const message = `${caller} has ${REQUESTS_PER_CALLER_MAX} requests under way, which is the limit: end one of them`;
  return new AppError('E_TOO_MANY', message, { retryAfterMs: 1_000 });
}
