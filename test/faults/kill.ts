/** `npm run kill -- --rounds N --seed S`: as many real kills of hub and terminals as asked for; `kill.test.ts` has them. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const text = { type: 'string' } as const;
const { rounds = '100', seed } = parseArgs({ options: { rounds: text, seed: text } }).values;
const root = fileURLToPath(new URL('../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../node_modules/.bin/vitest', import.meta.url));
const args = ['run', '--config', 'test/vitest.config.ts', 'test/faults/kill.test.ts'];
const env = { ...process.env, KILL_ROUNDS: rounds, ...(seed === undefined ? {} : { KILL_SEED: seed }) };
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit', env });
process.exit(status ?? 1);
