/**
 * Goal: a terminal keeps its identity for years: through renewals, lost answers, power cuts in the middle, long
 * absence and a restored hub; and nobody else gets it by any of these ways. Real TLS, files and SQLite; the hub's
 * clock is moved.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renewalPauseMs } from '../../cloud/identity/renewal.ts';
import { errorTable } from '../../protocol/errors.ts';
import { pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import { webSocketDialer } from '../../protocol/node/websocket.ts';
import { readRenewRequest, renewalGraceMs } from '../../protocol/renewal.ts';
import { enrolOverHttps, renewOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import { enrol, type Identity, loadIdentity } from '../../runtime/identity/identity.ts';
import { OwnIdentity, type RenewFetcher } from '../../runtime/identity/own-identity.ts';
import { movableClock, startTestHub, type TestHub, terminalInfo, testEnv } from '../cloud/identity/test-hub.ts';

const DAY_MS = 24 * 3_600_000;

let directory: string;
let hub: TestHub;
let dataDir: string;
const clock = movableClock();

beforeEach(async () => {
  clock.offsetMs = 0;
  directory = await mkdtemp(join(tmpdir(), 'stile-renewal-'));
  dataDir = join(directory, 'gate-1');
  hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
});
afterEach(async () => {
  await hub.stop();
  await rm(directory, { recursive: true, force: true });
});

async function restartHub(): Promise<void> {
  await hub.stop();
  hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
}

async function joined(): Promise<OwnIdentity> {
  const { token } = await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
  const identity = await enrol(
    testEnv(),
    { hubUrl: hub.url, token, name: 'gate-1', dataDir, info: terminalInfo },
    enrolOverHttps,
  );
  return own(identity);
}

function own(identity: Identity, renew: RenewFetcher = renewOverHttps, dir = dataDir): OwnIdentity {
  return new OwnIdentity(testEnv(), { dataDir: dir, identity, given: undefined, renew });
}

/** The terminal after a restart of its program. */
async function restarted(dir = dataDir): Promise<OwnIdentity> {
  const again = own((await loadIdentity(dir))!, renewOverHttps, dir);
  await again.mend();
  return again;
}

/** Undefined when a session is opened, else the code of the refusal. */
async function sessionRefusal(identity: Identity): Promise<string | undefined> {
  const dialer = webSocketDialer({ trust: () => identity, destinations: () => [hub.address] });
  try {
    (await dialer.dial(new AbortController().signal)).close('enough');
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

async function blobStatus(identity: Identity): Promise<number> {
  const agent = new Agent({ connect: pinnedConnector(() => identity) });
  try {
    const url = `${hub.url}/stile/v1/blobs/sha256:${'0'.repeat(64)}`;
    const { statusCode, body } = await request(url, { dispatcher: agent });
    await body.dump();
    return statusCode;
  } finally {
    await agent.destroy();
  }
}

const passDays = (days: number) => {
  clock.offsetMs += days * DAY_MS;
};

describe('a renewal', () => {
  it('gives a new key and certificate; the old one counts until the new one was used', async () => {
    const node = await joined();
    const old = node.current;
    passDays(250);
    await node.renew();
    expect(node.current.keyPem).not.toBe(old.keyPem);
    expect(node.validity.notAfterMs).toBeGreaterThan(clock.now() + 364 * DAY_MS);
    expect(await loadIdentity(dataDir)).toEqual(node.current);
    expect(await sessionRefusal(old)).toBeUndefined();
    expect(await sessionRefusal(node.current)).toBeUndefined();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_REFUSED');
    expect(await blobStatus(old)).toBe(403);
    await restartHub();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_REFUSED');
    expect(await sessionRefusal(node.current)).toBeUndefined();
  });

  it('whose answer was lost is asked for again and costs no second certificate', async () => {
    const node = await joined();
    passDays(250);
    const answers: string[] = [];
    const losing = own(node.current, async (...asked) => {
      answers.push((await renewOverHttps(...asked)).certificate);
      throw new Error('the link broke');
    });
    await expect(losing.renew()).rejects.toThrow('the link broke');
    await restartHub();
    const again = await restarted();
    expect(again.current).toEqual(node.current);
    await again.renew();
    expect(again.current.certificatePem).toBe(answers[0]);
  });

  it('is made year after year', async () => {
    let node = await joined();
    for (let year = 0; year < 6; year += 1) {
      passDays(250);
      await node.renew();
      expect(await sessionRefusal(node.current)).toBeUndefined();
      node = await restarted();
    }
    expect(await hub.store.certificates()).toHaveLength(7);
    expect(await hub.store.successors()).toEqual([]);
  });

  it('is not for a stranger, an administrator, a copied request, a young certificate or the old key', async () => {
    const node = await joined();
    passDays(250);
    let wish: Parameters<RenewFetcher>[2] | undefined;
    const watching = own(node.current, (url, trust, sent) => {
      wish = sent;
      return renewOverHttps(url, trust, sent);
    });
    const { caPem, keyPem, certificatePem } = node.current;
    await watching.renew();
    const ask = (trust: Parameters<RenewFetcher>[1], sent = wish!) => renewOverHttps(hub.url, trust, sent);
    await expect(ask({ caPem })).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    await expect(ask({ caPem, ...hub.administrator })).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    const old = { caPem, keyPem, certificatePem };
    const forged = { ...wish!, oldProof: wish!.proof };
    await expect(ask(old, forged)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
    await expect(ask(old, { ...wish!, publicKey: 'AAAA' })).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
    expect(await sessionRefusal(watching.current)).toBeUndefined();
    await expect(ask(old)).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    await expect(watching.renew()).rejects.toMatchObject({ code: 'E_LINK_BUSY' });
    clock.offsetMs += renewalPauseMs;
    await watching.renew();
  });

  it('that is no renewal is refused by its code', () => {
    for (const body of [null, 1, [], {}, { publicKey: 'x', proof: 'x' }, { publicKey: 1, proof: 'x', oldProof: 'x' }])
      expect(() => readRenewRequest(body)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

describe('a terminal that was away', () => {
  it('400 days comes back by itself: its certificate is good for the next one and for nothing else', async () => {
    const node = await joined();
    const old = node.current;
    passDays(400);
    await restartHub();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_EXPIRED');
    expect(await blobStatus(old)).toBe(403);
    await node.renew();
    expect(await sessionRefusal(node.current)).toBeUndefined();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_REFUSED');
    expect(await blobStatus(node.current)).toBe(404);
  });

  it('with a renewed certificate that was never used comes back too', async () => {
    const node = await joined();
    passDays(250);
    await node.renew();
    passDays(500);
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_EXPIRED');
    await node.renew();
    expect(await sessionRefusal(node.current)).toBeUndefined();
  });

  it('longer than the grace is told to enrol again', async () => {
    const node = await joined();
    clock.offsetMs += 365 * DAY_MS + renewalGraceMs + DAY_MS;
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
    await expect(node.renew()).rejects.toMatchObject({
      code: 'E_IDENTITY_REFUSED',
      message: expect.stringContaining('--node gate-1 --replace'),
    });
  });

  it('and was revoked meanwhile never comes back, also when the hub has tidied up', async () => {
    const node = await joined();
    await hub.identities.revoke('gate-1');
    passDays(400);
    await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
    await restartHub();
    await expect(node.renew()).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
  });

  it('meets a hub whose clock fell back behind its certificate, and is let in', async () => {
    const node = await joined();
    clock.offsetMs = -10 * 365 * DAY_MS;
    expect(await sessionRefusal(node.current)).toBeUndefined();
  });
});

describe('a hub that was restored from a backup', () => {
  /** Runs `work`, then puts the hub's data back to what it was before. */
  async function forgotten(work: () => Promise<void>): Promise<void> {
    const [data, backup] = [join(directory, 'hub'), join(directory, 'backup')];
    await hub.stop();
    await cp(data, backup, { recursive: true });
    hub = await startTestHub({ dataDir: data, clock });
    await work();
    await hub.stop();
    await rm(data, { recursive: true });
    await cp(backup, data, { recursive: true });
    hub = await startTestHub({ dataDir: data, clock });
  }

  it('knows a terminal again that renewed after it, and lets the old certificate end', async () => {
    const node = await joined();
    const old = node.current;
    passDays(250);
    await forgotten(async () => {
      await node.renew();
      expect(await sessionRefusal(node.current)).toBeUndefined();
    });
    expect(await sessionRefusal(node.current)).toBeUndefined();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_REFUSED');
    await restartHub();
    expect(await sessionRefusal(node.current)).toBeUndefined();
    expect(await sessionRefusal(old)).toBe('E_IDENTITY_REFUSED');
  });

  it('can revoke what it has forgotten', async () => {
    const node = await joined();
    passDays(250);
    await forgotten(() => node.renew());
    await hub.identities.revoke('gate-1');
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
    await expect(node.renew()).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    await restartHub();
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
  });
});

describe('a power cut in a renewal', () => {
  /** The writes of a renewal in their order; each is one atomic change of one file. */
  const steps = [
    'next-key.pem.copy',
    'next-key.pem',
    'cert.pem.copy',
    'cert.pem',
    'key.pem.copy',
    'key.pem',
    'node.json.copy',
    'node.json',
    '-next-key.pem',
    '-next-key.pem.copy',
  ];

  it('at any step, with any one file torn besides, leaves an identity that works and renews', async () => {
    const node = await joined();
    const files = (dir: string) => join(dir, 'identity');
    const before = join(directory, 'before');
    await cp(dataDir, before, { recursive: true });
    passDays(250);
    let nextKeyPem = '';
    const watching = own(node.current, async (...asked) => {
      nextKeyPem = await readFile(join(files(dataDir), 'next-key.pem'), 'utf8');
      return renewOverHttps(...asked);
    });
    await watching.renew();
    const contentOf = async (name: string) =>
      name.startsWith('next-key') ? nextKeyPem : readFile(join(files(dataDir), name), 'utf8');
    let states = 0;
    const state = join(directory, 'state');
    await cp(before, state, { recursive: true });
    for (const step of ['', ...steps]) {
      if (step.startsWith('-')) await rm(join(files(state), step.slice(1)));
      else if (step !== '') await writeFile(join(files(state), step), await contentOf(step));
      for (const torn of ['', ...(await readdir(files(state)))]) {
        const tried = join(directory, `tried-${states}`);
        await cp(state, tried, { recursive: true });
        if (torn !== '') await writeFile(join(files(tried), torn), '');
        const at = `after ${step || 'nothing'}, ${torn || 'nothing'} torn`;
        const found = await loadIdentity(tried);
        expect([node.current.certificatePem, watching.current.certificatePem], at).toContain(found?.certificatePem);
        await (await restarted(tried)).mend();
        expect(await loadIdentity(tried), at).toEqual(found);
        states += 1;
      }
    }
    expect(states).toBeGreaterThan(100);
    expect((await readdir(files(state))).sort()).toEqual((await readdir(files(dataDir))).sort());
    expect(await loadIdentity(state)).toEqual(watching.current);
    // Both certificates are good at the hub until the new one is used, whichever the terminal woke up with.
    expect(await sessionRefusal(node.current)).toBeUndefined();
    expect(await sessionRefusal(watching.current)).toBeUndefined();
  });

  it('before the answer came: the same key asks again after the restart, and the old files are whole', async () => {
    const node = await joined();
    passDays(250);
    const dying = own(node.current, () => Promise.reject(new Error('the power went')));
    await expect(dying.renew()).rejects.toThrow('the power went');
    const key = await readFile(join(dataDir, 'identity', 'next-key.pem'), 'utf8');
    const again = await restarted();
    await again.renew();
    expect(again.current.keyPem).toBe(key);
    expect(await sessionRefusal(again.current)).toBeUndefined();
  });
});

describe('a copy of an identity', () => {
  it('that shows the certificate which its terminal has long replaced shuts both out until an operator decides', async () => {
    const node = await joined();
    const copy = node.current;
    passDays(250);
    await node.renew();
    expect(await sessionRefusal(node.current)).toBeUndefined();
    // A connection that was on its way proves nothing.
    expect(await sessionRefusal(copy)).toBe('E_IDENTITY_REFUSED');
    expect(await sessionRefusal(node.current)).toBeUndefined();
    passDays(1);
    expect(await sessionRefusal(copy)).toBe('E_IDENTITY_REFUSED');
    const suspensions = () => hub.decisions.filter((decision) => decision.startsWith('suspended'));
    await expect.poll(suspensions).toEqual(['suspended gate-1: an old certificate']);
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_CONFLICT');
    expect(await blobStatus(node.current)).toBe(403);
    await expect(node.renew()).rejects.toMatchObject({ code: 'E_IDENTITY_CONFLICT' });
    await restartHub();
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_CONFLICT');
    await hub.identities.resume('gate-1');
    expect(await sessionRefusal(node.current)).toBeUndefined();
  });

  it('that renews first is found out by the terminal it was taken from', async () => {
    const node = await joined();
    const thiefDir = join(directory, 'thief');
    await cp(dataDir, thiefDir, { recursive: true });
    passDays(250);
    const thief = await restarted(thiefDir);
    await thief.renew();
    expect(await sessionRefusal(thief.current)).toBeUndefined();
    passDays(1);
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
    await expect.poll(() => sessionRefusal(thief.current)).toBe('E_IDENTITY_CONFLICT');
  });
});

describe('an operator', () => {
  const post = (path: string, json: unknown = {}) =>
    hub.http.send({ method: 'POST', path: `/stile/v1/nodes/${path}`, json: json as Record<string, unknown> });

  it('revokes a node: even the key does not bring it back, a new token re-admits the name', async () => {
    const node = await joined();
    await post('gate-1/revoke');
    await post('gate-1/revoke');
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
    expect(await blobStatus(node.current)).toBe(403);
    const { token } = await hub.tokens.create({
      pool: 'hangzhou',
      node: 'gate-1',
      replace: true,
      ttlMs: 60_000,
      uses: 1,
    });
    const options = { hubUrl: hub.url, token, name: 'gate-1', dataDir: join(directory, 'new'), info: terminalInfo };
    expect(await sessionRefusal(await enrol(testEnv(), options, enrolOverHttps))).toBeUndefined();
    expect(await sessionRefusal(node.current)).toBe('E_IDENTITY_REFUSED');
    expect(hub.decisions.filter((line) => line.startsWith('revoke'))).toEqual([
      'revoke by stile-admin: 200',
      'revoke by stile-admin: 200',
    ]);
  });

  it('moves a node, whose terminal keeps its certificate and hears of the pool with the next', async () => {
    hub.pools.add('ningbo');
    const node = await joined();
    await post('gate-1/move', { pool: 'ningbo' });
    expect(hub.decisions).toContain('gate-1 to ningbo');
    expect(await hub.store.currentCertificate('gate-1')).toMatchObject({ pool: 'ningbo' });
    expect(await sessionRefusal(node.current)).toBeUndefined();
    passDays(250);
    await node.renew();
    expect(await loadIdentity(dataDir)).toMatchObject({ pool: 'ningbo' });
  });

  it.each([
    ['nobody/revoke', {}, 'E_NOT_FOUND'],
    ['nobody/resume', {}, 'E_NOT_FOUND'],
    ['gate-1/move', {}, 'E_INPUT_INVALID'],
    ['gate-1/move', { pool: 'nowhere' }, 'E_NOT_FOUND'],
    ['%zz/revoke', {}, 'E_INPUT_INVALID'],
  ] as const)('is told what is wrong with %s %j', async (path, json, code) => {
    await joined();
    await expect(post(path, json)).rejects.toMatchObject({ code });
    expect(hub.decisions.at(-1)).toMatch(`: ${errorTable[code].http}`);
  });

  it('is the only one who decides', async () => {
    const { current } = await joined();
    const agent = new Agent({ connect: { ca: current.caPem, cert: current.certificatePem, key: current.keyPem } });
    const url = `${hub.url}/stile/v1/nodes/gate-1/revoke`;
    const { statusCode, body } = await request(url, { dispatcher: agent, method: 'POST', body: '{}' });
    expect([statusCode, await body.json()]).toMatchObject([403, { code: 'E_FORBIDDEN' }]);
    await agent.destroy();
    expect(await sessionRefusal(current)).toBeUndefined();
  });
});
