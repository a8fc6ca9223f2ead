/** Goal: what an administrator has becomes an image at the hub, once, or a sentence says why not. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pushImage } from '../../../cloud/images/push.ts';
import { mediaTypes, readImageConfig, readImageDocument } from '../../../protocol/image.ts';
import { startTestHub, type TestHub } from '../identity/test-hub.ts';

let directory: string;
let hub: TestHub;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-push-test-'));
  hub = await startTestHub({ dataDir: join(directory, 'hub') });
});
afterEach(async () => {
  await hub.stop();
  await rm(directory, { recursive: true, force: true });
});

async function makeApp(name: string, description?: unknown): Promise<string> {
  const app = join(directory, name);
  await mkdir(join(app, 'lib'), { recursive: true });
  await writeFile(join(app, 'main.js'), 'console.log(1)');
  await writeFile(join(app, 'lib', 'b.js'), 'export {}');
  await chmod(join(app, 'main.js'), 0o755);
  if (description !== undefined) await writeFile(join(app, 'stile-image.json'), JSON.stringify(description));
  return app;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function configOf(digest: string) {
  const manifest = readImageDocument(await hub.images.blobs.readDocument(digest));
  if (manifest.kind !== 'manifest') throw new Error('not a manifest');
  return readImageConfig(await hub.images.blobs.readDocument(manifest.config.digest));
}

/** An OCI layout with one image per platform, all made of the same layer. */
async function makeLayout(name: string, platforms: string[], config: object): Promise<string> {
  const layout = join(directory, name);
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const add = async (content: Uint8Array | object, mediaType: string) => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    await writeFile(join(blobs, digestOf(bytes).slice(7)), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const tar = pack();
  tar.entry({ name: 'hello' }, 'hello');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const layer = await add(gzipSync(Buffer.concat(chunks)), mediaTypes.layerGzip);
  const manifests = [];
  for (const platform of platforms) {
    const [os, architecture] = platform.split('/');
    const diff_ids = [digestOf(Buffer.concat(chunks))];
    const configBlob = await add({ os, architecture, config, rootfs: { type: 'layers', diff_ids } }, mediaTypes.config);
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: configBlob, layers: [layer] };
    manifests.push({ ...(await add(manifest, mediaTypes.manifest)), platform: { os, architecture } });
  }
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return layout;
}

describe('a directory', () => {
  it('becomes the same image wherever and whenever it is pushed, and is sent once', async () => {
    const progress: number[] = [];
    const one = await pushImage(await makeApp('one'), 'gate:1', { entrypoint: ['main.js'] }, hub.http, (done) =>
      progress.push(done),
    );
    const again = await makeApp('two');
    await utimes(join(again, 'main.js'), 1, 1);
    const two = await pushImage(again, 'gate:2', { entrypoint: ['main.js'] }, hub.http);
    expect(two.digest).toBe(one.digest);
    expect(one.bytesSent).toBe(one.bytesTotal);
    expect(two.bytesSent).toBe(0);
    expect(progress.at(-1)).toBe(one.bytesTotal);
    expect(progress).toEqual(progress.toSorted((left, right) => left - right));
    expect(hub.images.resolve('gate:2')).toBe(one.digest);
    expect(hub.images.resolve('docker.io/library/gate:1')).toBe(one.digest);
    expect(hub.images.resolve(`gate@${one.digest}`)).toBe(one.digest);
    expect(hub.images.resolve('gate')).toBeUndefined();
  });

  it('is run as stile-image.json says, and flags win', async () => {
    const app = await makeApp('app', { entrypoint: ['node', 'main.js'], env: ['A=1'], workingDir: '/lib' });
    const { digest } = await pushImage(app, 'gate:1', { cmd: ['--fast'], env: ['A=2'] }, hub.http);
    expect(await configOf(digest)).toMatchObject({
      entrypoint: ['node', 'main.js'],
      cmd: ['--fast'],
      env: ['A=2'],
      workingDir: '/lib',
    });
  });

  it('without anything to run is refused, and nothing is sent', async () => {
    await expect(pushImage(await makeApp('app'), 'gate:1', {}, hub.http)).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringContaining('--entrypoint'),
    });
    expect(hub.images.blobs.digests()).toEqual([]);
  });

  it('with a wrong description, a wrong name, or that is not there, is refused', async () => {
    const wrong = await makeApp('wrong', { entrypoint: 'main.js' });
    await expect(pushImage(wrong, 'gate:1', {}, hub.http)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const app = await makeApp('app', { cmd: ['main.js'] });
    for (const name of ['Gate:1', 'gate:', '', 'a b', `gate@sha256:${'0'.repeat(64)}`])
      await expect(pushImage(app, name, {}, hub.http)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
    await expect(pushImage(join(directory, 'no'), 'gate:1', {}, hub.http)).rejects.toMatchObject({
      code: 'E_INPUT_INVALID',
    });
  });
});

describe('an OCI layout', () => {
  it('keeps its digest', async () => {
    const layout = await makeLayout('layout', ['linux/amd64'], { Cmd: ['/hello'] });
    const { digest } = await pushImage(layout, 'hello', {}, hub.http);
    const index = readImageDocument(await readFile(join(layout, 'index.json')));
    expect(index.kind === 'index' && index.manifests[0]?.digest).toBe(digest);
    expect(hub.images.resolve('hello')).toBe(digest);
  });

  it('for several platforms stays an index, and one of them can be chosen', async () => {
    const layout = await makeLayout('layout', ['linux/amd64', 'linux/arm64'], { Cmd: ['/hello'] });
    const whole = await pushImage(layout, 'hello:all', {}, hub.http);
    const stored = readImageDocument(await hub.images.blobs.readDocument(whole.digest));
    expect(stored.kind === 'index' && stored.manifests.map(({ platform }) => platform?.architecture)).toEqual([
      'amd64',
      'arm64',
    ]);
    const one = await pushImage(layout, 'hello:arm', { platform: 'linux/arm64', entrypoint: ['/other'] }, hub.http);
    expect(await configOf(one.digest)).toMatchObject({ entrypoint: ['/other'], cmd: ['/hello'] });
    await expect(pushImage(layout, 'hello:no', { platform: 'linux/s390x' }, hub.http)).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
    });
  });

  it('may come as an archive, gzipped or not', async () => {
    const layout = await makeLayout('layout', ['linux/amd64'], { Cmd: ['/hello'] });
    const archive = join(directory, 'image.tar');
    const tar = pack();
    const written = pipeline(tar as unknown as NodeJS.ReadableStream, createWriteStream(archive));
    for (const file of await readdir(layout, { recursive: true, withFileTypes: true }))
      if (file.isFile()) {
        const path = join(file.parentPath, file.name);
        tar.entry({ name: path.slice(layout.length + 1) }, await readFile(path));
      }
    tar.finalize();
    await written;
    const plain = await pushImage(archive, 'hello:1', {}, hub.http);
    await writeFile(`${archive}.gz`, gzipSync(await readFile(archive)));
    const packed = await pushImage(`${archive}.gz`, 'hello:2', {}, hub.http);
    expect(packed.digest).toBe(plain.digest);
    await writeFile(archive, 'this is no tar');
    await expect(pushImage(archive, 'hello:3', {}, hub.http)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
  });

  it('without entrypoint and command is refused, also by the hub itself', async () => {
    const layout = await makeLayout('layout', ['linux/amd64'], {});
    await expect(pushImage(layout, 'hello', {}, hub.http)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const blobs = join(layout, 'blobs', 'sha256');
    for (const hex of await readdir(blobs))
      await hub.images.blobs.receive(`sha256:${hex}`, [await readFile(join(blobs, hex))] as never);
    const index = readImageDocument(await readFile(join(layout, 'index.json')));
    const [manifest] = index.kind === 'index' ? index.manifests : [];
    const json = { digest: manifest!.digest, mediaType: manifest!.mediaType };
    const tagging = hub.http.send({ method: 'PUT', path: '/stile/v1/images/hello%3A1', json });
    await expect(tagging).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringContaining('--entrypoint'),
    });
  });

  it('with a blob missing or damaged is refused', async () => {
    const layout = await makeLayout('layout', ['linux/amd64'], { Cmd: ['/hello'] });
    const blobs = join(layout, 'blobs', 'sha256');
    for (const hex of await readdir(blobs)) {
      const content = await readFile(join(blobs, hex));
      await rm(join(blobs, hex));
      await expect(pushImage(layout, 'hello', {}, hub.http)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
      await writeFile(join(blobs, hex), content);
    }
    const largest = (await readdir(blobs))[0]!;
    const content = await readFile(join(blobs, largest));
    await writeFile(join(blobs, largest), Buffer.from(content).fill(32, 0, 1));
    await expect(pushImage(layout, 'hello', {}, hub.http)).rejects.toMatchObject({
      code: expect.stringMatching(/^E_IMAGE_/),
    });
    expect(hub.images.list()).toEqual([]);
  });
});

describe('the hub’s images', () => {
  it('survive a restart, are told of, and are dropped only when nobody needs them', async () => {
    const told: string[] = [];
    const end = hub.images.onChanged((reference) => told.push(reference));
    const { digest } = await pushImage(await makeApp('app'), 'gate:1', { cmd: ['main.js'] }, hub.http);
    expect(told).toEqual(['gate:1']);
    end();
    await hub.stop();
    hub = await startTestHub({ dataDir: join(directory, 'hub') });
    expect(hub.images.resolve('gate:1')).toBe(digest);
    expect(await hub.images.prune([], 0)).toEqual([]);
    await hub.http.send({ method: 'DELETE', path: '/stile/v1/images/gate:1' });
    expect(await hub.images.prune([digest], 0)).toEqual([]);
    expect(await hub.images.prune()).toEqual([]);
    expect(await hub.images.prune([], 0)).toHaveLength(3);
    const gone = hub.http.send({ method: 'DELETE', path: '/stile/v1/images/gate:1' });
    await expect(gone).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
  });

  it('answer ranges, and refuse whoever is nobody', async () => {
    const { digest } = await pushImage(await makeApp('app'), 'gate:1', { cmd: ['main.js'] }, hub.http);
    const whole = await hub.images.blobs.readDocument(digest);
    const { certificatePem, keyPem } = hub.administrator;
    const known = new Agent({ connect: { ca: hub.authority.certificatePem, cert: certificatePem, key: keyPem } });
    const nobody = new Agent({ connect: { ca: hub.authority.certificatePem } });
    const get = async (headers: Record<string, string>, dispatcher = known) => {
      const answer = await request(`${hub.url}/stile/v1/blobs/${digest}`, { dispatcher, headers });
      return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
    };
    try {
      expect(await get({})).toMatchObject({ status: 200, text: whole.toString(), headers: { etag: `"${digest}"` } });
      const part = { status: 206, text: whole.subarray(5).toString() };
      expect(await get({ range: 'bytes=5-' })).toMatchObject(part);
      expect(await get({ range: 'bytes=5-', 'if-range': `"${digest}"` })).toMatchObject(part);
      expect(await get({ range: 'bytes=5-', 'if-range': '"other"' })).toMatchObject({ status: 200 });
      expect(await get({ range: 'bytes=-3' })).toMatchObject({ status: 206, text: whole.subarray(-3).toString() });
      expect(await get({ range: `bytes=${whole.length}-` })).toMatchObject({ status: 416 });
      expect(await get({}, nobody)).toMatchObject({ status: 403 });
      for (const [method, path] of [
        ['PUT', `/stile/v1/blobs/${digest}`],
        ['GET', '/stile/v1/images'],
        ['PUT', '/stile/v1/images/gate:1'],
        ['DELETE', '/stile/v1/images/gate:1'],
        ['GET', '/stile/v1/tokens'],
        ['POST', '/stile/v1/tokens'],
        ['DELETE', '/stile/v1/tokens/aaaaaaaaaaaa'],
      ] as const) {
        const { statusCode, body } = await request(hub.url + path, { dispatcher: nobody, method });
        expect([path, statusCode, ((await body.json()) as { code: string }).code]).toEqual([path, 403, 'E_FORBIDDEN']);
      }
    } finally {
      await known.destroy();
      await nobody.destroy();
    }
  });

  it('do not take a blob that is not what it says', async () => {
    const path = `/stile/v1/blobs/sha256:${'0'.repeat(64)}`;
    const { Readable } = await import('node:stream');
    const content = { stream: Readable.from([Buffer.from('x')]), bytes: 1 };
    await expect(hub.http.send({ method: 'PUT', path, content })).rejects.toMatchObject({ code: 'E_IMAGE_DIGEST' });
    expect(await readdir(join(directory, 'hub', 'blobs', 'incoming'))).toEqual([]);
  });
});
