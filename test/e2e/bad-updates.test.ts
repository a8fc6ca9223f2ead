/**
 * Goal: whatever an update does, the terminal comes back with a version that works, and its pods do not notice.
 * Each test goes on where the one before it ended.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { House, run } from '../house/house.ts';
import { digestOf, runtimeScript, UpdatingTerminal } from '../house/updating.ts';

const house = new House();
let terminal: UpdatingTerminal;
let podPids: number[];

beforeAll(async () => {
  await house.startHub();
  await house.stile('pool', 'create', 'hangzhou');
  terminal = new UpdatingTerminal(house, 'gate-1');
  await terminal.start('hangzhou');
  podPids = await terminal.startPod();
});
afterEach(async () => {
  expect(await house.podPids()).toEqual(podPids);
});
afterAll(async () => {
  await terminal.end();
  await house.close();
});

const programOfTheService = { digest: null };

it('refuses what is not signed, not what was signed, not newer, or for another machine', async () => {
  const before = terminal.starts;
  const stranger = generateKeyPairSync('ed25519').privateKey;
  const good = runtimeScript();
  const refused: [string, string][] = [
    [terminal.write('0.2.0', good, {}, stranger), 'E_UPDATE_UNTRUSTED'],
    [terminal.write('0.2.1', good, { digest: '0'.repeat(64) }), 'E_UPDATE_DAMAGED'],
    [terminal.write('0.2.2', good, { bytes: 7 }), 'E_UPDATE_DAMAGED'],
    [terminal.write('0.0.9', good), 'E_UPDATE_OLD'],
    [terminal.write('0.2.3', good, { platform: 'linux-mips' }), 'E_UPDATE_PLATFORM'],
  ];
  for (const [file, code] of refused) {
    const { code: exit, stderr } = await terminal.order(file);
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: expect.stringContaining(`(${code})`) });
  }
  expect(terminal.starts).toBe(before);
  expect(await terminal.status()).toMatchObject({ running: programOfTheService, trial: null, last: null });
});

it('comes back from a version that hangs', async () => {
  terminal.graceSeconds = 2;
  const status = await terminal.update('0.3.0', '#!/bin/sh\nexec sleep 3600\n');
  expect(status).toMatchObject({
    running: programOfTheService,
    last: { result: 'rolled-back', reason: expect.stringContaining('not healthy within 6 s') },
  });
});

it('comes back from one that the machine cannot execute', async () => {
  const status = await terminal.update('0.3.1', 'not an executable');
  expect(status).toMatchObject({ running: programOfTheService, last: { result: 'rolled-back' } });
});

it('comes back from one that does not reach the hub, which the one before did', async () => {
  await house.waitFor('the terminal to be ready', async () => isReady(await house.json<Node>('get', 'node', 'gate-1')));
  writeFileSync(
    house.path('no-network.mjs'),
    `import { Socket } from 'node:net';
    Socket.prototype.connect = function () { queueMicrotask(() => this.destroy(new Error('no network'))); return this; };`,
  );
  terminal.graceSeconds = 12;
  const status = await terminal.update('0.3.2', runtimeScript('--import', house.path('no-network.mjs')));
  expect(status).toMatchObject({
    running: programOfTheService,
    last: { result: 'rolled-back', reason: expect.stringContaining('no session with the hub') },
  });
});

it('comes back from one that leaves a store which only it can read', async () => {
  await house.waitFor('the terminal to be ready', async () => isReady(await house.json<Node>('get', 'node', 'gate-1')));
  const program = `
    import { DatabaseSync } from 'node:sqlite';
    const path = process.argv[process.argv.indexOf('--data-dir') + 1] + '/state.db';
    new DatabaseSync(path).exec("UPDATE schema_meta SET value = 99 WHERE key IN ('min_reader', 'schema_version')");
    process.exit(1);`;
  writeFileSync(house.path('newer-store.mjs'), program);
  const script = `#!/bin/sh\nexec '${process.execPath}' '${house.path('newer-store.mjs')}' "$@"\n`;
  const status = await terminal.update('0.3.3', script);
  expect(status).toMatchObject({ running: programOfTheService, last: { result: 'rolled-back' } });
  expect(house.terminals.get('gate-1')!.child.output()).toContain('store given up');
});

it('takes an update with the hub away, for the one before had none either', async () => {
  await house.hub!.stop();
  await house.waitFor('the link to be lost', () => /link lost[^\n]*$/.test(lastLine()));
  const good = `${runtimeScript()}# of offline\n`;
  const status = await terminal.update('0.4.0', good);
  expect(status).toMatchObject({
    running: { digest: digestOf(good) },
    last: { result: 'confirmed', reason: expect.stringContaining('no hub to reach') },
  });
});

it('goes on with the program of the service when the file of the version is damaged', async () => {
  const { digest } = (await terminal.status())!.running;
  writeFileSync(join(terminal.dataDir, 'versions', digest!), '#!/bin/sh\nexit 0\n');
  await house.terminals.get('gate-1')!.child.kill('SIGKILL');
  await house.waitFor('the program of the service', async () => (await terminal.status())?.running.digest === null);
  expect((await terminal.status())!.last).toMatchObject({ result: 'rolled-back', version: '0.4.0' });
});

it('does not count a start by mistake beside a version on trial', async () => {
  const good = `${runtimeScript()}# tried beside others\n`;
  const running = async () => (await terminal.status())?.running.digest === digestOf(good);
  expect(await terminal.order(terminal.write('0.5.0', good), '--settle', '3600')).toMatchObject({ code: 0 });
  await house.waitFor('the trial', running);
  for (let start = 0; start < 2; start += 1) {
    const { stderr } = await house.tryRuntime('--data-dir', terminal.dataDir, '--pod-network', 'none');
    expect(stderr).toContain('E_STORE_LOCKED');
  }
  const counted = JSON.parse(readFileSync(join(terminal.dataDir, 'versions', 'starts.json'), 'utf8'));
  expect(counted).toEqual({ digest: digestOf(good), count: 1 });
  // Cut three times, it is over.
  for (let cut = 0; cut < 3; cut += 1) {
    await house.waitFor('the trial', running);
    await house.terminals.get('gate-1')!.child.kill('SIGKILL');
  }
  await house.waitFor('its end', async () => (await terminal.status())?.last?.digest === digestOf(good));
  expect(await terminal.status()).toMatchObject({ running: programOfTheService, last: { result: 'rolled-back' } });
});

it('takes what openssl has signed, an older version too when that is meant', async () => {
  const file = house.path('by-hand');
  const content = `${runtimeScript()}# signed by hand\n`;
  writeFileSync(file, content, { mode: 0o755 });
  writeFileSync(house.path('key.pem'), terminal.privateKeyPem);
  const script = join(import.meta.dirname, '../../runtime/update/sign.sh');
  const signed = await run(
    '/bin/sh',
    [script, house.path('key.pem'), file, '0.0.9', `linux-${process.arch}`],
    process.env,
  );
  expect(signed, readFileSync(script, 'utf8')).toMatchObject({ code: 0, stderr: '' });
  expect(await terminal.order(file)).toMatchObject({ code: 1, stderr: expect.stringContaining('E_UPDATE_OLD') });
  expect(await terminal.order(file, '--downgrade')).toMatchObject({ code: 0 });
  await house.waitFor('the older one', async () => (await terminal.status())?.last?.digest === digestOf(content));
  expect(await terminal.status()).toMatchObject({ floor: '0.0.9', last: { result: 'confirmed' } });
});

interface Node {
  status: { conditions: { type: string; status: string }[] };
}

function isReady({ status }: Node): boolean {
  return status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}

function lastLine(): string {
  return house.terminals.get('gate-1')!.child.output().trimEnd().split('\n').at(-1)!;
}
