/**
 * Runs a script of this project on the engine that it pins, after installing what is missing: the first step of
 * `npm run demo` and `npm test` on a fresh clone. Plain JavaScript of the Node 18 era, without packages, because it
 * must run before anything is installed and on whatever Node the machine has.
 *
 *   node test/engine.mjs SCRIPT [ARGUMENT...]      a TypeScript or JavaScript file
 *   node test/engine.mjs --bin NAME [ARGUMENT...]  a program of node_modules/.bin
 *   node test/engine.mjs --installed               notes that npm has just installed this lockfile
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const bin = join(modules, '.bin');
const engine = join(bin, 'node');

const marker = join(modules, '.stile-lockfile');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const [first, ...rest] = process.argv.slice(2);
if (first === '--installed') {
  if (existsSync(modules)) writeFileSync(marker, wanted);
  process.exit(0);
}
install();
const script = first === '--bin' ? join(bin, rest.shift()) : first;
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
// The program decides what a signal means and cleans up; until it has ended, this one stays.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
const run = spawnSync(engine, [script, ...rest], { cwd: root, stdio: 'inherit', env });
if (run.error) fail(`cannot start the pinned engine: ${run.error.message}`);
process.exit(run.status ?? 1);

/** Installs once per lockfile; a tree that was installed for another lockfile is installed again. */
function install() {
  const installed = existsSync(marker) ? readFileSync(marker, 'utf8') : undefined;
  if (installed === wanted && existsSync(engine)) return;
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink())
    fail('node_modules is a link to packages of another lockfile: remove the link');
  process.stderr.write('installing the pinned packages (about two minutes, most of it compiling SQLite) ...\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (npm.error || npm.status !== 0)
    fail('npm ci failed: it needs the package registry, python3, make and a C++ compiler (for sqlite3)');
  if (!existsSync(engine))
    fail(`there is no engine for ${process.platform}-${process.arch}: Linux on x64 or arm64 is needed`);
  writeFileSync(marker, wanted);
}

function fail(sentence) {
  process.stderr.write(`error: ${sentence}\n`);
  process.exit(1);
}
