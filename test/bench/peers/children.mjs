/** The least that starting programs takes on Node: spawn them, say when the last is there. Ends them with itself. */
import { spawn } from 'node:child_process';

const [count, file, ...args] = process.argv.slice(2);
const children = Array.from({ length: Number(count) }, () => spawn(file, args, { stdio: 'ignore' }));
await Promise.all(children.map((child) => new Promise((resolve) => child.once('spawn', resolve))));
console.log('all run');
process.on('SIGTERM', () => {
  for (const child of children) child.kill('SIGKILL');
  process.exit(0);
});
