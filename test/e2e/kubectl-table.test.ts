/**
 * Goal: an unmodified kubectl against a real hub with a real terminal, one command after the other. Of each: its exit
 * code, what its user sees, and what it asked the hub, so that neither side can change unseen. The rows build on each
 * other and run in order; the kubectl is Debian trixie's, since outputs and requests differ between versions.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyedCertificate } from '../../cloud/identity/authority.ts';
import { administratorCertificate, openAuthority } from '../../cloud/identity/authority-files.ts';
import { kubeconfig } from '../../cloud/identity/kubeconfig.ts';
import type { Env } from '../../protocol/env.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { House } from '../house/house.ts';
import { pushProgram } from '../house/workload.ts';
import { kubectlOfDebian } from './kubectl-binary.ts';
import { operations } from './kubectl-operations.ts';
import { type Kubectl, kubectlWith } from './kubectl-process.ts';
import { reads } from './kubectl-reads.ts';
import { checkRow, commandText } from './kubectl-row.ts';
import { writes } from './kubectl-writes.ts';
import { RecordingProxy } from './recording-proxy.ts';

const binary = await kubectlOfDebian();
if ('missing' in binary) process.stderr.write(`the kubectl table is skipped: ${binary.missing}\n`);

const rows = [...reads, ...writes, ...operations];

describe.skipIf('missing' in binary)('kubectl', { timeout: 60_000 }, () => {
  const house = new House();
  let proxy: RecordingProxy;
  let administrator: Kubectl;
  let visitor: Kubectl;

  beforeAll(async () => {
    await house.startHub();
    await house.stile('pool', 'create', 'hangzhou');
    await house.join('gate-1', 'hangzhou');
    for (const image of ['app:1', 'app:2']) await pushProgram(house, image);
    await house.stile('wait', 'node', 'gate-1', '--for=condition=Ready', '--timeout', '60s');
    const env: Env = { clock: systemClock, random: systemRandom, log: createLog('warn') };
    const authority = await openAuthority(env, house.path('hub'));
    const certificates = {
      administrator: await administratorCertificate(env, authority, house.path('hub')),
      visitor: await authority.issueUser('visitor', ['visitors']),
    };
    proxy = await RecordingProxy.start(house.url, authority, Object.values(certificates));
    const kubectlAs = (name: string, own: KeyedCertificate) => {
      const path = house.path(`${name}.kubeconfig`);
      const caPem = authority.certificatePem;
      writeFileSync(path, kubeconfig({ server: proxy.url, caPem, administrator: own }), { mode: 0o600 });
      return kubectlWith({ binary: (binary as { path: string }).path, kubeconfig: path, folder: house.directory });
    };
    administrator = kubectlAs('administrator', certificates.administrator);
    visitor = kubectlAs('visitor', certificates.visitor);
  }, 120_000);

  afterAll(async () => {
    await proxy?.close();
    await house.close();
  }, 60_000);

  it.each(rows.map((row, index) => ({ row, title: `${index + 1}: ${commandText(row)}` })))(
    '$title',
    async ({ row }) => {
      await checkRow(row, row.as === 'visitor' ? visitor : administrator, () => proxy.take());
    },
  );

  it('has been asked more than sixty commands', () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
  });
});
