/**
 * Goal: layers are unpacked as the image means them and never out of its root, whoever wrote them. Method: real tars
 * on a real disk; the random ones print their seed (fast-check) and replay with it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../../protocol/errors.ts';
import { type Layer, unpack, unpackLimits } from '../../../runtime/images/unpack.ts';

const never = new AbortController().signal;
let directory: string;
let root: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-unpack-'));
  root = join(directory, 'root');
  await mkdir(root);
  await writeFile(join(directory, 'outside'), 'untouched');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

type Entry = Omit<Partial<Header>, 'name'> & { name: string; content?: string };

async function tarOf(entries: Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header as Header, content ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function layerOf(
  entries: Entry[] | Buffer,
  wanted: Partial<{ mediaType: string; diffId: string }> = {},
): Promise<Layer> {
  const tar = Buffer.isBuffer(entries) ? entries : await tarOf(entries);
  const { mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip' } = wanted;
  const blob = mediaType.endsWith('gzip') ? gzipSync(tar) : mediaType.endsWith('zstd') ? zstdCompressSync(tar) : tar;
  const digest = digestOf(blob);
  const path = join(directory, digest.slice(7, 20));
  await writeFile(path, blob);
  const diffId = wanted.diffId ?? digestOf(tar);
  return { descriptor: { mediaType, digest, size: blob.length }, diffId, path };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function unpackEntries(...layers: Entry[][]): Promise<void> {
  await unpack(root, await Promise.all(layers.map((entries) => layerOf(entries))), unpackLimits, never);
}

describe('a layer', () => {
  it('keeps contents, modes, directories and links', async () => {
    await unpackEntries([
      { name: 'bin/', type: 'directory', mode: 0o755 },
      { name: './bin/run', content: 'run me', mode: 0o4755 },
      { name: '/etc/deep/er/file', content: 'deep' },
      { name: 'same', type: 'link', linkname: 'bin/run' },
      { name: 'bin/again', type: 'symlink', linkname: '/etc/deep/er/file' },
      { name: 'up', type: 'symlink', linkname: 'bin/../bin/run' },
    ]);
    expect((await stat(join(root, 'bin/run'))).mode & 0o7777).toBe(0o755);
    expect(await readFile(join(root, 'same'), 'utf8')).toBe('run me');
    expect(await readlink(join(root, 'bin/again'))).toBe('../etc/deep/er/file');
    expect(await readFile(join(root, 'bin/again'), 'utf8')).toBe('deep');
    expect(await readFile(join(root, 'up'), 'utf8')).toBe('run me');
  });

  it.each(['.tar', '.tar+gzip', '.tar+zstd'])('may be packed as %s', async (suffix) => {
    const mediaType = `application/vnd.oci.image.layer.v1${suffix}`;
    await unpack(root, [await layerOf([{ name: 'a', content: 'b' }], { mediaType })], unpackLimits, never);
    expect(await readFile(join(root, 'a'), 'utf8')).toBe('b');
  });

  it('changes what lower layers brought, and whiteouts spare its own files', async () => {
    await unpackEntries(
      [
        { name: 'kept', content: '1' },
        { name: 'gone', content: '1' },
        { name: 'd/old', content: '1' },
        { name: 'd/sub/old', content: '1' },
        { name: 'usr/lib/', type: 'directory' },
        { name: 'lib', type: 'symlink', linkname: 'usr/lib' },
      ],
      [
        { name: 'd/sub/new', content: '2' },
        { name: 'd/.wh..wh..opq' },
        { name: 'd/new', content: '2' },
        { name: '.wh.gone' },
        { name: 'kept', content: '2' },
        { name: 'lib/through-link', content: '2' },
        { name: 'lib/', type: 'directory' },
      ],
    );
    expect(await readFile(join(root, 'kept'), 'utf8')).toBe('2');
    expect((await readdir(root)).toSorted()).toEqual(['d', 'kept', 'lib', 'usr']);
    expect((await readdir(join(root, 'd'), { recursive: true })).toSorted()).toEqual(['new', 'sub', 'sub/new']);
    expect(await readFile(join(root, 'usr/lib/through-link'), 'utf8')).toBe('2');
  });
});

describe('a hostile layer is refused, and nothing outside is touched', () => {
  const hostile: Record<string, Entry[]> = {
    'a path that climbs': [{ name: '../outside', content: 'x' }],
    'a path that climbs later': [{ name: 'a/../../outside', content: 'x' }],
    'a link that climbs': [{ name: 'l', type: 'symlink', linkname: '../outside' }],
    'an absolute link that climbs': [{ name: 'a/l', type: 'symlink', linkname: '/../outside' }],
    'a hard link that climbs': [{ name: 'l', type: 'link', linkname: '../outside' }],
    'a hard link to nothing': [{ name: 'l', type: 'link', linkname: 'missing' }],
    'a device': [{ name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }],
    'a block device': [{ name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 }],
    'a fifo': [{ name: 'pipe', type: 'fifo' }],
    'a file below a file': [
      { name: 'a', content: 'x' },
      { name: 'a/b', content: 'x' },
    ],
    'links in a circle': [
      { name: 'a', type: 'symlink', linkname: 'b' },
      { name: 'b', type: 'symlink', linkname: 'a' },
      { name: 'a/x', content: 'x' },
    ],
    'a whiteout of the parent': [{ name: 'a/.wh...' }],
  };
  it.each(Object.entries(hostile))('%s', async (_, entries) => {
    await expect(unpackEntries(entries)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    expect(await readFile(join(directory, 'outside'), 'utf8')).toBe('untouched');
  });

  it('writing through links that add up to a way out stays inside', async () => {
    await unpackEntries([
      { name: 'd/', type: 'directory' },
      { name: 'd/s', type: 'symlink', linkname: '..' },
      { name: 'd/l', type: 'symlink', linkname: 's/../outside' },
      { name: 'd/l/new', content: 'x' },
      { name: 'd/s/top', content: 'x' },
    ]);
    expect(await readFile(join(directory, 'outside'), 'utf8')).toBe('untouched');
    expect(await readFile(join(root, 'top'), 'utf8')).toBe('x');
  });

  it('too much, too many, the wrong digest, and what is no tar at all', async () => {
    const layer = await layerOf([{ name: 'zeros', content: '0'.repeat(1_000_000) }]);
    const small = { bytesMax: 500_000, entriesMax: 2 };
    await expect(unpack(root, [layer], small, never)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const many = await layerOf(['a', 'b', 'c'].map((name) => ({ name })));
    await expect(unpack(root, [many], small, never)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const wrong = await layerOf([{ name: 'a' }], { diffId: `sha256:${'0'.repeat(64)}` });
    await expect(unpack(root, [wrong], unpackLimits, never)).rejects.toMatchObject({ code: 'E_IMAGE_DIGEST' });
    const noise = await layerOf(randomBytes(2_048));
    await expect(unpack(root, [noise], unpackLimits, never)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const unknown = { ...layer, descriptor: { ...layer.descriptor, mediaType: 'text/plain' } };
    await expect(unpack(root, [unknown], unpackLimits, never)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
    const cut = await layerOf([{ name: 'a', content: 'x'.repeat(5_000) }]);
    await writeFile(cut.path, (await readFile(cut.path)).subarray(0, 60));
    await expect(unpack(root, [cut], unpackLimits, never)).rejects.toMatchObject({ code: 'E_IMAGE_INVALID' });
  });

  it('whatever is drawn', async () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh.b', '.wh..wh..opq', '...');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const entry = fc.record({
      name: path.filter((name) => name !== ''),
      type: fc.constantFrom(
        'file' as const,
        'directory' as const,
        'symlink' as const,
        'link' as const,
        'fifo' as const,
      ),
      linkname: fc.tuple(fc.constantFrom('', '/'), path).map(([start, rest]) => start + rest),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 8 }), { maxLength: 2 }), async (layers) => {
        await rm(root, { recursive: true, force: true });
        await mkdir(root);
        const before = new Set(await readdir(directory));
        const error = await unpackEntries(...layers).catch((reason: unknown) => reason);
        if (error !== undefined) expect((error as AppError).code).toBe('E_IMAGE_INVALID');
        const after = (await readdir(directory)).filter((name) => !before.has(name) && !/^[0-9a-f]{13}$/.test(name));
        expect(after).toEqual([]);
        expect(await readFile(join(directory, 'outside'), 'utf8')).toBe('untouched');
      }),
      { seed: 20_260, numRuns: 150 },
    );
  });
});
