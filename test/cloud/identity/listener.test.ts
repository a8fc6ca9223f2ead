/** Goal: one door that knows who stands before it, also after a restart. Real TLS sockets throughout. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hubExtension, writeKubeconfig } from '../../../cloud/identity/kubeconfig.ts';
import { enrolOverHttps } from '../../../runtime/identity/enrol-over-https.ts';
import { enrol, type Identity } from '../../../runtime/identity/identity.ts';
import { movableClock, startTestHub, type TestHub, terminalInfo, testEnv } from './test-hub.ts';

let directory: string;
let hub: TestHub;
const clock = movableClock();

beforeEach(async () => {
  clock.offsetMs = 0;
  directory = await mkdtemp(join(tmpdir(), 'stile-listener-'));
  await start();
});
afterEach(async () => {
  await hub.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A hub that also says who asks. */
async function start(): Promise<void> {
  hub = await startTestHub({ dataDir: join(directory, 'hub'), clock });
  hub.listener.handle('/who', async (_request, response, identity) => {
    response.end(JSON.stringify(identity ?? null));
    return true;
  });
}

async function joinNode(): Promise<Identity> {
  const { token } = await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
  const dataDir = join(directory, 'node');
  return enrol(testEnv(), { hubUrl: hub.url, token, name: 'gate-1', dataDir, info: terminalInfo }, enrolOverHttps);
}

interface Asked {
  identity: { user: string; groups: string[] } | null;
  resumed: boolean;
  session: Buffer | undefined;
}

/** Asks who one is over a connection of one's own, resuming `session` when given. */
function who(identity?: Pick<Identity, 'certificatePem' | 'keyPem'>, session?: Buffer): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: hub.listener.port,
      ca: hub.authority.certificatePem,
      ...(identity === undefined ? {} : { cert: identity.certificatePem, key: identity.keyPem }),
      ...(session === undefined ? {} : { session }),
    });
    let text = '';
    let ticket: Buffer | undefined;
    let resumed = false;
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused();
    });
    socket.on('session', (given) => {
      ticket = given;
    });
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const body = text.slice(text.indexOf('\r\n\r\n') + 4);
      resolve({ identity: JSON.parse(body), resumed, session: ticket });
    });
    socket.write('GET /who HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n');
  });
}

/** A sleep that ends when the test says so, or when its signal does. */
function sleepByHand(give: (wake: () => void) => void) {
  return (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      give(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
}

describe('who is at the door', () => {
  it('a node, an administrator, or nobody', async () => {
    const node = await joinNode();
    expect((await who(node)).identity).toMatchObject({ user: 'system:node:gate-1', groups: ['system:nodes'] });
    expect((await who(hub.administrator)).identity).toMatchObject({ groups: ['system:masters'] });
    expect((await who()).identity).toBeNull();
  });

  it('nobody with the certificate of another authority', async () => {
    const other = await startTestHub({ dataDir: join(directory, 'other') });
    await other.stop();
    expect((await who(other.administrator)).identity).toBeNull();
  });

  it('nobody with the hub’s own certificate, which is for servers alone', async () => {
    const text = await readFile(join(directory, 'hub', 'pki', 'server.pem'), 'utf8');
    const [keyPem, certificatePem] = [
      text.slice(0, text.indexOf('-----BEGIN CERT')),
      text.slice(text.indexOf('-----BEGIN CERT')),
    ];
    expect((await who({ keyPem: keyPem!, certificatePem: certificatePem! })).identity).toBeNull();
  });

  it('nobody when the certificate expired', async () => {
    const node = await joinNode();
    clock.offsetMs = 366 * 24 * 3_600_000;
    expect((await who(node)).identity).toBeNull();
  });
});

describe('TLS sessions', () => {
  it('are resumed across a restart of the hub, with the same identity', async () => {
    const node = await joinNode();
    const { session } = await who(node);
    const { port } = hub.listener;
    await hub.stop();
    await start();
    expect(hub.listener.port).toBe(port);
    const again = await who(node, session);
    expect(again.resumed).toBe(true);
    expect(again.identity).toMatchObject({ user: 'system:node:gate-1' });
  });

  it('make nobody somebody: a resumed session without a certificate stays anonymous', async () => {
    const { session } = await who();
    const again = await who(undefined, session);
    expect(again).toMatchObject({ resumed: true, identity: null });
  });

  it('do not outlive a revocation', async () => {
    const node = await joinNode();
    const { session } = await who(node);
    await hub.identities.revoke('gate-1');
    expect(await who(node, session)).toMatchObject({ resumed: true, identity: null });
  });

  it('are not resumed with a key older than a day', async () => {
    const node = await joinNode();
    const { session } = await who(node);
    await hub.stop();
    clock.offsetMs = 25 * 3_600_000;
    await start();
    expect(await who(node, session)).toMatchObject({ resumed: false, identity: { user: 'system:node:gate-1' } });
  });

  it('get another key each day while the hub runs, and nobody is shut out', async () => {
    await hub.stop();
    const file = join(directory, 'hub', 'ticket-keys');
    let passHour = () => {};
    const hourly = { ...clock, now: () => clock.now(), sleep: sleepByHand((wake) => (passHour = wake)) };
    hub = await startTestHub({ dataDir: join(directory, 'hub'), clock: hourly });
    hub.listener.handle('/who', async (_request, response, identity) => {
      response.end(JSON.stringify(identity ?? null));
      return true;
    });
    const { session } = await who(hub.administrator);
    const before = await readFile(file, 'utf8');
    clock.offsetMs = 25 * 3_600_000;
    passHour();
    await expect.poll(() => readFile(file, 'utf8')).not.toBe(before);
    await expect.poll(async () => (await who(hub.administrator, session)).resumed).toBe(false);
    const fresh = await who(hub.administrator);
    expect(fresh.identity).toMatchObject({ groups: ['system:masters'] });
    expect(await who(hub.administrator, fresh.session)).toMatchObject({ resumed: true });
  });

  it('an open connection of a revoked node is cut', async () => {
    const node = await joinNode();
    const socket = connect({
      host: '127.0.0.1',
      port: hub.listener.port,
      ca: hub.authority.certificatePem,
      cert: node.certificatePem,
      key: node.keyPem,
    });
    await new Promise((resolve) => socket.once('session', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    await hub.identities.revoke('gate-1');
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});

describe('the files of the hub', () => {
  it('make a kubeconfig that reaches it', async () => {
    const path = join(directory, 'admin.kubeconfig');
    const { authority, administrator, url } = hub;
    await writeKubeconfig(path, { server: url, caPem: authority.certificatePem, administrator });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const config = parse(await readFile(path, 'utf8'));
    const { cluster } = config.clusters[0];
    expect(cluster.extensions).toEqual([{ name: hubExtension, extension: { server: url } }]);
    const { user } = config.users[0];
    const decode = (text: string) => Buffer.from(text, 'base64').toString();
    const status = await new Promise((resolve, reject) => {
      const options = {
        ca: decode(cluster['certificate-authority-data']),
        cert: decode(user['client-certificate-data']),
        key: decode(user['client-key-data']),
      };
      httpsRequest(`${cluster.server}/stile/v1/tokens`, options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });

  it('keep the authority when one copy is torn, and refuse to make another when both are', async () => {
    const pki = join(directory, 'hub', 'pki');
    const { fingerprint } = hub.authority;
    await hub.stop();
    await writeFile(join(pki, 'authority.pem'), '');
    await start();
    expect(hub.authority.fingerprint).toBe(fingerprint);
    await hub.stop();
    await writeFile(join(pki, 'authority.pem'), '');
    await writeFile(join(pki, 'authority.pem.copy'), 'x');
    await expect(start()).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  });

  it('let the hub come back with another name in its certificate', async () => {
    const pem = () => readFile(join(directory, 'hub', 'pki', 'server.pem'), 'utf8');
    const before = await pem();
    await hub.stop();
    await start();
    expect(await pem()).toBe(before);
    await hub.stop();
    hub = await startTestHub({ dataDir: join(directory, 'hub'), names: ['hub.example', '10.0.0.7'] });
    expect(await pem()).not.toBe(before);
  });
});

it('a port in use is one clear sentence', async () => {
  const { port } = hub.listener;
  await hub.stop();
  const thief = createServer();
  await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));
  try {
    await expect(start()).rejects.toMatchObject({
      code: 'E_PORT_IN_USE',
      message: expect.stringContaining(String(port)),
    });
  } finally {
    await new Promise((resolve) => thief.close(resolve));
  }
});
