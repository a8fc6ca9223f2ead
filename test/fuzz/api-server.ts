/** The API over a memory store on a plain loopback port, with an administrator and somebody who may only read. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { createApi } from '../../cloud/api/api.ts';
import { authorizeRoles } from '../../cloud/api/authorize-roles.ts';
import { builtInRoles } from '../../cloud/hub/built-in-roles.ts';
import {
  clusterRoleBindingKind,
  kindByPlural,
  kindForObject,
  kinds,
  namespaceKind,
} from '../../cloud/kinds/registry.ts';
import { schemas, structuralFaults, unknownFields } from '../../cloud/kinds/structure.ts';
import { MemoryStore } from '../../cloud/store/memory.ts';
import type { Env } from '../../protocol/env.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import type { Api } from '../../protocol/resources/api/rest-api.ts';

/** A request by the viewer has this header; there is no other proof of who asks. */
export const viewerHeader = 'x-viewer';

const administrator = { user: 'admin', groups: ['system:masters', 'system:authenticated'] };
const viewer = { user: 'vera', groups: ['system:authenticated'] };
/** An answer that takes longer hangs. */
const HANG_MS = 20_000;
/** So few changes are remembered that readers fall behind. */
const LOG_ENTRIES = 64;

export class FuzzServer {
  readonly store: MemoryStore;
  readonly pool: Pool;
  readonly #api: Api;
  readonly #server: Server;

  private constructor(store: MemoryStore, api: Api, server: Server, connections: number) {
    this.store = store;
    this.#api = api;
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.pool = new Pool(`http://127.0.0.1:${port}`, { connections, headersTimeout: HANG_MS, bodyTimeout: HANG_MS });
  }

  static async start(connections: number, namespaces: readonly string[]): Promise<FuzzServer> {
    const env: Env = { clock: systemClock, random: systemRandom, log: createLog('error') };
    const store = new MemoryStore(env, { logEntriesMax: LOG_ENTRIES });
    for (const name of namespaces)
      await store.create(
        namespaceKind,
        namespaceKind.defaults({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
      );
    for (const role of builtInRoles) await store.create(kindForObject(role), role);
    await store.create(clusterRoleBindingKind, viewerBinding);
    const api = createApi(env, {
      store,
      kinds: { kinds, kindByPlural, schemas, unknownFields, structuralFaults },
      authorize: authorizeRoles(store),
      audit: () => {},
      version: { major: '1', minor: '32', gitVersion: 'v1.32.0' },
      bounds: { requestsPerUserMax: connections },
    });
    const server = createServer((request, response) => {
      void api.handle(request, response, request.headers[viewerHeader] === undefined ? administrator : viewer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FuzzServer(store, api, server, connections);
  }

  async stop(): Promise<void> {
    await this.pool.destroy();
    await this.#api.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const viewerBinding: KubeObject = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'viewers' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'vera' }],
};
