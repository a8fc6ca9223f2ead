/** Goal: a terminal becomes a node of a hub, over real TLS, and everything that can go wrong says so by its code. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TokenWish } from '../../cloud/identity/tokens.ts';
import { enrolOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import {
  type EnrolFetcher,
  enrol,
  type Identity,
  loadIdentity,
  saveDestinations,
} from '../../runtime/identity/identity.ts';
import { blobsOverHttps } from '../../runtime/images/blob-source.ts';
import {
  movableClock,
  startTestHub,
  type TestHub,
  terminalInfo,
  testEnv,
  withDirectory,
} from '../cloud/identity/test-hub.ts';

let directory: string;
let hub: TestHub;
const clock = movableClock();

beforeEach(async () => {
  clock.offsetMs = 0;
  directory = await mkdtemp(join(tmpdir(), 'stile-enrol-'));
  hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
});
afterEach(async () => {
  await hub.stop();
  await rm(directory, { recursive: true, force: true });
});

async function makeToken(wish: Partial<TokenWish> = {}): Promise<string> {
  return (await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1, ...wish })).token;
}

function joinAs(token: string, name = 'gate-1', options: { dir?: string; url?: string; fetcher?: EnrolFetcher } = {}) {
  const dataDir = join(directory, options.dir ?? name);
  const { url = hub.url, fetcher = enrolOverHttps } = options;
  return enrol(testEnv(), { hubUrl: url, token, name, dataDir, info: terminalInfo }, fetcher);
}

/** What the hub says to a request made with this identity's certificate. */
async function blobStatus(identity: Identity): Promise<number> {
  const agent = new Agent({ connect: { ca: identity.caPem, cert: identity.certificatePem, key: identity.keyPem } });
  try {
    const { statusCode, body } = await request(`${hub.url}/stile/v1/blobs/sha256:${'0'.repeat(64)}`, {
      dispatcher: agent,
    });
    await body.dump();
    return statusCode;
  } finally {
    await agent.destroy();
  }
}

describe('joining', () => {
  it('gives the terminal an identity that survives and that the hub accepts', async () => {
    const identity = await joinAs(await makeToken());
    expect(identity).toMatchObject({ name: 'gate-1', pool: 'hangzhou', destinations: [hub.address] });
    expect(await loadIdentity(join(directory, 'gate-1'))).toEqual(identity);
    expect(hub.registrations).toEqual([{ name: 'gate-1', pool: 'hangzhou', info: terminalInfo, replaced: false }]);
    expect(await blobStatus(identity)).toBe(404);
    const key = await stat(join(directory, 'gate-1', 'identity', 'key.pem'));
    expect(key.mode & 0o777).toBe(0o600);
  });

  it('keeps the identity when any one of its files is torn', async () => {
    const identity = await joinAs(await makeToken());
    const files = join(directory, 'gate-1', 'identity');
    for (const name of await readdir(files)) {
      const content = await readFile(join(files, name));
      for (const torn of ['', content.subarray(0, content.length / 2)]) {
        await writeFile(join(files, name), torn);
        expect(await loadIdentity(join(directory, 'gate-1')), name).toEqual(identity);
      }
      await writeFile(join(files, name), content);
    }
  });

  it('keeps where the hub went', async () => {
    const identity = await joinAs(await makeToken());
    const moved = await saveDestinations(join(directory, 'gate-1'), identity, ['hub.example:8443']);
    expect(await loadIdentity(join(directory, 'gate-1'))).toEqual(moved);
    expect(moved).toEqual({ ...identity, destinations: ['hub.example:8443'] });
  });

  it('never uses half an identity', async () => {
    await joinAs(await makeToken());
    const files = join(directory, 'gate-1', 'identity');
    for (const name of ['key.pem', 'key.pem.copy']) await writeFile(join(files, name), '');
    await expect(loadIdentity(join(directory, 'gate-1'))).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
    expect(await loadIdentity(join(directory, 'nobody'))).toBeUndefined();
  });

  it('costs no second use when the answer was lost', async () => {
    const token = await makeToken();
    const losing: EnrolFetcher = {
      ...enrolOverHttps,
      enrol: async (...asked) => {
        await enrolOverHttps.enrol(...asked);
        throw new Error('the link broke');
      },
    };
    await expect(joinAs(token, 'gate-1', { fetcher: losing })).rejects.toThrow('the link broke');
    expect(await loadIdentity(join(directory, 'gate-1'))).toBeUndefined();
    const identity = await joinAs(token);
    expect(await blobStatus(identity)).toBe(404);
    expect(await hub.store.certificates()).toHaveLength(1);
    expect((await hub.tokens.list())[0]).toMatchObject({ usesLeft: 0 });
  });

  it('lets a token be used exactly as often as it says, whoever comes first', async () => {
    const token = await makeToken({ uses: 3 });
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => joinAs(token, `gate-${index}`)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const result of all)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_TOKEN_INVALID' });
    expect(await hub.store.certificates()).toHaveLength(3);
  });

  it('gives the same terminal one certificate when it asks twice at once', async () => {
    const token = await makeToken();
    await withDirectory(async () => {
      const first = await joinAs(token, 'gate-1', {
        // The key exists already when both ask.
        fetcher: { ...enrolOverHttps, enrol: () => Promise.reject(new Error('not yet')) },
      }).catch(() => undefined);
      expect(first).toBeUndefined();
      const both = await Promise.all([joinAs(token), joinAs(token)]);
      expect(both[0].certificatePem).toBe(both[1].certificatePem);
    });
    expect(await hub.store.certificates()).toHaveLength(1);
  });
});

describe('a terminal whose clock is wrong', () => {
  it.each([
    ['ten years behind', 10],
    ['twenty-one years ahead', -21],
  ])('joins and fetches all the same: %s', async (_, years) => {
    await hub.stop();
    await rm(join(directory, 'hub'), { recursive: true });
    clock.offsetMs = years * 365 * 24 * 3_600_000;
    hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
    const identity = await joinAs(await makeToken());
    const source = blobsOverHttps(() => identity);
    try {
      const blob = source.open(hub.address, `sha256:${'0'.repeat(64)}`, 0, new AbortController().signal);
      await expect(blob).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
    } finally {
      await source.close();
    }
  });

  it('still gives nothing to another hub at the same address', async () => {
    const identity = await joinAs(await makeToken());
    await hub.stop();
    await rm(join(directory, 'hub'), { recursive: true });
    hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
    const source = blobsOverHttps(() => identity);
    try {
      const blob = source.open(hub.address, `sha256:${'0'.repeat(64)}`, 0, new AbortController().signal);
      await expect(blob).rejects.toMatchObject({ code: 'E_IDENTITY_UNTRUSTED' });
    } finally {
      await source.close();
    }
  });
});

describe('a terminal that takes a name', () => {
  it('is refused while the name belongs to another, and told what to do', async () => {
    await joinAs(await makeToken());
    const refused = joinAs(await makeToken(), 'gate-1', { dir: 'new-card' });
    await expect(refused).rejects.toMatchObject({
      code: 'E_NAME_TAKEN',
      message: expect.stringContaining('stile token create --pool hangzhou --node gate-1 --replace'),
    });
  });

  it('replaces it with the right token, and the old certificate never returns', async () => {
    const old = await joinAs(await makeToken());
    const identity = await joinAs(await makeToken({ node: 'gate-1', replace: true }), 'gate-1', { dir: 'new-card' });
    expect(hub.registrations.at(-1)).toMatchObject({ name: 'gate-1', replaced: true });
    expect(await blobStatus(old)).toBe(403);
    expect(await blobStatus(identity)).toBe(404);
    await hub.stop();
    hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
    expect(await blobStatus(old)).toBe(403);
    expect(await blobStatus(identity)).toBe(404);
  });

  it('finds its name free after the node was revoked', async () => {
    const old = await joinAs(await makeToken());
    await hub.identities.revoke('gate-1');
    expect(await blobStatus(old)).toBe(403);
    const identity = await joinAs(await makeToken(), 'gate-1', { dir: 'new-card' });
    expect(await blobStatus(identity)).toBe(404);
  });
});

describe('bad input gets one clear sentence with a code', () => {
  it('an expired token', async () => {
    const token = await makeToken({ ttlMs: 5_000 });
    clock.offsetMs = 6_000;
    await expect(joinAs(token)).rejects.toMatchObject({ code: 'E_TOKEN_EXPIRED' });
  });

  it('a token that was deleted, used up, altered, or is none', async () => {
    const token = await makeToken();
    const [, id, secret] = token.split('.');
    await expect(joinAs(token.replace(secret!, 'A'.repeat(43)))).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    await expect(joinAs('hello')).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    await expect(joinAs(token.replace('stile1', 'stile9'))).rejects.toMatchObject({
      code: 'E_TOKEN_INVALID',
      message: expect.stringContaining('stile9'),
    });
    await joinAs(token);
    await expect(joinAs(token, 'gate-2')).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    await hub.tokens.remove(id!);
    await expect(joinAs(token, 'gate-3')).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
  });

  it('a token for another node', async () => {
    const token = await makeToken({ node: 'gate-7' });
    await expect(joinAs(token)).rejects.toMatchObject({
      code: 'E_TOKEN_INVALID',
      message: expect.stringContaining('gate-7'),
    });
  });

  it('a token of another hub, before anything secret is sent', async () => {
    const other = await startTestHub({ dataDir: join(directory, 'other') });
    try {
      const { token } = await other.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
      await expect(joinAs(token)).rejects.toMatchObject({ code: 'E_IDENTITY_UNTRUSTED' });
    } finally {
      await other.stop();
    }
  });

  it('a hub under an address that its certificate does not name', async () => {
    const token = await makeToken();
    await hub.stop();
    hub = await startTestHub({ dataDir: join(directory, 'hub'), clock, host: '127.0.0.2' });
    await expect(joinAs(token)).rejects.toMatchObject({ code: 'E_IDENTITY_UNTRUSTED' });
  });

  it('a pool that is gone, a name that cannot be, an address that is none, a hub that is away', async () => {
    const token = await makeToken({ uses: 9 });
    hub.pools.delete('hangzhou');
    await expect(joinAs(token)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('hangzhou'),
    });
    await expect(hub.tokens.create({ pool: 'nowhere', ttlMs: 60_000, uses: 1 })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    });
    await expect(joinAs(token, 'Gate_1')).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
    await expect(joinAs(token, 'gate-1', { url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'E_INPUT_INVALID',
    });
    await expect(joinAs(token, 'gate-1', { url: 'https://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'E_LINK_UNREACHABLE',
    });
  });

  it('a key that the terminal does not have', async () => {
    const token = await makeToken();
    const thief: EnrolFetcher = {
      ...enrolOverHttps,
      enrol: (url, ca, wish) => enrolOverHttps.enrol(url, ca, { ...wish, name: 'gate-2' }),
    };
    await expect(joinAs(token, 'gate-1', { fetcher: thief })).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
    expect((await hub.tokens.list())[0]).toMatchObject({ usesLeft: 1 });
  });
});
