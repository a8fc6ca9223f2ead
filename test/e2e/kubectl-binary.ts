/**
 * A kubectl that is new enough: the machine's own, or the static binary of Debian trixie's package, fetched once into
 * this project's cache without installing anything. The mirror is the one that the machine's own apt sources name.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** kubectl and its API server may differ by one minor version; WebSockets for exec are the default from here on. */
const MINOR_MIN = 31;
const SUITE = 'trixie';
/** The minor version that the suite has: what is written down of outputs and requests is of this one. */
const SUITE_MINOR = 32;
/** The one that carries the binary has changed its name before. */
const PACKAGES = ['kubectl', 'kubernetes-client'];
const FETCH_MS_MAX = 120_000;

const cache = fileURLToPath(new URL('../../node_modules/.cache/kubectl', import.meta.url));
const cached = join(cache, 'kubectl');

export type KubectlBinary = { path: string } | { missing: string };

let found: Promise<KubectlBinary> | undefined;

/** The path of a kubectl of 1.31 or newer, or one line that says why there is none. Looked for once per process. */
export function kubectlBinary(): Promise<KubectlBinary> {
  found ??= findKubectl();
  return found;
}

/** That of Debian's suite, also where the machine has another. */
export async function kubectlOfDebian(): Promise<KubectlBinary> {
  if ((await minorOf(cached)) === SUITE_MINOR) return { path: cached };
  return fetched((minor) => minor === SUITE_MINOR, `1.${SUITE_MINOR}`);
}

async function findKubectl(): Promise<KubectlBinary> {
  for (const candidate of ['kubectl', cached]) if ((await minorOf(candidate)) >= MINOR_MIN) return { path: candidate };
  return fetched((minor) => minor >= MINOR_MIN, `1.${MINOR_MIN} or newer`);
}

async function fetched(fits: (minor: number) => boolean, wanted: string): Promise<KubectlBinary> {
  try {
    await fetchFromDebian(cache, cached);
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1);
    return { missing: `no kubectl ${wanted}: it is not here and cannot be fetched (${reason})` };
  }
  if (fits(await minorOf(cached))) return { path: cached };
  return { missing: `no kubectl ${wanted}: the one of Debian ${SUITE} does not run here or is another` };
}

async function minorOf(binary: string): Promise<number> {
  try {
    const { stdout } = await run(binary, ['version', '--client', '-o', 'json'], { timeout: 20_000 });
    const version = JSON.parse(stdout) as { clientVersion: { major: string; minor: string } };
    return version.clientVersion.major === '1' ? Number.parseInt(version.clientVersion.minor, 10) : 0;
  } catch {
    return 0;
  }
}

/** apt with lists, cache and sources of its own, so that the machine's state is neither needed nor changed. */
async function fetchFromDebian(cache: string, target: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'fetch-'));
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'unpacked'])
      await mkdir(join(work, folder), { recursive: true });
    await writeFile(join(work, 'sources.list'), `${await debianSource()}\n`);
    await writeFile(join(work, 'apt.conf'), aptConfiguration(work));
    const options = { cwd: work, env: { ...process.env, APT_CONFIG: join(work, 'apt.conf') }, timeout: FETCH_MS_MAX };
    await run('apt-get', ['update', '-qq'], options);
    for (const name of PACKAGES) {
      await run('apt-get', ['download', '-qq', `${name}/${SUITE}`], options).catch(() => {});
      const archive = (await readdir(work)).find((file) => file.startsWith(name) && file.endsWith('.deb'));
      if (archive === undefined) continue;
      await run('dpkg-deb', ['-x', archive, join(work, 'unpacked')], options);
      const binary = join(work, 'unpacked/usr/bin/kubectl');
      if (existsSync(binary)) return await rename(binary, target);
    }
    throw new Error(`Debian ${SUITE} has no package with kubectl for this machine`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function aptConfiguration(work: string): string {
  return [
    `Dir::Etc::SourceList "${work}/sources.list";`,
    'Dir::Etc::SourceParts "-";',
    `Dir::State::Lists "${work}/lists";`,
    `Dir::Cache "${work}";`,
    `Dir::Cache::Archives "${work}/archives";`,
    'Acquire::Languages "none";',
    'APT::Sandbox::User "";',
    '',
  ].join('\n');
}

/** One source line for `SUITE` on the mirror from which this machine takes Debian's own packages. */
async function debianSource(): Promise<string> {
  const parts = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list'];
  if (existsSync(parts)) files.push(...(await readdir(parts)).sort().map((name) => join(parts, name)));
  for (const file of files.filter((name) => existsSync(name))) {
    const text = await readFile(file, 'utf8');
    const mirror = file.endsWith('.sources') ? mirrorOfStanzas(text) : mirrorOfLines(text);
    if (mirror === undefined) continue;
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const signedBy = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
    return `deb ${signedBy}${mirror} ${SUITE} main`;
  }
  throw new Error('the apt sources of this machine name no Debian mirror');
}

const debianPath = /\/debian\/?$/;

/** deb822: `URIs: …` */
function mirrorOfStanzas(text: string): string | undefined {
  const uris = [...text.matchAll(/^URIs:\s*(.+)$/gim)].flatMap((match) => match[1]!.trim().split(/\s+/));
  return uris.find((uri) => debianPath.test(uri));
}

/** `deb [options] URI suite components` */
function mirrorOfLines(text: string): string | undefined {
  const uris = [...text.matchAll(/^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm)].map((match) => match[1]!);
  return uris.find((uri) => debianPath.test(uri));
}
