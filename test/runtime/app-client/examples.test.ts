/** The examples of the app's guide run as they are printed. */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NODE, useTwinsApi } from '../local-api/twins-api.ts';

const { begin } = useTwinsApi();
const folder = fileURLToPath(new URL('../../../runtime/app-client/', import.meta.url));

async function example(language: string): Promise<string> {
  const text = await readFile(join(folder, 'README.md'), 'utf8');
  return new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(text)![1]!;
}

async function run(program: string, args: string[], env: Record<string, string>, cwd?: string): Promise<string> {
  const environment = { PATH: process.env.PATH!, ...env };
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env: environment, timeout: 30_000, ...(cwd === undefined ? {} : { cwd }) },
      (error, out, err) =>
        error === null ? resolve(out) : reject(new Error(`${program}: ${error.message}\n${out}${err}`)),
    );
  });
}

async function app() {
  const life = await begin();
  const { socket, tokenOf } = life.api.access;
  const env = { STILE_API_SOCKET: socket, STILE_API_TOKEN: tokenOf('writer'), NODE_NAME: NODE };
  const reported = () => life.twins.get(NODE)!.document.properties.reported;
  return { life, env, reported };
}

test('curl reads, reports, appends and follows', async () => {
  const { life, env, reported } = await app();
  const out = await run('bash', ['-euc', await example('sh')], env);
  expect(reported()).toMatchObject({ lamp: 'on' });
  expect(out).toContain('"type":"scan"');
  expect(out).toMatch(/^id: \d+\ndata: \{"twin":"gate-1"/m);
  expect(life.store.pendingEvents).toBe(1);
});

test('Python reports and appends', async () => {
  const { life, env, reported } = await app();
  const out = await run('python3', ['-c', await example('python')], env);
  expect(out).toMatch(/^\(200, .*\n\(201, /);
  expect(reported()).toMatchObject({ temperature: 21.5 });
  expect(life.store.pendingEvents).toBe(1);
});

test('JavaScript reports, appends and follows', async () => {
  const { life, env, reported } = await app();
  const directory = await mkdtemp(join(tmpdir(), 'stile-example-'));
  try {
    await copyFile(join(folder, 'stile-app.ts'), join(directory, 'stile-app.ts'));
    await writeFile(join(directory, 'app.mjs'), (await example('js')).replace('stile-app.mjs', 'stile-app.ts'));
    expect(await run(process.execPath, ['app.mjs'], env, directory)).toBe('mode normal gate ready\n');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  expect(reported()).toMatchObject({ gate: 'ready' });
  expect(life.store.pendingEvents).toBe(1);
});
