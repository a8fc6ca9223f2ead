/**
 * Whatever is asked of the API: no answer of 5xx, no hang, nothing changed that must not be. Replay a failure with the
 * seed that is printed: `FUZZ_SEED=n FUZZ_REQUESTS=m vitest run test/fuzz/api.test.ts`.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Kind } from '../../cloud/kinds/kind.ts';
import { configMapKind, kinds } from '../../cloud/kinds/registry.ts';
import { structuralFaults } from '../../cloud/kinds/structure.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { configMap } from '../cloud/api/requests.ts';
import { anyRequest, type FuzzRequest, guardedNamespace } from './api-requests.ts';
import { FuzzServer, viewerHeader } from './api-server.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_261_123);
/** In CI a hundred thousand; here what fits beside everything else. */
const requestsMin = Number(process.env.FUZZ_REQUESTS ?? (process.env.STILE_TESTS === 'all' ? 100_000 : 5_000));
/** Sent at once over so many connections: writers in each other's way are part of it. */
const BATCH = 20;

let server: FuzzServer;
let kept: KubeObject;

beforeAll(async () => {
  server = await FuzzServer.start(BATCH, ['default', guardedNamespace]);
  const metadata = { name: 'kept', namespace: guardedNamespace };
  kept = await server.store.create(configMapKind, { ...configMap('kept', { x: '1' }), metadata });
});
afterAll(() => server.stop());

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
  expect(await server.store.get(configMapKind, guardedNamespace, 'kept')).toEqual(kept);
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
  const headers = { ...(contentType && { 'content-type': contentType }), ...(byViewer && { [viewerHeader]: '1' }) };
  const bodiless = method === 'GET' || method === 'HEAD';
  const reply = await server.pool.request({ method, path: target, headers, body: bodiless ? null : (body ?? null) });
  // A watch goes on; that it began is its answer.
  if (/[?&]watch=/.test(target)) reply.body.on('error', () => {}).destroy();
  else await reply.body.dump({ limit: 64 * 1024 * 1024 });
  return reply.statusCode;
}

/** Every object is one that its kind accepts, at its own place, and the one that was born there. */
async function requireSound(births: Map<string, string>): Promise<void> {
  expect(({} as Record<string, unknown>).metadata).toBeUndefined();
  for (const kind of kinds) {
    const { items } = await server.store.list(kind, {});
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
