/** Goal: what anybody on the network may send to the door costs little and gets a code. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Attempts } from '../../../cloud/identity/attempts.ts';
import { isNodeName, readEnrolAnswer, readEnrolRequest } from '../../../protocol/enrolment.ts';
import { AppError, codeOf } from '../../../protocol/errors.ts';
import { formatJoinToken, parseJoinToken } from '../../../protocol/join-token.ts';
import { startTestHub, type TestHub } from './test-hub.ts';

describe('a join token', () => {
  const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/);

  it('is read as it was written, white space around it or not', () => {
    const token = fc.record({ id: fc.stringMatching(/^[0-9a-f]{12}$/), secret: base64url, caFingerprint: base64url });
    const check = fc.property(token, (parts) => {
      expect(parseJoinToken(` ${formatJoinToken(parts)}\n`)).toEqual(parts);
    });
    fc.assert(check, { seed: 1 });
  });

  it('is never read from anything else, and what was given is not repeated', () => {
    const check = fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `stile1.${text}`),
      ),
      (text) => {
        expect(() => parseJoinToken(text)).toThrow(AppError);
        try {
          parseJoinToken(text);
        } catch (error) {
          expect(codeOf(error)).toBe('E_TOKEN_INVALID');
          if (text.length > 12) expect((error as Error).message).not.toContain(text);
        }
      },
    );
    fc.assert(check, { seed: 2, numRuns: 500 });
  });
});

describe('what strangers send', () => {
  it('is one of ours or refused by its code', () => {
    for (const read of [readEnrolRequest, readEnrolAnswer])
      fc.assert(
        fc.property(fc.jsonValue(), (value) => {
          try {
            read(value);
          } catch (error) {
            expect(codeOf(error)).toBe('E_INPUT_INVALID');
          }
        }),
        { seed: 3, numRuns: 300 },
      );
  });

  it('names a node as Kubernetes does, or not at all', () => {
    for (const name of ['a', 'gate-1', 'gate.hangzhou.example', '1', 'a'.repeat(63)])
      expect(isNodeName(name)).toBe(true);
    for (const name of ['', '-a', 'a-', 'A', 'a_b', 'a..b', '.a', 'a'.repeat(64), 'a/b', 'a\nb', 'a\0'])
      expect(isNodeName(name), JSON.stringify(name)).toBe(false);
  });
});

describe('attempts to join', () => {
  it('that fail are bounded by address and time, those that succeed are not', async () => {
    let nowMs = 0;
    const attempts = new Attempts({ now: () => nowMs, monotonic: () => nowMs, sleep: async () => {} });
    const fail = () => attempts.count('10.0.0.1', () => Promise.reject(new AppError('E_TOKEN_INVALID', 'no')));
    for (let count = 0; count < 200; count += 1) await attempts.count('10.0.0.1', async () => {});
    for (let count = 0; count < 60; count += 1) await expect(fail()).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    await expect(fail()).rejects.toMatchObject({ code: 'E_LINK_BUSY', retryAfterMs: 60_000 });
    await expect(attempts.count('10.0.0.2', async () => 'in')).resolves.toBe('in');
    nowMs = 60_001;
    await expect(fail()).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
  });
});

describe('the door itself', () => {
  let directory: string;
  let hub: TestHub;
  let agent: Agent;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stile-door-'));
    hub = await startTestHub({ dataDir: directory });
    agent = new Agent({ connect: { ca: hub.authority.certificatePem } });
  });
  afterAll(async () => {
    await agent.destroy();
    await hub.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const post = async (body: string) => {
    const answer = await request(`${hub.url}/stile/v1/enrol`, { dispatcher: agent, method: 'POST', body });
    return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
  };

  it.each([
    ['{', 400, 'E_INPUT_INVALID'],
    ['null', 400, 'E_INPUT_INVALID'],
    ['{"token":1}', 400, 'E_INPUT_INVALID'],
    [`"${'x'.repeat(100_000)}"`, 413, 'E_WIRE_TOO_LARGE'],
  ])('answers a body that cannot be with its code', async (body, status, code) => {
    expect(await post(body)).toMatchObject({ status, body: { code } });
  });

  it('answers what is nowhere with a code', async () => {
    for (const path of ['/nowhere', '/stile/v1/nowhere', '/stile/v1/blobs/%zz', '/stile/v1/blobs/sha256:1']) {
      const answer = await request(hub.url + path, { dispatcher: agent });
      expect([path, answer.statusCode]).toEqual([path, path.includes('blobs') ? 400 : 404]);
      expect(await answer.body.json()).toMatchObject({ code: expect.stringMatching(/^E_/) });
    }
  });

  it('gives its authority to anybody, who can then check it against a token', async () => {
    const answer = await request(`${hub.url}/stile/v1/ca`, { dispatcher: agent });
    expect(await answer.body.text()).toBe(hub.authority.certificatePem);
  });

  it('makes, lists and deletes tokens for an administrator, never showing a secret again', async () => {
    const json = { pool: 'hangzhou', node: 'gate-1', replace: true, ttlSeconds: 60, uses: 2 };
    const made = (await hub.http.send({ method: 'POST', path: '/stile/v1/tokens', json })).json as Record<
      string,
      string
    >;
    const { id, secret } = parseJoinToken(made.token!);
    const listed = JSON.stringify((await hub.http.send({ method: 'GET', path: '/stile/v1/tokens' })).json);
    expect(listed).toContain(id);
    expect(listed).not.toContain(secret);
    await hub.http.send({ method: 'DELETE', path: `/stile/v1/tokens/${id}` });
    const again = hub.http.send({ method: 'DELETE', path: `/stile/v1/tokens/${id}` });
    await expect(again).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  it.each([
    [{}, 'E_INPUT_INVALID'],
    [{ pool: 'hangzhou', uses: 0 }, 'E_INPUT_INVALID'],
    [{ pool: 'hangzhou', ttlSeconds: -1 }, 'E_INPUT_INVALID'],
    [{ pool: 'hangzhou', replace: true }, 'E_INPUT_INVALID'],
    [{ pool: 'hangzhou', node: 'Not A Name' }, 'E_INPUT_INVALID'],
    [{ pool: 'nowhere' }, 'E_NOT_FOUND'],
  ])('refuses the token wish %j', async (json, code) => {
    await expect(hub.http.send({ method: 'POST', path: '/stile/v1/tokens', json })).rejects.toMatchObject({ code });
  });
});
