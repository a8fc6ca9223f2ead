/** `stile check` against a hub that is a process: well, with faults, asked by a stranger, and away. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { httpConnection } from '../../../cloud/cli/node/http-connection.ts';
import { loadTarget } from '../../../cloud/cli/node/kubeconfig-files.ts';
import type { Finding } from '../../../protocol/finding.ts';
import { CommandLine } from './command-line.ts';

let line: CommandLine;
beforeAll(async () => {
  line = await CommandLine.start();
});
afterAll(() => line?.stop());

async function findings(...args: string[]): Promise<{ code: number | null; of: Record<string, Finding> }> {
  const { code, stdout } = await line.run(['check', '-o', 'json', ...args]);
  const { findings: list, fit } = JSON.parse(stdout) as { fit: boolean; findings: Finding[] };
  expect(fit).toBe(code === 0);
  return { code, of: Object.fromEntries(list.map((finding) => [finding.check, finding])) };
}

/** As a terminal would report it; no command of `stile` writes a status. */
async function patchStatus(path: string, status: unknown): Promise<void> {
  const target = await loadTarget({ kubeconfig: line.kubeconfig, requestTimeoutMs: 10_000 }, {});
  const connection = await httpConnection(target, { requestTimeoutMs: 10_000, onWarning: () => {} });
  try {
    await connection.api({
      method: 'PATCH',
      path: `/api/v1/namespaces/default/${path}/status`,
      contentType: 'application/merge-patch+json',
      body: { status },
    });
  } finally {
    await connection.close();
  }
}

it('tells of a new hub that it is well and was never backed up, and of the backup afterwards', async () => {
  const before = await findings();
  expect(before.code).toBe(0);
  expect(before.of.backup!.colour).toBe('yellow');
  await line.ok(['hub', 'backup', join(line.folder, 'backups')]);
  const { of } = await findings('--database');
  const colours = Object.fromEntries(Object.values(of).map(({ check, colour }) => [check, colour]));
  const { disk: _disk, inodes: _inodes, ...ours } = colours;
  expect(new Set(Object.values(ours))).toEqual(new Set(['green']));
  expect(of.hub!.reason).toMatch(/^https:\/\/127\.0\.0\.1:\d+ answers in \d+ ms, up for \d+s, 0 sessions$/);
  expect(of.kubeconfig!.reason).toMatch(/^36[45] days left/);
  expect(of.authority!.reason).toMatch(/^(7299|7300) days left/);
  expect(of['server certificate']!.reason).toMatch(/^36[45] days left/);
  expect(of.database!.reason).toBe('sound, looked through just now');
  expect(of.backup!.reason).toMatch(/taken \d+s ago/);
  expect(of.disk!.reason).toContain(join(line.folder, 'hub'));
});

it('leaves no record: it changes nothing', async () => {
  const { items } = JSON.parse(await line.ok(['audit', '-o', 'json'])) as { items: unknown[] };
  await line.ok(['check', '--database']);
  expect((JSON.parse(await line.ok(['audit', '-o', 'json'])) as { items: unknown[] }).items).toHaveLength(items.length);
});

it('names who is away, what is cut off, stuck and behind, in a table with the remedy below', async () => {
  await line.ok(['pool', 'create', 'north']);
  const away = { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: '2026-01-01T00:00:00Z' }] };
  for (const [name, status] of [
    ['gate-1', away],
    ['gate-2', { conditions: [{ type: 'Ready', status: 'True' }] }],
  ] as const) {
    const metadata = { name, labels: name === 'gate-1' ? { 'apps.openyurt.io/nodepool': 'north' } : {} };
    await line.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata, status }));
  }
  const spec = { nodeName: 'gate-2', containers: [{ name: 'main', image: 'gate:1' }] };
  const status = {
    containerStatuses: [{ name: 'main', state: { waiting: { reason: 'CrashLoopBackOff\nred   hub' } } }],
  };
  await line.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'far' }, spec }));
  await patchStatus('pods/far', status);
  const { code, stdout, stderr } = await line.run(['check']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^yellow +nodes +1 of 2 Ready; away: gate-1 \(since \d+d\)\n +-> their pods go on/m);
  expect(stdout).toMatch(/^yellow +pools +no node is Ready in 1 of 1: north\n +-> /m);
  expect(stdout).toMatch(
    /^yellow +pods +1 of 1 do not run: CrashLoopBackOff red hub 1; default\/far \(CrashLoopBackOff red hub\)\n/m,
  );
  expect(parse(await line.ok(['check', '-o', 'yaml']))).toMatchObject({ fit: true });
});

it('says with 1 that it may not ask, to whoever is no administrator', async () => {
  const config = parse(await readFile(line.kubeconfig, 'utf8'));
  config.users[0].user = {};
  const path = join(line.folder, 'anonymous.kubeconfig');
  await writeFile(path, stringify(config));
  const { code, of } = await findings('--kubeconfig', path);
  expect(code).toBe(1);
  expect(of.hub!.colour).toBe('green');
  expect(of.health).toMatchObject({ colour: 'red', reason: expect.stringMatching(/administrator/) });
  expect(of.objects!.colour).toBe('red');
});

it('says with 3 that the hub is away and what to do, and judges what is on this machine', async () => {
  await line.stopHub();
  try {
    const { code, stdout, stderr } = await line.run(['check']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(stdout).toMatch(/^red +hub +nothing listens at .*: start the hub .* \(E_LINK_UNREACHABLE\)\n +-> /);
    expect(stdout).toMatch(/^green +clock +this machine’s says /m);
    expect(stdout).toMatch(/^green +kubeconfig +36[45] days left/m);
    expect(stdout.trimEnd().split('\n')).toHaveLength(4);
  } finally {
    await line.startHub();
  }
});
