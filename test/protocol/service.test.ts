/** Units of our programs, and what install and uninstall leave below a root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installService, prepareDataDirectory, uninstallService } from '../../protocol/node/service-install.ts';
import { type ServiceUnit, serviceUnitText } from '../../protocol/service-unit.ts';

const unit: ServiceUnit = {
  description: 'Stile runtime',
  command: ['/bin/true', '--data-dir', '/var/lib/stile'],
  dataDir: '/var/lib/stile',
  children: 'outlive',
  stopSeconds: 300,
};
const lines = (change: Partial<ServiceUnit> = {}) => serviceUnitText({ ...unit, ...change }).split('\n');

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stile-root-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('pods outlive a crash of the runtime, not of anything else; it never gives up', () => {
  expect(lines()).toEqual(
    expect.arrayContaining(['KillMode=process', 'OOMPolicy=continue', 'Delegate=yes', 'Restart=always', 'Type=exec']),
  );
  expect(lines({ children: 'end' })).toEqual(expect.arrayContaining(['KillMode=mixed', 'PrivateDevices=yes']));
  expect(lines()).toEqual(
    expect.arrayContaining([
      'StartLimitIntervalSec=0',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'PrivateTmp=yes',
    ]),
  );
  expect(lines()).toContain('ReadWritePaths=/var/lib/stile');
});

test('a service that runs containers has the mounts and the name of the machine, and keeps the rest', () => {
  const text = lines({ containers: true }).filter((line) => !line.startsWith('#'));
  expect(text.join('\n')).not.toMatch(/Protect(System|Hostname|Kernel)|PrivateTmp|ReadWritePaths/);
  expect(text).toEqual(expect.arrayContaining(['NoNewPrivileges=yes', 'LockPersonality=yes', 'Delegate=yes']));
});

test('a watchdog is only asked for where something can feed it', () => {
  expect(lines().join()).not.toMatch(/WatchdogSec|Type=notify/);
  expect(lines({ watchdogSeconds: 180 })).toEqual(expect.arrayContaining(['Type=notify', 'WatchdogSec=180']));
});

test('words that mean something to systemd are written so that they do not; others are refused', () => {
  const command = ['/opt/my app/run', '100%', '$HOME', 'a"b\\c'];
  expect(lines({ command })).toContain('ExecStart="/opt/my app/run" 100%% "$$HOME" "a\\"b\\\\c"');
  for (const wrong of [
    { command: ['run'] },
    { command: ['/run', 'two\nlines'] },
    { dataDir: 'here' },
    { user: 'root\nExecStart=/bin/sh' },
  ])
    expect(() => serviceUnitText({ ...unit, ...wrong })).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
});

test('systemd itself finds nothing wrong, where it is there to ask', async () => {
  const found = spawnSync('systemd-analyze', ['--version']).status === 0;
  const changes: Partial<ServiceUnit>[] = [{ watchdogSeconds: 60 }, { children: 'end' }, { containers: true }];
  const texts = changes.map((change) => serviceUnitText({ ...unit, ...change }));
  for (const [index, text] of texts.entries()) {
    const file = join(root, `stile-${index}.service`);
    await writeFile(file, text);
    const verified = found
      ? spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
      : undefined;
    const complaints = (verified?.stderr ?? '').split('\n').filter((line) => line.includes('stile-'));
    expect(complaints).toEqual([]);
    expect(text).toMatch(/^\[Unit\]\n[^[]*\[Service\]\n[^[]*\[Install\]\n[^[]*$/);
  }
});

test('install below a root writes, enables and starts nothing; again changes nothing; uninstall leaves the data', async () => {
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/passwd'), `stile:x:${process.getuid!()}:${process.getgid!()}::/:/bin/false\n`);
  const told: string[] = [];
  const place = { name: 'stile-runtime', root, tell: (line: string) => void told.push(line) };
  const own = { ...unit, user: 'stile' };
  await prepareDataDirectory(place, own);
  await installService(place, own);
  const file = join(root, 'etc/systemd/system/stile-runtime.service');
  const link = join(root, 'etc/systemd/system/multi-user.target.wants/stile-runtime.service');
  expect(readFileSync(file, 'utf8')).toBe(serviceUnitText(own));
  expect([statSync(file).mode & 0o777, readlinkSync(link)]).toEqual([0o644, '../stile-runtime.service']);
  expect(statSync(join(root, 'var/lib/stile')).mode & 0o777).toBe(0o700);
  expect(told.map((line) => line.split(' ')[0])).toEqual(['made', 'wrote', 'enabled']);
  await installService(place, own);
  expect(told.at(-2)).toBe(`kept ${file}: it is as it should be`);
  await writeFile(join(root, 'var/lib/stile/state.db'), 'data');
  await uninstallService(place);
  expect([existsSync(file), existsSync(link)]).toEqual([false, false]);
  expect(readFileSync(join(root, 'var/lib/stile/state.db'), 'utf8')).toBe('data');
  await uninstallService(place);
  expect(told.at(-2)).toBe(`there is no ${file}`);
  const stranger = prepareDataDirectory(place, { ...unit, user: 'nobody-here' });
  await expect(stranger).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
});

test('both programs print their unit with --dry-run', () => {
  const say = (...args: string[]) => execFileSync(process.execPath, args, { encoding: 'utf8' });
  const hub = say('cloud/bin/stile.mjs', 'hub', 'install', '--data-dir', '/h', '--listen', ':1', '--dry-run');
  expect(hub).toMatch(/^ExecStart=\/\S+ \/\S+stile\.mjs hub serve --data-dir \/h --listen :1$/m);
  const install = ['install', '--data-dir', '/d', '--hub', 'https://h:1', '--token-file', '/boot/token', '--dry-run'];
  const runtime = say('runtime/bin/stile-runtime.mjs', ...install);
  expect(runtime).toMatch(/stile-runtime\.mjs --data-dir \/d --hub https:\/\/h:1 --token-file \/boot\/token$/m);
});
