/**
 * A TLS proxy before a hub that notes what it is asked, in order. It shows a certificate of the hub's own authority,
 * asks for the caller's, and asks the hub in the caller's name: neither side needs other settings than usual.
 */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Authority, KeyedCertificate } from '../../cloud/identity/authority.ts';

export interface NotedRequest {
  method: string;
  /** Path and query as they came. */
  target: string;
  /** Empty where no body was announced. */
  contentType: string;
}

export class RecordingProxy {
  readonly #server: Server;
  readonly #upstream: string;
  readonly #caPem: string;
  /** Connections to the hub by the subject of the caller's certificate. */
  readonly #agents = new Map<string, Agent>();
  #noted: NotedRequest[] = [];

  private constructor(upstream: string, caPem: string, own: KeyedCertificate, callers: readonly KeyedCertificate[]) {
    this.#upstream = upstream;
    this.#caPem = caPem;
    for (const { certificatePem: cert, keyPem: key } of callers)
      this.#agents.set(new X509Certificate(cert).fingerprint256, new Agent({ ca: caPem, cert, key, keepAlive: true }));
    const door = { cert: own.certificatePem, key: own.keyPem, ca: caPem, requestCert: true };
    this.#server = createServer(door, (request, response) => this.#forward(request, response));
  }

  /** `upstream`: `https://HOST:PORT` of the hub. `callers`: whoever may come, with the keys to come in their name. */
  static async start(
    upstream: string,
    authority: Authority,
    callers: readonly KeyedCertificate[],
  ): Promise<RecordingProxy> {
    const own = await authority.issueServer(['127.0.0.1']);
    const proxy = new RecordingProxy(upstream, authority.certificatePem, own, callers);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was asked since the last time. */
  take(): NotedRequest[] {
    return this.#noted.splice(0);
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) agent.destroy();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url: target = '/', headers } = request;
    this.#noted.push({ method, target, contentType: headers['content-type'] ?? '' });
    const { fingerprint256 } = (request.socket as TLSSocket).getPeerCertificate();
    const agent = this.#agents.get(fingerprint256);
    const asked = httpsRequest(`${this.#upstream}${target}`, { method, headers, agent, ca: this.#caPem });
    asked.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      // A watch without events is an answer too: its head must not wait for them.
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    asked.once('error', () => response.destroy());
    response.once('close', () => asked.destroy());
    request.pipe(asked);
  }
}
