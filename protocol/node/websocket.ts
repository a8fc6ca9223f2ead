/**
 * Channels over WebSocket (`ws`), sub-protocol `stile.v1`. Compression per message is off, always: it costs 200 KiB
 * and more per connection, and the protocol has its own.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import type { Channel, Dialer } from '../channel.ts';
import { AppError, type errorBody } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Validity } from '../validity.ts';
import { type PinnedConnection, PinnedConnector, type PinnedTrust } from './pinned-tls.ts';

export const SUB_PROTOCOL = 'stile.v1';
export const SESSION_PATH = '/stile/v1/session';
/** From the end of the TLS handshake to open. */
const CONNECT_MS = 15_000;
/** RFC 6455, section 5.5: a control frame holds at most 125 bytes, two of them the code. */
const CLOSE_REASON_BYTES_MAX = 123;
/** Messages that may come before the session has set its handler. */
const EARLY_MESSAGES_MAX = 16;
/** How long a close waits for the peer's answer before the socket is destroyed. */
const CLOSE_MS = 2_000;

export interface WebSocketDialerOptions {
  /** `HOST:PORT`, in the order to try; asked for at each dial. */
  destinations(): readonly string[];
  /** Whom to believe, and as whom to come; asked for at each dial, because certificates are renewed. */
  trust(): PinnedTrust;
  /** Hears of each connection whose other end is known to be the hub, before it becomes a session. */
  onSecured?(connection: PinnedConnection): void;
}

export function webSocketDialer(options: WebSocketDialerOptions): Dialer {
  const connector = new PinnedConnector(() => options.trust());
  return {
    async dial(signal) {
      let last: unknown = new AppError('E_LINK_UNREACHABLE', 'no address of the hub is known: give one with --hub');
      for (const destination of options.destinations()) {
        try {
          const secured = await securely(destination, connector, signal);
          options.onSecured?.(secured);
          return await open(destination, secured, signal);
        } catch (error) {
          signal.throwIfAborted();
          last = error;
        }
      }
      throw last;
    },
  };
}

/** Takes upgrade requests that were authenticated; calls back with the channel. */
export class WebSocketAcceptor {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.messageBytesMax,
    handleProtocols: (offered) => (offered.has(SUB_PROTOCOL) ? SUB_PROTOCOL : false),
  });

  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onChannel: (channel: Channel) => void): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      if (webSocket.protocol === SUB_PROTOCOL) onChannel(new WebSocketChannel(webSocket));
      else webSocket.close(1002, `only ${SUB_PROTOCOL} is spoken here`);
    });
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}

export class WebSocketChannel implements Channel {
  readonly #socket: WebSocket;
  #closeReason: string | undefined;
  #closeHandler: ((reason: string) => void) | undefined;
  #messageHandler: ((bytes: Uint8Array) => void) | undefined;
  /** Came before a handler was set. */
  #early: Uint8Array[] = [];
  readonly peerValidity?: Validity;

  constructor(socket: WebSocket, peerValidity?: Validity) {
    this.#socket = socket;
    if (peerValidity !== undefined) this.peerValidity = peerValidity;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      // What comes while the close is answered is nobody's any more.
      if (socket.readyState !== WebSocket.OPEN) return;
      if (!isBinary) return this.close('a text message came where only binary ones are spoken');
      if (this.#messageHandler !== undefined) this.#messageHandler(data);
      else if (this.#early.length < EARLY_MESSAGES_MAX) this.#early.push(data);
      else this.close('too many messages before the session began');
    });
    socket.on('error', (error) => this.#ended(error.message));
    socket.on('close', (code, reason) => this.#ended(reason.length > 0 ? reason.toString() : `code ${code}`));
  }

  send(bytes: Uint8Array): boolean {
    if (this.#closeReason !== undefined || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(bytes, { binary: true, compress: false });
    return true;
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  onMessage(handler: (bytes: Uint8Array) => void): void {
    this.#messageHandler = handler;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) handler(bytes);
  }

  onClose(handler: (reason: string) => void): void {
    if (this.#closeReason === undefined) this.#closeHandler = handler;
    else handler(this.#closeReason);
  }

  close(reason: string): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close(1000, cutToBytes(reason, CLOSE_REASON_BYTES_MAX));
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #ended(reason: string): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#closeHandler?.(reason);
  }
}

/** The longest beginning of whole characters within `bytesMax` bytes of UTF-8. */
function cutToBytes(text: string, bytesMax: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax));
  return text.slice(0, read);
}

async function securely(
  destination: string,
  connector: PinnedConnector,
  signal: AbortSignal,
): Promise<PinnedConnection> {
  try {
    return await connector.connect(destination, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw dialError(destination, error as Error);
  }
}

/** Opens the session's WebSocket over a connection whose other end is known to be the hub. */
function open(destination: string, secured: PinnedConnection, signal: AbortSignal): Promise<Channel> {
  const options: ClientOptions = {
    createConnection: () => secured.socket,
    handshakeTimeout: CONNECT_MS,
    perMessageDeflate: false,
    maxPayload: limits.messageBytesMax,
    followRedirects: false,
  };
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(`wss://${destination}${SESSION_PATH}`, SUB_PROTOCOL, options);
    const onAbort = () => socket.terminate();
    signal.addEventListener('abort', onAbort, { once: true });
    const fail = (error: AppError) => {
      signal.removeEventListener('abort', onAbort);
      reject(signal.aborted ? signal.reason : error);
    };
    socket.once('unexpected-response', (_request, response) =>
      refused(destination, response, fail, () => socket.terminate()),
    );
    socket.once('error', (error) => fail(dialError(destination, error)));
    socket.once('open', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(new WebSocketChannel(socket, secured.validity));
    });
  });
}

/** The hub answered with HTTP instead of a session: its body says why. */
function refused(
  destination: string,
  response: IncomingMessage,
  fail: (error: AppError) => void,
  done: () => void,
): void {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => {
    if (chunks.length < 16) chunks.push(chunk);
  });
  response.once('close', () => {
    let body: Partial<ReturnType<typeof errorBody>> = {};
    try {
      body = JSON.parse(Buffer.concat(chunks).toString()) as typeof body;
    } catch {
      // A foreign server may answer with anything; its status is all that is said then.
    }
    const message =
      body.message ?? `${destination} answered with status ${response.statusCode}: is this the hub's address?`;
    fail(new AppError(body.code ?? 'E_LINK_UNREACHABLE', message, { retryAfterMs: body.retryAfterMs ?? 0 }));
    done();
  });
}

/** TLS errors that mean: whoever answers there is not our hub. */
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME|SSL|TLS/;

function dialError(destination: string, error: Error & { code?: string }): AppError {
  if (error instanceof AppError) return error;
  if (untrusted.test(error.code ?? ''))
    return new AppError(
      'E_IDENTITY_UNTRUSTED',
      `what answers at ${destination} is not the hub that this terminal joined: ${error.message}`,
      {
        cause: error,
      },
    );
  return new AppError('E_LINK_UNREACHABLE', `cannot reach the hub at ${destination}: ${error.message}`, {
    cause: error,
  });
}
