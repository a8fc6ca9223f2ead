/** The command lines for people on the spot: what is understood, and that the rest is one sentence. */
import { expect, test } from 'vitest';
import { parseSubCommand } from '../../runtime/sub-commands.ts';

const parse = (line: string) => parseSubCommand(line.split(' '));

test('what is written is what is meant', () => {
  const logs = parse('ctl logs gate -c main -f --tail 5 --data-dir /d');
  const base = { dataDir: '/d', output: 'table' };
  expect(logs).toEqual({
    command: 'ctl',
    options: { ...base, verb: 'logs', pod: 'gate', container: 'main', follow: true, tailLines: 5 },
  });
  expect(parse('check --data-dir /d -o json')).toEqual({
    command: 'check',
    options: { dataDir: '/d', output: 'json' },
  });
  expect(parse('install --data-dir /d --user stile --name n --token-file /t --hub https://h')).toEqual({
    command: 'install',
    options: {
      dataDir: '/d',
      dryRun: false,
      containers: false,
      user: 'stile',
      passed: ['--hub', 'https://h', '--token-file', '/t', '--name', 'n'],
    },
  });
  expect(parse('install --data-dir /d --containers --pod-network 10.9.0.0/16')).toEqual({
    command: 'install',
    options: { dataDir: '/d', dryRun: false, containers: true, passed: ['--pod-network', '10.9.0.0/16'] },
  });
  expect(parse('install --data-dir /d --update-key /a --update-key /b')).toMatchObject({
    options: { passed: ['--update-key', '/a', '--update-key', '/b'] },
  });
  const trial = { ...base, settleMs: 60_000, graceMs: 240_000, downgrade: false };
  expect(parse('update --data-dir /d')).toEqual({ command: 'update', options: trial });
  expect(parse('update f --statement s --downgrade --settle 5 --grace 0 --data-dir /d')).toEqual({
    command: 'update',
    options: { ...trial, file: 'f', statement: 's', downgrade: true, settleMs: 5_000, graceMs: 0 },
  });
  expect(parse('uninstall --root /image')).toEqual({ command: 'uninstall', options: { root: '/image' } });
  expect(parse('ctl --help')).toBe('help');
  expect(parse('--data-dir /d')).toBeUndefined();
});

test.each([
  'ctl --data-dir /d',
  'ctl pods more --data-dir /d',
  'ctl logs --data-dir /d',
  'ctl pods',
  'ctl logs gate --tail -1 --data-dir /d',
  'ctl logs gate --tail x --data-dir /d',
  'ctl pods -o yaml --data-dir /d',
  'check now --data-dir /d',
  'install --data-dir /d --token-file here',
  'install --token-file /t',
  'install --data-dir /d --containers --user stile',
  'install --data-dir /d --update-key here',
  'update f g --data-dir /d',
  'update f',
  'update --downgrade --data-dir /d',
  'update f --settle 86401 --data-dir /d',
  'update f --grace soon --data-dir /d',
  'uninstall --data-dir /d',
])('%s is refused', (line) => {
  expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
});
