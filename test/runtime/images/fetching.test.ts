/**
 * Goal: images reach the disk over bad networks and hostile servers. Method: a real hub for the good path, a real
 * HTTP server that cuts, lies or trickles for the rest, real files.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byteRange } from '../../../cloud/images/byte-range.ts';
import { pushImage } from '../../../cloud/images/push.ts';
import { enrolOverHttps } from '../../../runtime/identity/enrol-over-https.ts';
import { enrol } from '../../../runtime/identity/identity.ts';
import { arriving } from '../../../runtime/images/arriving.ts';
import { type BlobSource, blobsOverHttps } from '../../../runtime/images/blob-source.ts';
import { type DownloadLimits, download, downloadLimits } from '../../../runtime/images/download.ts';
import { ImageStore } from '../../../runtime/images/image-store.ts';
import { startTestHub, type TestHub, terminalInfo, testEnv } from '../../cloud/identity/test-hub.ts';

const env = testEnv();
const never = new AbortController().signal;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-images-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('with a hub', () => {
  let hub: TestHub;
  let store: ImageStore;
  let digest: string;

  beforeEach(async () => {
    hub = await startTestHub({ dataDir: join(directory, 'hub') });
    const app = join(directory, 'app');
    await mkdir(join(app, 'bin'), { recursive: true });
    await writeFile(join(app, 'bin', 'run'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
    await writeFile(join(app, 'data'), randomBytes(300_000));
    await symlink('bin/run', join(app, 'start'));
    ({ digest } = await pushImage(app, 'gate:1', { entrypoint: ['bin/run'] }, hub.http));
    store = await openStore();
  });
  afterEach(async () => {
    await store.close();
    await hub.stop();
  });

  async function openStore(): Promise<ImageStore> {
    const { token } = await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
    const dataDir = join(directory, 'node');
    const wish = { hubUrl: hub.url, token, name: 'gate-1', dataDir, info: terminalInfo };
    const identity = await enrol(env, wish, enrolOverHttps);
    return ImageStore.open(env, {
      dataDir,
      architecture: 'amd64',
      source: blobsOverHttps(() => identity),
      destinations: () => identity.destinations,
    });
  }

  it('fetches and unpacks what was pushed, once for all who ask at the same time', async () => {
    const [one, other] = await Promise.all([store.ensure(digest, never), store.ensure(digest, never)]);
    expect(other).toEqual(one);
    expect(one.digest).toBe(digest);
    expect(one.config).toEqual({ entrypoint: ['bin/run'], cmd: [], env: [], workingDir: '/', user: '' });
    expect((await stat(join(one.rootDirectory, 'start'))).mode & 0o777).toBe(0o755);
    expect(await readFile(join(one.rootDirectory, 'data'))).toEqual(await readFile(join(directory, 'app', 'data')));
  });

  it('needs no hub for what is complete, in another life too', async () => {
    const image = await store.ensure(digest, never);
    await store.close();
    await hub.listener.close();
    store = await ImageStore.open(env, {
      dataDir: join(directory, 'node'),
      architecture: 'amd64',
      source: refusingSource,
      destinations: () => [],
    });
    expect(await store.ensure(digest, never)).toEqual(image);
    expect(await store.local(digest)).toEqual(image);
    // As an earlier version left it, which did not ask for the user.
    const word = join(directory, 'node', 'images', 'complete', `${digest.slice('sha256:'.length)}.json`);
    const record = JSON.parse(await readFile(word, 'utf8'));
    delete record.config.user;
    await writeFile(word, JSON.stringify(record));
    expect(await store.local(digest)).toEqual(image);
  });

  it('drops what nobody uses and keeps what somebody does', async () => {
    const image = await store.ensure(digest, never);
    await store.collect(new Set([digest]));
    expect(await store.local(digest)).toEqual(image);
    // As an earlier version left it, which did not ask for the user.
    const word = join(directory, 'node', 'images', 'complete', `${digest.slice('sha256:'.length)}.json`);
    const record = JSON.parse(await readFile(word, 'utf8'));
    delete record.config.user;
    await writeFile(word, JSON.stringify(record));
    expect(await store.local(digest)).toEqual(image);
    await store.collect(new Set());
    expect(await store.local(digest)).toBeUndefined();
    for (const name of ['blobs', 'partial', 'roots', 'complete'])
      expect(await readdir(join(directory, 'node', 'images', name)), name).toEqual([]);
    expect(await store.ensure(digest, never)).toEqual(image);
  });

  it('says that an image is not there', async () => {
    await expect(store.ensure(`sha256:${'1'.repeat(64)}`, never)).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
  });

  it('ends at once when it is called off', async () => {
    const away = new AbortController();
    const waiting = store.ensure(digest, away.signal);
    away.abort(new Error('pod deleted'));
    await expect(waiting).rejects.toThrow('pod deleted');
    expect((await store.ensure(digest, never)).digest).toBe(digest);
  });
});

const refusingSource: BlobSource = {
  open: () => Promise.reject(new Error('no network here')),
  close: async () => {},
};

/** What the server does with one request; `count` is 0 for the first. */
type Behaviour = (blob: Buffer, request: IncomingMessage, response: ServerResponse, count: number) => void;

const quick: DownloadLimits = { ...downloadLimits, backoffMinMs: 1, backoffMaxMs: 2 };

/** Downloads `blob` from a server that behaves so; resolves to the bytes that the server sent. */
async function fetchFrom(blob: Buffer, behaviour: Behaviour, limits = quick) {
  let count = 0;
  let bytesSent = 0;
  const server = createServer((incoming, response) => {
    const write = response.write.bind(response);
    response.write = ((chunk: Buffer, ...rest: []) => {
      bytesSent += chunk.length;
      return write(chunk, ...rest);
    }) as typeof response.write;
    behaviour(blob, incoming, response, count++);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const path = join(directory, 'blob');
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  const source = plainSource();
  try {
    await download(
      env,
      { source, destinations: () => [`127.0.0.1:${port}`], limits },
      { digest, bytes: blob.length, path, partialPath: join(directory, 'partial') },
      never,
    );
    return { bytesSent, count, content: await readFile(path) };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** As `blobsOverHttps`, without TLS, so that the server may misbehave below HTTP. */
function plainSource(): BlobSource {
  return {
    open: async (destination, digest, from, signal) => {
      const { headers, body, statusCode } = await request(`http://${destination}/${digest}`, {
        signal,
        headers: from === 0 ? {} : { range: `bytes=${from}-` },
      });
      return {
        from: statusCode === 206 ? from : 0,
        bytesTotal: Number(headers['content-length']) || undefined,
        body: arriving(body),
      };
    },
    close: async () => {},
  };
}

/** A good server's answer, cut after `bytesMax` of its body. */
function serve(blob: Buffer, incoming: IncomingMessage, response: ServerResponse, bytesMax = Infinity): void {
  const range = byteRange(incoming.headers.range, blob.length);
  const { from, to } = typeof range === 'object' ? range : { from: 0, to: blob.length - 1 };
  const part = blob.subarray(from, to + 1);
  response.writeHead(range === undefined ? 200 : 206, { 'content-length': part.length });
  response.write(part.subarray(0, bytesMax), () => (bytesMax < part.length ? response.destroy() : response.end()));
}

describe('over a bad network', () => {
  const blob = randomBytes(1024 * 1024);

  it.each([1, 64 * 1024, 100_000, 524_288])('resumes after each cut at %i bytes, sending hardly more', async (cut) => {
    const small = cut === 1 ? blob.subarray(0, 200) : blob;
    const { bytesSent, content } = await fetchFrom(small, (all, incoming, response) =>
      serve(all, incoming, response, cut),
    );
    expect(content.equals(small)).toBe(true);
    expect(bytesSent).toBeLessThanOrEqual(small.length * 1.05);
  });

  it('goes on from the partial file of an earlier life', async () => {
    await writeFile(join(directory, 'partial'), blob.subarray(0, 900_000));
    const { bytesSent, content } = await fetchFrom(blob, serve);
    expect(content.equals(blob)).toBe(true);
    expect(bytesSent).toBe(blob.length - 900_000);
  });

  it('replaces a partial file that a power cut tore', async () => {
    await writeFile(join(directory, 'partial'), blob.subarray(0, 1_000));
    await truncate(join(directory, 'partial'), 500_000);
    const { content } = await fetchFrom(blob, serve);
    expect(content.equals(blob)).toBe(true);
  });

  it('copes with a server that does not know Range', async () => {
    const { content } = await fetchFrom(blob, (all, incoming, response, count) => {
      delete incoming.headers.range;
      serve(all, incoming, response, count === 0 ? 300_000 : Infinity);
    });
    expect(content.equals(blob)).toBe(true);
  });

  it('gives up a connection that trickles, and gets the rest from another', async () => {
    const limits = { ...quick, windowMs: 100, windowBytesMin: 1_000 };
    const { content, count } = await fetchFrom(
      blob,
      (all, incoming, response, number) => {
        if (number > 0) return serve(all, incoming, response);
        response.writeHead(200, { 'content-length': all.length });
        response.write(all.subarray(0, 10));
      },
      limits,
    );
    expect(content.equals(blob)).toBe(true);
    expect(count).toBe(2);
  });

  it('drops a liar after the second copy and keeps nothing of it', async () => {
    let asked = 0;
    const lying = fetchFrom(blob, (all, incoming, response) => {
      asked += 1;
      serve(Buffer.alloc(all.length, 7), incoming, response);
    });
    await expect(lying).rejects.toMatchObject({ code: 'E_IMAGE_DIGEST' });
    expect(asked).toBe(2);
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not let an endless blob fill the disk', async () => {
    const endless = fetchFrom(blob.subarray(0, 1_000), (_, __, response) => {
      const more = () => response.destroyed || response.write(Buffer.alloc(65_536), () => setImmediate(more));
      response.writeHead(200);
      more();
    });
    await expect(endless).rejects.toMatchObject({ code: 'E_IMAGE_DIGEST' });
    expect(await readdir(directory)).toEqual([]);
  });

  it('gives up in the end when nothing ever comes', async () => {
    const dead = fetchFrom(blob, (_, __, response) => response.destroy());
    await expect(dead).rejects.toMatchObject({ code: 'E_LINK_CLOSED' });
  });

  it('keeps within the time for the whole', async () => {
    const limits = { ...quick, totalMsMax: 150, windowMs: 60_000 };
    const hanging = fetchFrom(blob, (_, __, response) => void response.writeHead(200).write('x'), limits);
    await expect(hanging).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  });
});
