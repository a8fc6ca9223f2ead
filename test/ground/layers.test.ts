import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkFile, checkProject, readProject } from './check.ts';
import { FILE_LINES_MAX, FUNCTION_LINES_MAX } from './rules.ts';

const messages = (path: string, text: string) => checkFile({ path, text }).map(({ message }) => message);

it('the project keeps its own rules', () => {
  const files = readProject(fileURLToPath(new URL('../..', import.meta.url)));
  expect(files.length).toBeGreaterThan(50);
  const findings = checkProject(files).map(({ path, line, message }) => `${path}:${line}: ${message}`);
  expect(findings).toEqual([]);
});

describe('layers', () => {
  it.each([
    ['protocol/a.ts', '../runtime/b.ts'],
    ['protocol/a.ts', './node/clock.ts'],
    ['protocol/node/a.ts', '../../devices/b.ts'],
    ['protocol/twin/a.ts', '../node/clock.ts'],
    ['devices/a.ts', '../firmware-images/b.ts'],
    ['firmware-images/a.ts', '../devices/b.ts'],
    ['devices/a.ts', '../runtime/b.ts'],
    ['runtime/a.ts', '../cloud/b.ts'],
    ['cloud/hub/a.ts', '../../runtime/b.ts'],
    ['cloud/a.ts', '../test/sim/world.ts'],
    ['runtime/a.ts', '../scripts/b.ts'],
  ])('forbid %s to import %s, also as a type', (path, specifier) => {
    expect(messages(path, `export type { A } from '${specifier}';`)).toHaveLength(1);
    expect(messages(path, `const a = await import('${specifier}');`)).not.toEqual([]);
  });

  it.each([
    ['protocol/a.ts', './b.ts'],
    ['protocol/twin/a.ts', '../b.ts'],
    ['protocol/node/a.ts', '../env.ts'],
    ['devices/a.ts', '../protocol/b.ts'],
    ['runtime/link/a.ts', '../../devices/b.ts'],
    ['cloud/a.ts', '../firmware-images/b.ts'],
    ['test/sim/a.ts', '../../cloud/b.ts'],
  ])('allow %s to import %s', (path, specifier) => {
    expect(messages(path, `import { a } from '${specifier}';`)).toEqual([]);
  });

  it('keep each package in its place, and know all of them', () => {
    expect(messages('runtime/a.ts', "import type { V1Pod } from '@kubernetes/client-node';")).toEqual([
      'imports @kubernetes/client-node, which belongs to cloud/, test/',
    ]);
    expect(messages('cloud/a.ts', "import type { V1Pod } from '@kubernetes/client-node';")).toEqual([]);
    expect(messages('protocol/a.ts', "import { parse } from 'yaml/browser';")).toHaveLength(1);
    expect(messages('cloud/a.ts', "import left from 'left-pad';")).toHaveLength(1);
    expect(messages('cloud/a.ts', "import { join } from 'path';")).toEqual(['imports path: say node:path']);
  });

  it('allow no computed path and no file outside', () => {
    expect(messages('runtime/a.ts', 'const module = await import(name);')).toHaveLength(1);
    expect(messages('scripts/a.ts', '')).toEqual(['belongs to no layer']);
  });
});

describe('outside the adapters', () => {
  it.each([
    'const now = Date.now();',
    'const now = new Date();',
    'const now = new Date;',
    'const at = new Date(\n).getTime();',
    'const at = performance.now();',
    'setTimeout(run, 5);',
    'globalThis.setInterval(run, 5);',
    'const turn = new Promise(setImmediate);',
    'const dice = Math.random();',
    'const id = crypto.randomUUID();',
    'await crypto.subtle.digest(a, b);',
    "import { randomBytes } from 'node:crypto';",
    'const signal = AbortSignal.timeout(5);',
    'const answer = await fetch(url);',
    'void globalThis.fetch(url);',
    'const home = process.env.HOME;',
    'process.exit(1);',
    'console.log(a);',
    'const ref = new WeakRef(a);',
    'const socket = new WebSocket(url);',
    "import { readFile } from 'node:fs/promises';",
    "import * as fs from 'node:fs';",
    "import 'node:fs';",
    "export { spawn } from 'node:child_process';",
    "import { connect } from 'node:net';",
    "import { gzip } from 'node:zlib';",
    "import { setTimeout as wait } from 'node:timers/promises';",
    "import sqlite3 from 'undici';",
    "const { systemClock } = await import('../protocol/node/clock.ts');",
  ])('%s is found', (line) => {
    expect(messages('runtime/decide.ts', `${line}\n`)).not.toEqual([]);
    expect(messages('test/runtime/decide.test.ts', `${line}\n`)).toEqual([]);
  });

  it.each([
    'const at = new Date(ms).toISOString();',
    "const at = new Date('2030-01-01');",
    'const at = Date.parse(text);',
    '// setTimeout(run, 5) would do',
    "const text = 'Date.now()';",
    `const text = \`use fetch(\${name}) or Math.random()\`;`,
    'interface Source { fetch(url: string): Promise<string> }',
    'const answer = await source.fetch(url);',
    'const process = children.get(pid); process.kill();',
    'const value = record.process.pid;',
    "import { createHash, type BinaryLike } from 'node:crypto';",
    "import type { Socket } from 'node:net';",
    "import { type Stats } from 'node:fs';",
    "import { isIP } from 'node:net';",
    "import { join } from 'node:path';",
    "import { deflateRawSync } from 'node:zlib';",
  ])('%s is fine', (line) => {
    expect(messages('runtime/decide.ts', `${line}\n`)).toEqual([]);
  });

  it('an adapter may touch the world, but not read the environment', () => {
    const path = 'protocol/node/thing.ts';
    expect(messages(path, "import { readFile } from 'node:fs/promises'; setTimeout(run, Date.now());")).toEqual([]);
    expect(messages(path, 'const home = process.env.HOME;')).toEqual(['reads process.env: only the mains may']);
    expect(messages('cloud/cli/main.ts', 'const home = process.env.HOME;')).toEqual([]);
  });
});

describe('sizes', () => {
  const body = (lines: number) => 'a();\n'.repeat(lines);

  it('a function fits on a screen', () => {
    expect(messages('protocol/a.ts', `function f() {\n${body(FUNCTION_LINES_MAX - 2)}}\n`)).toEqual([]);
    expect(messages('protocol/a.ts', `function f() {\n${body(FUNCTION_LINES_MAX - 1)}}\n`)).toEqual([
      `f has ${FUNCTION_LINES_MAX + 1} lines, at most ${FUNCTION_LINES_MAX} fit on a screen`,
    ]);
    expect(
      messages('cloud/a.ts', `const f = async (): Promise<{ a: 1 }> => {\n${body(FUNCTION_LINES_MAX)}};\n`),
    ).toHaveLength(1);
    expect(messages('test/a.test.ts', `function f() {\n${body(FUNCTION_LINES_MAX)}}\n`)).toEqual([]);
  });

  it('a file is one thing, unless it is generated', () => {
    expect(messages('cloud/a.ts', body(FILE_LINES_MAX))).toEqual([]);
    expect(messages('cloud/a.ts', body(FILE_LINES_MAX + 1))).toHaveLength(1);
    expect(messages('cloud/a.gen.ts', body(FILE_LINES_MAX + 1))).toEqual([]);
  });
});

it('unfinished work is found', () => {
  expect(messages('cloud/a.ts', `// ${'TO'}${'DO'}: later\n`)).toHaveLength(1);
  expect(messages('test/a.test.ts', `it.${'skip'}('a', () => {});\ndescribe.${'only'}('b', () => {});\n`)).toHaveLength(
    2,
  );
});

it('an exception that nothing needs is found', () => {
  const findings = checkProject([{ path: 'runtime/workloads/proc.ts', text: 'export const a = 1;\n' }]);
  expect(findings.map(({ message }) => message)).toEqual(['adapters: nothing needs the row runtime/workloads/proc.ts']);
});
