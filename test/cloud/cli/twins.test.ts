/** `stile twin` against a hub that is a process of its own; the terminals here are only Node objects. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, type Finished } from './command-line.ts';
import { runHere } from './same-process.ts';

let line: CommandLine;

const run = (args: readonly string[], answer?: boolean): Promise<Finished> =>
  runHere(line.kubeconfig, args, { answer });

async function ok(args: readonly string[], answer?: boolean): Promise<string> {
  const { code, stdout, stderr } = await run(args, answer);
  if (code !== 0) throw new Error(`stile ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

const node = (name: string, pool: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'apps.openyurt.io/nodepool': pool } },
  status: {},
});

beforeAll(async () => {
  line = await CommandLine.start();
  for (const pool of ['hall', 'yard']) await ok(['pool', 'create', pool]);
  const nodes = [node('gate-1', 'hall'), node('gate-2', 'hall'), node('gate-3', 'yard')];
  const device = {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'Device',
    metadata: { name: 'barrier', annotations: { 'stile.dev/node': 'gate-1' }, labels: { family: 'barrier' } },
    spec: { serviceName: 'sim', profileName: 'barrier', notify: false },
  };
  const profile = {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'DeviceProfile',
    metadata: { name: 'barrier' },
    spec: {
      deviceResources: [{ name: 'open', properties: { valueType: 'Bool', readWrite: 'RW' } }],
      deviceCommands: [{ name: 'raise', readWrite: 'W', resourceOperations: [{ deviceResource: 'open' }] }],
    },
  };
  await line.apply([...nodes, profile, device].map((object) => JSON.stringify(object)).join('\n---\n'));
  for (const id of ['gate-1', 'gate-2', 'gate-3', 'default.barrier']) await appears(id);
});
afterAll(() => line?.stop());

async function appears(id: string): Promise<void> {
  for (let tries = 0; (await run(['get', 'twin', id])).code !== 0; tries += 1)
    if (tries > 20) throw new Error(`the twin ${id} did not appear`);
}

const documentOf = async (id: string) => JSON.parse(await ok(['twin', 'get', id, '-o', 'json']));

test('set and unset change one twin; the hub counts, and says who did it', async () => {
  const set = ['twin', 'set', 'gate-1', 'mode=free', 'light.color=red', 'lanes=[1,2]'];
  expect(await ok(set)).toBe('twin.stile.dev/gate-1 changed to version 2\n');
  expect(await ok(set)).toBe('twin.stile.dev/gate-1 unchanged\n');
  expect(await ok(['twin', 'unset', 'gate-1', 'light.color'])).toMatch(/changed to version 3/);
  const { properties } = await documentOf('gate-1');
  expect(properties.desired).toMatchObject({ mode: 'free', light: {}, lanes: [1, 2], $version: 3 });
  expect(properties.desired.$metadata.mode.$lastUpdated).toMatch(/^\d{4}-.*Z$/);
  expect(await ok(['twin', 'get', 'gate-1'])).toMatch(/^PROPERTY +DESIRED +REPORTED\nlanes +\[1,2\]\nlight +\{\}\n/);
  const { items } = JSON.parse(await ok(['twin', 'history', 'gate-1', '-o', 'json']));
  expect(items).toMatchObject([
    { version: 2, who: expect.stringMatching(/admin/), patch: { mode: 'free', light: { color: 'red' } } },
    { version: 3, patch: { light: { color: null } } },
  ]);
  expect(await ok(['twin', 'history', 'gate-1'])).toMatch(/^VERSION +TIME +WHO +PATCH\n2 +\S+Z +\S+ +\{/);
});

test('a change may insist on the version that it builds on', async () => {
  const stale = await run(['twin', 'set', 'gate-2', 'mode=paid', '--if-version', '9']);
  expect(stale).toMatchObject({ code: 1, stderr: expect.stringContaining('at version 1, not 9') });
  expect(await ok(['twin', 'set', 'gate-2', 'mode=paid', '--if-version', '1'])).toMatch(/version 2/);
});

test('what a twin cannot hold is refused with its path', async () => {
  const refused = await run(['twin', 'set', 'gate-1', 'a.$b=1']);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/desired of gate-1\.a\.\$b .*\(E_INPUT_INVALID\)/),
  });
  expect(await run(['twin', 'set', 'gate-1', 'mode'])).toMatchObject({ code: 2 });
  expect(await run(['twin', 'get', 'nowhere'])).toMatchObject({ code: 1 });
});

test('many are shown before they are changed, and not changed by accident', async () => {
  const asked = ['twin', 'set', '--pool', 'hall', 'mode=paid'];
  const refused = await run(asked);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') });
  const dry = await run([...asked, '--dry-run']);
  expect(dry.stdout).toBe('twin.stile.dev/gate-1 changed (dry run)\n');
  expect(dry.stderr).toMatch(/^1 of 2 twins change, the others are so already\n {2}gate-1\n/);
  expect(await ok([...asked, '--yes'])).toMatch(/^twin.stile.dev\/gate-1 changed to version \d+\n$/);
  const no = await run(['twin', 'set', '--pool', 'yard', 'mode=paid'], false);
  expect(no).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('Change desired of 1 twins?') });
  expect((await documentOf('gate-3')).properties.desired.mode).toBeUndefined();
  expect(await ok(['twin', 'set', '-l', 'family=barrier', 'open=true', '--yes'])).toMatch(/default.barrier changed/);
});

test('an action of a terminal that never came is refused as one that is away', async () => {
  const never = await run(['twin', 'invoke', 'default.barrier', 'raise', 'open=true']);
  expect(never).toMatchObject({ code: 4, stderr: expect.stringMatching(/never connected.*\(E_NODE_OFFLINE\)/) });
  expect(await run(['twin', 'invoke', 'default.barrier', 'dance'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('it has raise'),
  });
});

test('a watch tells each change', async () => {
  const watch = line.start(['twin', 'watch', 'gate-3']);
  await watch.printed('stdout', /^desired +1 +\{\}\n/);
  await ok(['twin', 'set', 'gate-3', 'mode=closed']);
  await watch.printed('stdout', /^desired +2 +\{"mode":"closed"\}\n/m);
  watch.signal('SIGTERM');
  expect((await watch.finished).code).toBe(0);
});
