/**
 * Goal: users of a real hub. An operator of one pool is refused on the other by stile and by kubectl, a viewer changes
 * nothing, each write and each refusal is in the audit, and whoever was revoked is refused at once.
 */
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { House, type Outcome, run, stileCommand } from '../house/house.ts';
import { expectSentence } from '../house/outcomes.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { kubectlWith } from './kubectl-process.ts';

const house = new House();
const configOf = (user: string) => house.path(`${user}.kubeconfig`);

function as(user: string, ...args: string[]): Promise<Outcome> {
  return run(stileCommand[0]!, [...stileCommand.slice(1), ...args], { ...process.env, KUBECONFIG: configOf(user) });
}

/** `USER VERB RESOURCE NAME CODE` of what was recorded. */
async function records(...args: string[]): Promise<string[]> {
  const { items } = await house.json<{
    items: { user: string; verb: string; resource: string; name?: string; code: number }[];
  }>('audit', ...args);
  return items.map(({ user, verb, resource, name, code }) => `${user} ${verb} ${resource} ${name} ${code}`);
}

beforeAll(async () => {
  await house.startHub();
  for (const pool of ['hangzhou', 'beijing']) await house.stile('pool', 'create', pool);
  await house.stile('user', 'create', 'ann', '--role', 'operator', '--pool', 'hangzhou', '-o', configOf('ann'));
  await house.stile('user', 'create', 'vic', '--role', 'viewer', '-o', configOf('vic'));
}, 120_000);

afterAll(() => house.close(), 60_000);

describe('users', { timeout: 120_000 }, () => {
  test('get a kubeconfig that is theirs alone, once', async () => {
    expect(statSync(configOf('ann')).mode & 0o777).toBe(0o600);
    expect(readFileSync(configOf('ann'), 'utf8')).toContain('client-key-data');
    const again = await house.tryStile('user', 'create', 'ann', '--role', 'viewer', '-o', house.path('other'));
    expectSentence(again, { code: 'E_CONFLICT', says: 'stile user revoke ann', exit: 1 });
    const limited = await house.tryStile('user', 'create', 'eve', '--role', 'viewer', '--pool', 'beijing');
    expectSentence(limited, { code: 'E_USAGE', says: '--role operator', exit: 2 });
    const nowhere = ['--role', 'operator', '--pool', 'nowhere', '-o', house.path('other')];
    expectSentence(await house.tryStile('user', 'create', 'eve', ...nowhere), {
      code: 'E_NOT_FOUND',
      says: 'nowhere',
      exit: 1,
    });
    const list = (await house.stile('user', 'list')).stdout;
    expect(list).toMatch(/^ann +stile:operator \(pools hangzhou\) /m);
    expect(list).toMatch(/^vic +stile:viewer /m);
  });

  test('an operator is refused outside of its pool, and at what is for administrators', async () => {
    expect((await as('ann', 'get', 'nodepools')).stdout).toContain('beijing');
    expect((await as('ann', 'delete', 'nodepool', 'beijing')).stderr).toContain('E_FORBIDDEN');
    expect((await as('ann', 'token', 'create', '--pool', 'hangzhou')).stderr).toContain('E_FORBIDDEN');
    expect((await as('ann', 'user', 'create', 'eve', '--role', 'admin', '-o', house.path('eve'))).stderr).toContain(
      'E_FORBIDDEN',
    );
    expect(await as('ann', 'delete', 'nodepool', 'hangzhou')).toMatchObject({ code: 0 });
    await house.stile('pool', 'create', 'hangzhou');
    const kept = await records('--user', 'ann');
    expect(kept).toEqual([
      'ann delete nodepools.apps.openyurt.io beijing 403',
      'ann create tokens undefined 403',
      'ann create users undefined 403',
      'ann delete nodepools.apps.openyurt.io hangzhou 200',
    ]);
  });

  test('a viewer changes nothing', async () => {
    expect((await as('vic', 'get', 'nodepools')).code).toBe(0);
    expect((await as('vic', 'pool', 'create', 'mine')).stderr).toContain('E_FORBIDDEN');
    expect((await as('vic', 'delete', 'nodepool', 'beijing')).stderr).toContain('E_FORBIDDEN');
    expect((await records('--user', 'vic')).every((line) => line.endsWith(' 403'))).toBe(true);
    expect(await records('--user', 'vic')).toHaveLength(2);
  });

  test('who was revoked is refused at once, and the name can be given again', async () => {
    await house.stile('user', 'create', 'tmp', '--role', 'admin', '-o', configOf('tmp'));
    expect((await as('tmp', 'token', 'list')).code).toBe(0);
    await house.stile('user', 'revoke', 'tmp', 'vic');
    expect((await as('tmp', 'token', 'list')).stderr).toContain('E_FORBIDDEN');
    expect((await as('vic', 'get', 'nodepools')).stderr).toContain('E_FORBIDDEN');
    expect((await house.stile('get', 'clusterrolebindings', '-o', 'name')).stdout).not.toContain('vic');
    await house.hub!.kill('SIGKILL');
    await house.startHub();
    expect((await as('tmp', 'token', 'list')).stderr).toContain('E_FORBIDDEN');
    await house.stile('user', 'create', 'tmp', '--role', 'viewer', '-o', house.path('tmp2.kubeconfig'));
    expect((await as('tmp', 'get', 'nodepools')).stderr).toContain('E_FORBIDDEN');
    expect((await as('tmp2', 'get', 'nodepools')).code).toBe(0);
    expectSentence(await house.tryStile('user', 'revoke', 'stile-admin'), {
      code: 'E_INPUT_INVALID',
      says: 'stile user list',
      exit: 1,
    });
  });
});

const binary = await kubectlBinary();
if ('missing' in binary) process.stderr.write(`kubectl tests are skipped: ${binary.missing}\n`);

test.skipIf('missing' in binary)('kubectl is refused as stile is', { timeout: 120_000 }, async () => {
  const { path } = binary as { path: string };
  const kubectl = kubectlWith({ binary: path, kubeconfig: configOf('ann'), folder: house.directory });
  const refused = await kubectl('label nodepool beijing zone=x');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('the role is for the pools hangzhou alone, and it belongs to beijing');
  expect(await kubectl('label nodepool hangzhou zone=x')).toMatchObject({ code: 0 });
  expect((await kubectl('auth can-i patch nodepools/beijing')).stdout).toContain('no');
  expect((await records('--user', 'ann', '--resource', 'nodepools')).slice(-2)).toEqual([
    'ann patch nodepools.apps.openyurt.io beijing 403',
    'ann patch nodepools.apps.openyurt.io hangzhou 200',
  ]);
});
