/**
 * The door for the owner of the data directory: HTTP over a Unix socket in it, mode 0600. Who can reach the socket
 * could read and change all that the terminal has, so it asks for no further proof. It works without any network.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, errorBody, errorTable } from '../../protocol/errors.ts';
import type { WearRecord } from '../store/flash-wear.ts';
import type { Statement } from '../update/statement.ts';
import type { UpdateOrder, UpdateStatus } from '../update/updates.ts';
import type { PodSnapshot } from '../workloads/supervisor.ts';
import { parseControlRequest } from './control-request.ts';
import { logStream } from './log-stream.ts';
import { chooseContainer, choosePod } from './pod-choice.ts';

/** What the runtime can be asked on the spot. */
export interface Controls {
  pods(): PodSnapshot[];
  /** Resolves to whether the event of it is durable. Errors: `E_NOT_FOUND`, `E_CONFLICT`. */
  restart(uid: string, by: string): Promise<boolean>;
  /** Absolute path of a container's log. */
  logFile(uid: string, container: string): string;
  /** `faults`: what is wrong with the database, one line each. */
  database(): Promise<{ faults: string[]; timeFloorMs: number; wear: WearRecord }>;
  updates: UpdateControls;
}

/** Updates, as somebody on the spot sees them. */
interface UpdateControls {
  readonly status: UpdateStatus;
  /** Errors: those of `Updates.order`. */
  order(order: UpdateOrder): Promise<Statement>;
  /** Ends this program for the next one; to be called once the answer is out. */
  leave(): void;
}

const CONNECTIONS_MAX = 16;
const HEADER_BYTES_MAX = 8 * 1024;
const HEADERS_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;

export class ControlServer {
  readonly #env: Env;
  readonly #controls: Controls;
  readonly #server: Server;
  readonly #ending = new AbortController();
  readonly #answers = new Set<Promise<void>>();

  private constructor(env: Env, controls: Controls) {
    this.#env = { ...env, log: env.log.child({ svc: 'control' }) };
    this.#controls = controls;
    const options = { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_MS_MAX, requestTimeout: REQUEST_MS_MAX };
    this.#server = createServer(options, (request, response) => this.#answer(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /**
   * Listens at `path`. A socket that is there is stale: the caller owns the data directory, and its owner before is
   * gone. Errors: `E_STORE_FAILED`.
   */
  static async open(env: Env, path: string, controls: Controls): Promise<ControlServer> {
    const control = new ControlServer(env, controls);
    try {
      await rm(path, { force: true });
      await new Promise<void>((resolve, reject) => {
        control.#server.once('error', reject).listen(path, resolve);
      });
      await chmod(path, 0o600);
    } catch (error) {
      await control.close();
      throw asAppError(error, 'E_STORE_FAILED', `cannot listen at ${path}`);
    }
    control.#server.on('error', (err) => control.#env.log.warn('control socket failed', { err }));
    return control;
  }

  /** Ends what is followed, removes the socket. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all(this.#answers);
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const answer = this.#serve(request, response).catch((error: unknown) => this.#refuse(error, response));
    this.#answers.add(answer);
    void answer.finally(() => this.#answers.delete(answer));
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    // No request has a body: what comes all the same is not read, and the connection ends with the answer.
    if (message.headers['transfer-encoding'] !== undefined || Number(message.headers['content-length'] ?? 0) > 0)
      throw new AppError('E_WIRE_TOO_LARGE', 'requests to the control socket have no body');
    const request = parseControlRequest(message.method, message.url);
    if (request.kind === 'pods') return json(response, 200, { pods: this.#controls.pods() });
    if (request.kind === 'database') return json(response, 200, await this.#controls.database());
    if (request.kind === 'update-status') return json(response, 200, this.#controls.updates.status);
    if (request.kind === 'update') return this.#update(request, response);
    const pod = choosePod(this.#controls.pods(), request.pod);
    const { namespace, name, uid } = pod;
    if (request.kind === 'restart') {
      const journalled = await this.#controls.restart(uid, 'the owner of the data directory');
      return json(response, 202, { namespace, name, uid, journalled });
    }
    const path = this.#controls.logFile(uid, chooseContainer(pod, request.container));
    const { follow, tailLines } = request;
    const left = new AbortController();
    response.once('close', () => left.abort());
    const signal = AbortSignal.any([this.#ending.signal, left.signal]);
    const options = { follow, signal, ...(tailLines === undefined ? {} : { tailLines }) };
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).flushHeaders();
    await pipeline(Readable.from(logStream(this.#env.clock, path, options)), response);
  }

  async #update({ settleMs, graceMs, downgrade }: UpdateOrder, response: ServerResponse): Promise<void> {
    const { updates } = this.#controls;
    const { version, digest } = await updates.order({ settleMs, graceMs, downgrade });
    // Whoever asked may have left: what was ordered is durable.
    if (response.destroyed) return updates.leave();
    response.once('close', () => updates.leave());
    response.setHeader('connection', 'close');
    json(response, 202, { version, digest });
  }

  #refuse(error: unknown, response: ServerResponse): void {
    // A reader that left is no fault.
    if (response.headersSent || response.destroyed) return void response.destroy();
    const app = asAppError(error, 'E_INTERNAL', 'the control socket failed');
    if (app.code === 'E_INTERNAL') this.#env.log.error('control request failed', { err: error });
    response.setHeader('connection', 'close');
    json(response, errorTable[app.code].http, errorBody(app));
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
