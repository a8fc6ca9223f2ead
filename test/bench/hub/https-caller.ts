/** Requests over mutual TLS that cost the caller as little as Node lets them: answers are counted or kept, not parsed. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';
import type { House } from '../../house/house.ts';

interface Kubeconfig {
  clusters: { cluster: { 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

export interface HttpsAsk {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH';
  body?: string | Buffer;
  headers?: Record<string, string>;
}

export class HttpsCaller {
  readonly #agent: Agent;
  readonly #url: string;

  /** `house`: whose administrator it is. `connectionsMax`: of its own, kept open. */
  constructor(house: House, url: string, connectionsMax = Number.POSITIVE_INFINITY) {
    const { clusters, users } = parse(readFileSync(house.kubeconfig, 'utf8')) as Kubeconfig;
    const decode = (text: string) => Buffer.from(text, 'base64');
    this.#url = url;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: connectionsMax,
      ca: decode(clusters[0]!.cluster['certificate-authority-data']),
      cert: decode(users[0]!.user['client-certificate-data']),
      key: decode(users[0]!.user['client-key-data']),
    });
  }

  /** Resolves to the bytes of the body. Rejects for a status that is no success. */
  async count(path: string, ask: HttpsAsk = {}): Promise<number> {
    let bytes = 0;
    for await (const part of await this.open(path, ask)) bytes += (part as Buffer).length;
    return bytes;
  }

  async read(path: string, ask: HttpsAsk = {}): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of await this.open(path, ask)) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  /** Resolves when the headers came; the body is still to come. */
  open(path: string, { method = 'GET', body, headers = {} }: HttpsAsk = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const options = { method, agent: this.#agent, headers: { ...length, ...headers } };
      const asked = request(`${this.#url}${path}`, options, (answer) => {
        const status = answer.statusCode ?? 0;
        if (status >= 200 && status < 300) return resolve(answer);
        answer.resume();
        reject(new Error(`${method} ${path} answered ${status}`));
      });
      asked.once('error', reject).end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
