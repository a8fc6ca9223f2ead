/** Plain requests to a house's hub as its administrator, on connections of their own: for tests that count answers. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import { pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import type { House } from './house.ts';

interface Kubeconfig {
  clusters: { cluster: { 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

export class HubClient {
  readonly #agent: Agent;
  readonly #url: string;

  /** `anyDate`: the hub's clock is not ours; who it is counts, not until when. */
  constructor(house: Pick<House, 'kubeconfig' | 'url'>, { anyDate = false } = {}) {
    const { clusters, users } = parse(readFileSync(house.kubeconfig, 'utf8')) as Kubeconfig;
    const decode = (text: string) => Buffer.from(text, 'base64');
    this.#url = house.url;
    const ca = decode(clusters[0]!.cluster['certificate-authority-data']);
    const cert = decode(users[0]!.user['client-certificate-data']);
    const key = decode(users[0]!.user['client-key-data']);
    const trust = { caPem: ca.toString(), certificatePem: cert.toString(), keyPem: key.toString() };
    this.#agent = new Agent({ connect: anyDate ? pinnedConnector(() => trust) : { ca, cert, key } });
  }

  async get<T>(path: string): Promise<T> {
    const { statusCode, text } = await this.#ask('GET', path);
    if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** Resolves to the status of the answer. */
  async create(path: string, object: unknown): Promise<number> {
    return (await this.#ask('POST', path, object)).statusCode;
  }

  /** As a JSON merge patch (RFC 7396). */
  async patch<T>(path: string, patch: unknown): Promise<T> {
    const { statusCode, text } = await this.#ask('PATCH', path, patch, 'application/merge-patch+json');
    if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}: ${text}`);
    return JSON.parse(text) as T;
  }

  async remove(path: string): Promise<number> {
    return (await this.#ask('DELETE', path)).statusCode;
  }

  /** Any request with any body; resolves to whatever is answered, as JSON. */
  async ask(method: string, path: string, text: string): Promise<{ status: number; body: unknown }> {
    const { statusCode, body } = await request(`${this.#url}${path}`, {
      dispatcher: this.#agent,
      method: method as 'GET',
      ...(method === 'POST' ? { body: text, headers: { 'content-type': 'application/json' } } : {}),
    });
    return { status: statusCode, body: await body.json() };
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #ask(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    object?: unknown,
    contentType = 'application/json',
  ) {
    const { statusCode, body } = await request(`${this.#url}${path}`, {
      dispatcher: this.#agent,
      method,
      ...(object === undefined ? {} : { body: JSON.stringify(object), headers: { 'content-type': contentType } }),
    });
    return { statusCode, text: await body.text() };
  }
}
