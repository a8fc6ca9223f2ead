/**
 * What is inside an executable, for who must know: a software bill of materials (CycloneDX, JSON) and the texts of all
 * licences. Both are made of what was really bundled, and hold nothing that changes from one packing to the next.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Program } from './contents.ts';

const run = promisify(execFile);
const SBOM_BYTES_MAX = 64 * 1024 * 1024;

export interface Packed {
  program: Program;
  version: string;
  target: string;
  /** SHA-256 of the executable, in hex. */
  sha256: string;
  /** The bundled modules, as paths from the project's root. */
  modules: readonly string[];
  /** Name of the engine's package and the folder it lies in. */
  engine: { name: string; folder: string };
}

/** As `npm sbom` writes it; only what is used here has a name. */
interface Component {
  'bom-ref': string;
  name: string;
  version?: string;
  licenses?: { license: { id?: string; name?: string } }[];
  [more: string]: unknown;
}

interface Lockfile {
  packages: Record<string, { version?: string } | undefined>;
}

/** Compiled into the addon, which no list of bundled modules tells. */
const insideAddon = ['node_modules/sqlite3', 'node_modules/node-addon-api'];

export interface Inventory {
  sbom: string;
  licences: string;
}

export async function takeInventory(root: string, packed: Packed): Promise<Inventory> {
  const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lockfile;
  const all = await componentsOf(root);
  const folders = packageFolders(packed.modules);
  const packages = folders.map((folder) => componentAt(folder, lockfile, all));
  const engine = componentAt(`node_modules/${packed.engine.name}`, lockfile, all);
  const sqlite = await sqliteComponent(root);
  const texts: [Component, string][] = [[engine, await licenceText(packed.engine.folder)]];
  for (const [index, folder] of folders.entries())
    texts.push([packages[index]!, await licenceText(join(root, folder))]);
  texts.push([sqlite, 'The author disclaims copyright to this source code: https://sqlite.org/copyright.html\n']);
  return { sbom: sbomText(packed, [engine, sqlite, ...packages]), licences: licencesText(packed, texts) };
}

/** Folders of the packages that `modules` and the addon are of, sorted, from the project's root. */
export function packageFolders(modules: readonly string[]): string[] {
  // Where node_modules is a link, the bundler names what it points to.
  const inProject = modules.map((path) => path.replace(/^\.\.\/.*?(?=node_modules\/)/, ''));
  const found = inProject.map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set([...found.filter((folder) => folder !== undefined), ...insideAddon])].sort();
}

/** Every package of the lockfile, as npm describes it. */
async function componentsOf(root: string): Promise<Map<string, Component>> {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const { stdout } = await run('npm', args, { cwd: root, maxBuffer: SBOM_BYTES_MAX }).catch((error: Error) => {
    throw new Error(`npm sbom failed: it needs npm 10 or newer (${error.message.split('\n')[0]})`, { cause: error });
  });
  const { components } = JSON.parse(stdout) as { components: Component[] };
  return new Map(components.map((component) => [component['bom-ref'], component]));
}

function componentAt(folder: string, lockfile: Lockfile, all: ReadonlyMap<string, Component>): Component {
  const name = folder.split('node_modules/').at(-1)!;
  const component = all.get(`${name}@${lockfile.packages[folder]?.version}`);
  if (component === undefined) throw new Error(`${folder} is packed, but package-lock.json does not have it`);
  return component;
}

/** SQLite itself comes inside the package sqlite3; its version is in the name of the archive there, as 3520000. */
async function sqliteComponent(root: string): Promise<Component> {
  const names = await readdir(join(root, 'node_modules/sqlite3/deps'));
  const [, major, minor, patch] =
    names.map((name) => /^sqlite-autoconf-(\d)(\d\d)(\d\d)\d\d\.tar\.gz$/.exec(name)).find((match) => match !== null) ??
    [];
  if (major === undefined) throw new Error('the package sqlite3 does not tell which SQLite it holds');
  const version = [major, minor, patch].map(Number).join('.');
  return {
    'bom-ref': `sqlite@${version}`,
    type: 'library',
    name: 'sqlite',
    version,
    scope: 'required',
    purl: `pkg:generic/sqlite@${version}`,
    licenses: [{ license: { id: 'blessing' } }],
  };
}

function sbomText({ program, version, target, sha256 }: Packed, components: readonly Component[]): string {
  const own = `${program}-${target}@${version}`;
  const sbom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    // Of the executable that it tells of: the same bytes have the same list.
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: {
      component: {
        'bom-ref': own,
        type: 'application',
        name: program,
        version,
        hashes: [{ alg: 'SHA-256', content: sha256 }],
        licenses: [{ license: { id: 'Apache-2.0' } }],
        properties: [{ name: 'stile:target', value: target }],
      },
    },
    components,
    dependencies: [{ ref: own, dependsOn: components.map((component) => component['bom-ref']) }],
  };
  return `${JSON.stringify(sbom, undefined, 2)}\n`;
}

/** Version 8, whose bits are the maker's own. */
function uuidOf(sha256: string): string {
  return sha256.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-8$3-8$4-$5');
}

function licencesText({ program, version, target }: Packed, texts: readonly [Component, string][]): string {
  const head = `${program} ${version} for ${target} is licensed under Apache-2.0. It holds:\n`;
  const lines = texts.map(([component]) => `  ${component['bom-ref']}  ${licenceNames(component)}\n`);
  const bodies = texts.map(
    ([component, text]) => `\n${'='.repeat(80)}\n${component['bom-ref']}\n\n${text.trimEnd()}\n`,
  );
  return [head, ...lines, ...bodies].join('');
}

function licenceNames({ licenses = [] }: Component): string {
  return licenses.map(({ license }) => license.id ?? license.name).join(', ');
}

/** All files of a package that say on which terms it may be passed on. */
async function licenceText(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /^(?:licen[cs]e|copying|notice)/i.test(name)).sort();
  if (names.length === 0) return 'The package carries no text of its licence.';
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
}
