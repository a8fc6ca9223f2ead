/**
 * Whatever is asked of the API: no answer of 5xx, no hang, nothing changed that must not be. Replay a failure with the
 * seed that is printed: `FUZZ_SEED=n FUZZ_REQUESTS=m vitest run test/fuzz/api.test.ts`.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApi } from '../../cloud/api/api.ts';
import { authorizeRoles } from '../../cloud/api/authorize-roles.ts';
import { builtInRoles } from '../../cloud/hub/built-in-roles.ts';
import type { Kind } from '../../cloud/kinds/kind.ts';
import {
  clusterRoleBindingKind,
  configMapKind,
  kindByPlural,
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
import { configMap } from '../cloud/api/requests.ts';
import { anyRequest, type FuzzRequest, guardedNamespace } from './api-requests.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_261_123);
/** In CI a hundred thousand; here what fits beside everything else. */
const requestsMin = Number(process.env.FUZZ_REQUESTS ?? (process.env.STILE_TESTS === 'all' ? 100_000 : 5_000));
/** Sent at once over so many connections: writers in each other's way are part of it. */
const BATCH = 20;
const HANG_MS = 20_000;
const LOG_ENTRIES = 64;

const env: Env = { clock: systemClock, random: systemRandom, log: createLog('error') };
const administrator = { user: 'admin', groups: ['system:masters', 'system:authenticated'] };
const viewer = { user: 'vera', groups: ['system:authenticated'] };

let store: MemoryStore;
let api: Api;
let server: Server;
let pool: Pool;
let kept: KubeObject;

beforeAll(async () => {
  store = new MemoryStore(env, { logEntriesMax: LOG_ENTRIES });
  for (const name of ['default', guardedNamespace])
    await store.create(
      namespaceKind,
      namespaceKind.defaults({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
    );
  const metadata = { name: 'kept', namespace: guardedNamespace };
  kept = await store.create(configMapKind, { ...configMap('kept', { x: '1' }), metadata });
  for (const role of builtInRoles) await store.create(kindOfRole(role), role);
  await store.create(clusterRoleBindingKind, viewerBinding);
  api = createApi(env, {
    store,
    kinds: { kinds, kindByPlural, schemas, unknownFields, structuralFaults },
    authorize: authorizeRoles(store),
    audit: () => {},
    version: { major: '1', minor: '32', gitVersion: 'v1.32.0' },
  });
  server = createServer((request, response) => {
    void api.handle(request, response, request.headers['x-viewer'] === undefined ? administrator : viewer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  pool = new Pool(`http://127.0.0.1:${port}`, { connections: BATCH, headersTimeout: HANG_MS, bodyTimeout: HANG_MS });
});

afterAll(async () => {
  await pool.destroy();
  await api.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

it(`${requestsMin} requests get an answer, and nothing else happens`, { timeout: 600_000 }, async () => {
  console.log(`fuzz seed ${seed}, ${requestsMin} requests`);
  const codes = new Map<number, number>();
  const births = new Map<string, string>();
  const property = fc.asyncProperty(fc.array(anyRequest, { minLength: BATCH, maxLength: BATCH }), async (requests) => {
    const answered = await Promise.all(requests.map(send));
    for (const [index, code] of answered.entries()) {
      codes.set(code, (codes.get(code) ?? 0) + 1);
      const { viewer: byViewer, method } = requests[index]!;
      expect(code, JSON.stringify(requests[index])).toBeLessThan(500);
      if (byViewer && method !== 'GET') expect([403, 404, 405]).toContain(code);
    }
    await requireSound(births);
  });
  await fc.assert(property, { seed, numRuns: Math.ceil(requestsMin / BATCH), endOnFailure: true });
  expect(await store.get(configMapKind, guardedNamespace, 'kept')).toEqual(kept);
  // The requests reach what they are for: creations, changes, conflicts, refusals of every sort.
  console.log(
    [...codes]
      .sort(([a], [b]) => a - b)
      .map(([code, count]) => `${code}: ${count}`)
      .join(', '),
  );
  for (const code of [200, 201, 400, 403, 404, 405, 409, 415, 422])
    expect(codes.get(code) ?? 0, `${code}`).toBeGreaterThan(0);
});

async function send({ method, target, contentType, body, viewer: byViewer }: FuzzRequest): Promise<number> {
  const headers = { ...(contentType && { 'content-type': contentType }), ...(byViewer && { 'x-viewer': '1' }) };
  const bodiless = method === 'GET' || method === 'HEAD';
  const reply = await pool.request({ method, path: target, headers, body: bodiless ? null : (body ?? null) });
  // A watch goes on; that it began is its answer.
  if (/[?&]watch=/.test(target)) reply.body.on('error', () => {}).destroy();
  else await reply.body.dump({ limit: 64 * 1024 * 1024 });
  return reply.statusCode;
}

/** Every object is one that its kind accepts, at its own place, and the one that was born there. */
async function requireSound(births: Map<string, string>): Promise<void> {
  expect(({} as Record<string, unknown>).metadata).toBeUndefined();
  for (const kind of kinds) {
    const { items } = await store.list(kind, {});
    for (const object of items) requireSoundObject(kind, object, births);
  }
}

function requireSoundObject(kind: Kind, object: KubeObject, births: Map<string, string>): void {
  const { uid, creationTimestamp, name } = object.metadata;
  expect(object.kind).toBe(kind.kind);
  expect(name).not.toBe('');
  expect(structuralFaults(object, kind), JSON.stringify(object)).toEqual([]);
  const born = births.get(uid!);
  if (born === undefined) births.set(uid!, `${kind.kind} ${name} ${creationTimestamp}`);
  else expect(`${kind.kind} ${name} ${creationTimestamp}`).toBe(born);
}

function kindOfRole(role: KubeObject): Kind {
  return kinds.find(({ kind }) => kind === role.kind)!;
}

const viewerBinding: KubeObject = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'viewers' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'vera' }],
};
