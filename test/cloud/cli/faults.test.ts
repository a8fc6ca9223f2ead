/** What goes wrong before a server is asked, or because none answers: one sentence, a code, an exit code. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodeFor, failureOfAnswer, sentenceFor } from '../../../cloud/cli/failure.ts';
import { AppError } from '../../../protocol/errors.ts';
import { runStile } from './command-line.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function kubeconfigTo(server: string): Promise<string> {
  const path = join(folder, `${server.replace(/\W+/g, '-')}.kubeconfig`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 't' } }],
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

describe('a command line that cannot be understood', () => {
  it.each([
    [['get'], /missing required argument 'what'/],
    [['get', 'pods', '-o', 'xml'], /-o, --output <format>.*'xml' is invalid/],
    [['frob'], /unknown command 'frob'/],
    [['apply'], /-f, --filename <path>/],
    [['token', 'create'], /--pool <name>/],
    [['token', 'create', '--pool', 'p', '--ttl', 'soon'], /--ttl soon: write a duration such as 30s/],
    [['token', 'create', '--pool', 'p', '--uses', '0'], /whole number from 1/],
    [['pool', 'create', 'p', '--node-taint', 'x'], /--node-taint x: write KEY=VALUE:EFFECT/],
    [['delete', 'pod', 'a', '-f', 'x.yaml'], /give -f or KIND NAME, not both/],
    [['hub', 'serve', '--listen', '127.0.0.1:0'], /--data-dir <dir>/],
  ])('%j ends with 2 and says what is wrong', async (args, sentence) => {
    const { code, stdout, stderr } = await runStile(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^error: [^\n]+ \(E_USAGE\)\n$/);
  });

  it('without a verb shows the verbs on stderr', async () => {
    const { code, stdout, stderr } = await runStile(['pool']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: stile pool/);
  });

  it('asking for help is answered on stdout and ends well', async () => {
    const { code, stdout, stderr } = await runStile(['get', '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/--field-selector <fields>[\s\S]*--kubeconfig <file>/);
  });
});

describe('a kubeconfig', () => {
  it('that is nowhere is asked for, with how to get one', async () => {
    const { code, stderr } = await runStile(['get', 'pods']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: there is no kubeconfig: .*--kubeconfig DIR\/admin\.kubeconfig.* \(E_USAGE\)\n$/);
  });

  it('that was named and is not there, or is none, fails with its path', async () => {
    const missing = await runStile(['get', 'pods', '--kubeconfig', '/nonexistent/x']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/\/nonexistent\/x.* \(E_INPUT_INVALID\)\n$/);
    const path = join(folder, 'broken');
    await writeFile(path, 'clusters: [{]');
    const broken = await runStile(['get', 'pods', '--kubeconfig', path]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/broken is not a kubeconfig: .* \(E_INPUT_INVALID\)\n$/);
  });
});

describe('a server', () => {
  it('that does not run ends the command with 3 and says how to start it', async () => {
    const kubeconfig = await kubeconfigTo('https://127.0.0.1:1');
    const { code, stdout, stderr } = await runStile(['get', 'pods', '--kubeconfig', kubeconfig]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(
      /^error: nothing listens at https:\/\/127\.0\.0\.1:1: .*stile hub serve.* \(E_LINK_UNREACHABLE\)\n$/,
    );
  });

  it('that takes the connection and says nothing is given up in time, with 3', async () => {
    const server = createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const kubeconfig = await kubeconfigTo(`https://127.0.0.1:${port}`);
      const args = ['get', 'pods', '--kubeconfig', kubeconfig, '--request-timeout', '1s'];
      const { code, stderr } = await runStile(args);
      expect(code).toBe(3);
      expect(stderr).toMatch(/^error: .* \((E_TIMEOUT|E_LINK_UNREACHABLE)\)\n$/);
    } finally {
      server.close();
    }
  });
});

describe('a manifest that cannot be read', () => {
  it.each([
    ['{apiVersion: v1, kind: ConfigMap', /^error: stdin:1:\d+: this is not valid YAML: /],
    ['a: 1\na: 2\n', /^error: stdin:2:1: this is not valid YAML: Map keys must be unique/],
    ['---\n# nothing\n', /^error: no object in stdin/],
    ['- a\n', /^error: stdin:1: a manifest is a map/],
    ['\nkind: Pod\n', /^error: stdin:2: apiVersion is missing/],
    ['apiVersion: v1\nkind: Pod\n---\nx: y\n', /^error: stdin:1: the Pod has no metadata.name/],
  ])('%j is refused with its line before any server is asked', async (input, sentence) => {
    const { code, stderr } = await runStile(['apply', '-f', '-'], { input });
    expect(code).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/ \(E_INPUT_INVALID\)\n$/);
  });

  it('names the file', async () => {
    const { code, stderr } = await runStile(['apply', '-f', join(folder, 'none.yaml')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cannot read .*none\.yaml: .* \(E_INPUT_INVALID\)\n$/);
  });
});

describe('the sentence of a fault', () => {
  it('is one line with its code, whatever the server sent', () => {
    const error = new AppError('E_CONFLICT', 'first\n  second\r\nthird');
    expect(sentenceFor(error)).toBe('error: first second third (E_CONFLICT)');
  });

  it('takes the code from a Status by its reason, from our own body by its code, else from the HTTP status', () => {
    const status = { kind: 'Status', reason: 'AlreadyExists', message: 'pods "a" already exists', code: 409 };
    expect(failureOfAnswer(409, status, 'POST /')).toMatchObject({ code: 'E_CONFLICT', message: status.message });
    const own = { code: 'E_TOKEN_EXPIRED', message: 'too late' };
    expect(failureOfAnswer(401, own, 'POST /')).toMatchObject(own);
    expect(failureOfAnswer(413, '<html>', 'PUT /x')).toMatchObject({
      code: 'E_WIRE_TOO_LARGE',
      message: 'the server answered 413 to PUT /x',
    });
    expect(failureOfAnswer(502, undefined, 'GET /').code).toBe('E_REMOTE');
  });

  it('decides the exit code', () => {
    const codes = ['E_NOT_FOUND', 'E_USAGE', 'E_TIMEOUT', 'E_LINK_UNREACHABLE', 'E_NODE_OFFLINE'] as const;
    expect(codes.map((code) => exitCodeFor(new AppError(code, '')))).toEqual([1, 2, 3, 3, 4]);
    expect(exitCodeFor(new TypeError('bug'))).toBe(1);
  });
});
