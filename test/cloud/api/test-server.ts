/** The API on a TLS port of its own, over a memory store, with a throw-away authority. For tests in this process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createApi } from '../../../cloud/api/api.ts';
import { authorizeMasters } from '../../../cloud/api/authorize-masters.ts';
import { authorizeRoles } from '../../../cloud/api/authorize-roles.ts';
import { definitionAdmission } from '../../../cloud/api/definition-admission.ts';
import { nodePoolAdmission } from '../../../cloud/api/node-pool-admission.ts';
import { poolGuard } from '../../../cloud/api/pool-limits.ts';
import { escalationGuard } from '../../../cloud/api/role-escalation.ts';
import { allGuards, type WriteParts } from '../../../cloud/api/write-parts.ts';
import { CustomKinds } from '../../../cloud/hub/custom-kinds.ts';
import { Authority, createAuthorityMaterial, type KeyedCertificate } from '../../../cloud/identity/authority.ts';
import { kubeconfig } from '../../../cloud/identity/kubeconfig.ts';
import { kindByPlural, namespaceKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { Env } from '../../../protocol/env.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import type { Authorize, Identity } from '../../../protocol/resources/api/identity.ts';
import type { AuditRecord } from '../../../protocol/resources/api/parts.ts';
import { type Api, createRestApi } from '../../../protocol/resources/api/rest-api.ts';

export const testVersion = { major: '1', minor: '32', gitVersion: 'v1.32.0+stile' };

/** Whatever came; a test looks into it. */
// biome-ignore lint/suspicious/noExplicitAny: its shape is what the test is about.
export type Loose = any;

export interface TestReply {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The parsed body, when it is JSON. */
  body: Loose;
}

export interface Asked {
  body?: unknown;
  headers?: Record<string, string>;
  /** Without a client certificate. */
  anonymous?: boolean;
  /** With the certificate of this user (`admitUser`) instead of the administrator's. */
  as?: string;
}

export interface TestServerOptions {
  authorize?: Authorize;
  /** Roles say who may, as at a hub. */
  roles?: boolean;
  readOnly?: boolean;
  bounds?: WriteParts['bounds'];
  /** Entries that the store's change log keeps. */
  logEntriesMax?: number;
}

export class TestServer {
  readonly env: Env;
  readonly store: MemoryStore;
  readonly audited: AuditRecord[] = [];
  /** Method and target of every request, in order. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #parts: WriteParts;
  readonly #readOnly: boolean;
  #api: Api;
  readonly #customKinds: CustomKinds;
  readonly #authority: Authority;
  readonly #administrator: KeyedCertificate;
  readonly #users = new Map<string, KeyedCertificate>();
  #answering = 0;
  #folder: string | undefined;

  private constructor(
    env: Env,
    options: TestServerOptions,
    authority: Authority,
    own: KeyedCertificate,
    administrator: KeyedCertificate,
    store: MemoryStore,
    customKinds: CustomKinds,
  ) {
    this.env = env;
    this.#authority = authority;
    this.#administrator = administrator;
    this.store = store;
    this.#customKinds = customKinds;
    const authorize = options.roles ? authorizeRoles(this.store) : (options.authorize ?? authorizeMasters);
    const pools = nodePoolAdmission(this.store);
    const definitions = definitionAdmission(this.store, customKinds.table);
    this.#parts = {
      store: customKinds.versions,
      kinds: customKinds.table,
      authorize,
      ...pools,
      ...definitions,
      guard: options.roles
        ? allGuards(escalationGuard(this.store, authorize), poolGuard(this.store), pools.guard, definitions.guard)
        : allGuards(pools.guard, definitions.guard),
      audit: (record) => this.audited.push(record),
      version: testVersion,
      bounds: options.bounds ?? {},
    };
    this.#readOnly = options.readOnly ?? false;
    this.#api = this.#createApi();
    this.#server = createServer(
      {
        cert: own.certificatePem,
        key: own.keyPem,
        ca: authority.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => {
        this.requests.push(`${request.method} ${request.url}`);
        this.#answering++;
        const answered = this.#api.handle(request, response, identityOf(request.socket as TLSSocket));
        void answered.finally(() => this.#answering--);
      },
    );
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const env: Env = { clock: systemClock, random: systemRandom, log: createLog('warn') };
    const authority = await Authority.from(env, await createAuthorityMaterial(env));
    const own = await authority.issueServer(['127.0.0.1', 'localhost']);
    const { logEntriesMax } = options;
    const store = new MemoryStore(env, logEntriesMax === undefined ? {} : { logEntriesMax });
    const administrator = await authority.issueAdministrator('admin');
    const customKinds = await CustomKinds.open(env, store);
    const server = new TestServer(env, options, authority, own, administrator, store, customKinds);
    for (const name of ['default', 'kube-system', 'kube-node-lease'])
      await server.store.create(namespaceKind, namespaceKind.defaults(namespaceOf(name)));
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Gives `name` a certificate, so that it can be asked `as` them; `memberOf` are its groups. */
  async admitUser(name: string, memberOf: readonly string[] = []): Promise<void> {
    this.#users.set(name, await this.#authority.issueUser(name, memberOf));
  }

  /** The text of an administrator's kubeconfig. */
  get kubeconfig(): string {
    const { certificatePem } = this.#authority;
    return kubeconfig({ server: this.url, caPem: certificatePem, administrator: this.#administrator });
  }

  /** The same in a file that goes away with the server; the folder is private to the caller. */
  async kubeconfigFile(): Promise<{ path: string; folder: string }> {
    this.#folder ??= await mkdtemp(join(tmpdir(), 'stile-api-'));
    const path = join(this.#folder, 'admin.kubeconfig');
    await writeFile(path, this.kubeconfig, { mode: 0o600 });
    return { path, folder: this.#folder };
  }

  /** One request with its whole answer. */
  async ask(method: string, path: string, asked: Asked = {}): Promise<TestReply> {
    const response = await this.open(method, path, asked);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
    return {
      code: response.statusCode ?? 0,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** One request; resolves when the headers are there. The caller destroys the response when it is a watch. */
  open(method: string, path: string, asked: Asked = {}): Promise<IncomingMessage> {
    const { body, headers = {}, anonymous = false, as } = asked;
    const shown = as === undefined ? this.#administrator : this.#users.get(as)!;
    const bytes = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(
        `${this.url}${path}`,
        {
          method,
          agent: false,
          ca: this.#authority.certificatePem,
          ...(anonymous ? {} : { cert: shown.certificatePem, key: shown.keyPem }),
          headers: {
            // Node sends no length with a DELETE by itself.
            ...(bytes === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
            ...headers,
          },
        },
        resolve,
      );
      sent.on('error', reject);
      sent.end(bytes);
    });
  }

  /** Requests that are being answered at this moment, watches among them. */
  get answering(): number {
    return this.#answering;
  }

  /** The stored objects of a kind, by name. */
  async names(plural: string, group = '', version = 'v1'): Promise<string[]> {
    const { items } = await this.store.list(kindByPlural(group, version, plural)!);
    return items.map(({ metadata }) => metadata.name);
  }

  /** As an upgrade behind the same port: every watch ends in good order, the store stays. */
  async renew(): Promise<void> {
    const old = this.#api;
    this.#api = this.#createApi();
    await old.stop();
  }

  #createApi(): Api {
    return this.#readOnly ? createRestApi(this.env, this.#parts) : createApi(this.env, this.#parts);
  }

  async stop(): Promise<void> {
    await this.#api.stop();
    await this.#customKinds.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.store.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The events of a watch, one JSON value per line, until the stream ends. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<Loose> {
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + (chunk as Buffer).toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

function namespaceOf(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

/** Good enough for tests: the hub looks closer (cloud/identity/peer.ts). */
function identityOf(socket: TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const organizations = subject.O as string | string[] | undefined;
  return { user: [subject.CN].flat()[0] ?? '', groups: [organizations ?? []].flat() };
}
