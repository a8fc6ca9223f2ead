/** Completion: what the command line knows by itself, what the hub knows, and silence when it cannot be asked. */
import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completionOf } from '../../../cloud/cli/completion.ts';
import { completionScripts } from '../../../cloud/cli/completion-scripts.ts';
import type { World } from '../../../cloud/cli/ports.ts';
import { buildProgram } from '../../../cloud/cli/program.ts';
import { CommandLine, configMap } from './command-line.ts';

const run = promisify(execFile);
const program = buildProgram({} as World);

describe('the end of a command line', () => {
  it.each([
    ['', { words: expect.arrayContaining(['get', 'wait', 'node', 'completion']) }],
    ['node ', { words: expect.arrayContaining(['cordon', 'session']) }],
    ['get ', { kinds: true }],
    ['get -o json ', { kinds: true }],
    ['get -o', { words: expect.arrayContaining(['--output', '--selector', '--kubeconfig']) }],
    ['get -o ', { words: expect.arrayContaining(['yaml', 'jsonpath=']) }],
    ['get pods -A ', { namesOf: 'pods' }],
    ['get pods a ', { namesOf: 'pods' }],
    ['get node/', { namesOf: 'node', prefix: 'node/' }],
    ['get node/a ', { kinds: true }],
    ['-n shop get pods ', { namesOf: 'pods' }],
    ['get pods -n ', { namesOf: 'namespaces' }],
    ['token create --pool=', { namesOf: 'nodepools', prefix: '--pool=' }],
    ['apply --dry-run ', { words: ['none', 'client', 'server'] }],
    ['apply -f ', { words: [] }],
    ['wait node/a --for ', { words: ['condition=', 'delete', 'jsonpath='] }],
    ['node cordon a ', { namesOf: 'nodes' }],
    ['node session a ', { words: [] }],
    ['pool create ', { words: [] }],
    ['pool describe ', { namesOf: 'nodepools' }],
    ['twin set ', { namesOf: 'twins' }],
    ['twin set a ', { words: [] }],
    ['completion ', { words: ['bash', 'zsh', 'fish'] }],
    ['no such ', { words: [] }],
  ])('"stile %s"', (line, wish) => {
    expect(completionOf(program, line.split(' ')).wish).toEqual({ prefix: '', ...wish });
  });

  it('keeps which server and namespace was named, and hides what only scripts call', () => {
    const { connection } = completionOf(program, ['--kubeconfig=k', 'get', '-n', 'shop', 'pods', '']);
    expect(connection).toEqual({ kubeconfig: 'k', namespace: 'shop' });
    const { wish } = completionOf(program, ['']);
    expect(wish).toEqual({ prefix: '', words: expect.not.arrayContaining(['__complete']) });
  });
});

describe('against a hub', () => {
  let line: CommandLine;
  beforeAll(async () => {
    line = await CommandLine.start();
    await line.apply(`${configMap('alpha', {})}\n---\n${configMap('alps', {})}\n---\n${configMap('beta', {})}`);
    await line.ok(['pool', 'create', 'north']);
  });
  afterAll(() => line?.stop());
  const complete = (...words: string[]) => line.ok(['__complete', '--', ...words]);

  it('offers kinds, and names of objects and pools', async () => {
    expect(await complete('get', 'nodep')).toBe('nodepools\n');
    expect(await complete('get', 'cm', 'al')).toBe('alpha\nalps\n');
    expect(await complete('get', 'cm/al')).toBe('cm/alpha\ncm/alps\n');
    expect(await complete('token', 'create', '--pool=n')).toBe('--pool=north\n');
    expect(await complete('describe', 'cm', '-n', 'empty', '')).toBe('');
  });

  it('is silent when there is no kubeconfig or no such kind', async () => {
    expect(await complete('get', 'gates', '')).toBe('');
    const silent = await line.run(['__complete', '--', 'get', ''], { env: { KUBECONFIG: '/nonexistent/x' } });
    expect(silent).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('does not wait for a server that takes the connection and says nothing', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const kubeconfig = join(line.folder, 'silent');
      const own = await readFile(line.kubeconfig, 'utf8');
      await writeFile(kubeconfig, own.replace(/server: .*/g, `server: https://127.0.0.1:${port}`));
      // On a busy machine its time may be over before it has connected: that would prove nothing.
      for (let tries = 0; connections === 0 && tries < 5; tries++) {
        const startedMs = performance.now();
        const silent = await line.run(['__complete', '--', 'get', 'pods', ''], { env: { KUBECONFIG: kubeconfig } });
        expect(silent).toEqual({ code: 0, stdout: '', stderr: '' });
        // Two seconds on a quiet machine; the connection alone would hold the process for ten.
        expect(performance.now() - startedMs).toBeLessThan(6_000);
      }
      expect(connections).toBeGreaterThan(0);
    } finally {
      server.close();
    }
  });

  it('works in bash: what it offers replaces what bash takes for the word', async () => {
    const fake = join(line.folder, 'stile');
    await writeFile(
      fake,
      '#!/bin/sh\nshift 2\nfor word; do last="$word"; done\nprintf "%sone\\n%stwo\\n" "$last" "$last"\n',
    );
    await chmod(fake, 0o700);
    const offered = async (typed: string) => {
      const script = `${completionScripts.bash}\nCOMP_LINE='${typed}' COMP_POINT=${typed.length}; _stile; echo "\${COMPREPLY[*]}"`;
      const { stdout } = await run('bash', ['-c', script], { env: { PATH: `${line.folder}:${process.env.PATH}` } });
      return stdout.trim();
    };
    expect(await offered('stile get pods ')).toBe('one two');
    expect(await offered('stile get po')).toBe('poone potwo');
    expect(await offered('stile wait --for=con')).toBe('conone contwo');
  });
});
