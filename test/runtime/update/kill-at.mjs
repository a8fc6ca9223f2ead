/**
 * Loaded before a program: kills it at the Nth change of a file, before it, in the middle of it, or after it.
 * STILE_KILL=PHASE:N:MOMENT, where PHASE is the first argument of the program.
 */
import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [phase, at, moment] = (process.env.STILE_KILL ?? '').split(':');
const changes = ['mkdir', 'rename', 'rm', 'chmod', 'link'];
let count = 0;

function die() {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

function isTheOne() {
  count += 1;
  return count === Number(at);
}

/** `half`: does a part of the change; the others have no middle. */
function wrapped(original, half) {
  return async function (...args) {
    if ((moment === 'in' && half === undefined) || !isTheOne()) return original.apply(this, args);
    if (moment === 'before') return die();
    if (moment === 'in') {
      await half.apply(this, args);
      return die();
    }
    await original.apply(this, args);
    return die();
  };
}

async function writeHalf(content) {
  if (typeof content !== 'string') {
    for await (const block of content) return void (await this.write(block.subarray(0, block.length >> 1)));
  }
  await this.write(content.slice(0, content.length >> 1));
}

if (phase === process.argv[2]) {
  const handle = await promises.open('/dev/null');
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  prototype.writeFile = wrapped(prototype.writeFile, writeHalf);
  prototype.sync = wrapped(prototype.sync);
  for (const name of changes) promises[name] = wrapped(promises[name]);
  syncBuiltinESMExports();
}
