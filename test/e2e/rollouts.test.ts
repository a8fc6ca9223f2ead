/** An unmodified kubectl takes a bad image back on a real hub. Pods are not asked for: what counts here is the history. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cloud/cli/command-line.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { type Kubectl, kubectlWith } from './kubectl-process.ts';

const binary = await kubectlBinary();
if ('missing' in binary) process.stderr.write(`kubectl tests are skipped: ${binary.missing}\n`);

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: first}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "web:1"}]
`;

describe.skipIf('missing' in binary)('kubectl rollout', { timeout: 60_000 }, () => {
  let line: CommandLine;
  let kubectl: Kubectl;

  beforeAll(async () => {
    line = await CommandLine.start();
    kubectl = kubectlWith({
      binary: (binary as { path: string }).path,
      kubeconfig: line.kubeconfig,
      folder: line.folder,
    });
    await ok('apply -f -', deployment);
    await ok('rollout status deploy/web --timeout=20s');
    await ok(['annotate', 'deploy/web', 'kubernetes.io/change-cause=second', '--overwrite']);
    // The cause first and the image then: the other way round, the second cause would be the first one's too.
    await ok('set image deploy/web main=web:2');
    await ok('rollout status deploy/web --timeout=20s');
  });

  afterAll(() => line?.stop());

  async function ok(args: string | string[], input?: string): Promise<string> {
    const outcome = await kubectl(args, input);
    expect(outcome, `kubectl ${args}`).toMatchObject({ code: 0 });
    return outcome.stdout.trimEnd();
  }

  const image = () => ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}']);
  const revision = async () => JSON.parse(await ok('get deploy web -o json')).metadata.annotations[revisionKey];
  const revisionKey = 'deployment.kubernetes.io/revision';

  it('tells the history, and each revision of it', async () => {
    expect(await ok('rollout history deploy/web')).toMatch(/REVISION +CHANGE-CAUSE\n1 +\S+\n2 +second/);
    expect(await ok('rollout history deploy/web --revision=1')).toMatch(/Image:\s+web:1/);
    expect(await ok('get rs -o wide')).toMatch(/NAME +DESIRED +CURRENT +READY +AGE +CONTAINERS +IMAGES +SELECTOR/);
    expect(await ok('describe deploy web')).toMatch(/NewReplicaSet:\s+web-\S+ \(0\/0 replicas created\)/);
  });

  it('goes back, and to any revision', async () => {
    expect(await ok('rollout undo deploy/web')).toContain('rolled back');
    expect(await image()).toBe('web:1');
    await ok('rollout status deploy/web --timeout=20s');
    expect(await revision()).toBe('3');
    await ok('rollout undo deploy/web --to-revision=2');
    expect(await image()).toBe('web:2');
    await ok('rollout status deploy/web --timeout=20s');
    expect(await revision()).toBe('4');
    expect(await ok('rollout undo deploy/web --to-revision=4')).toContain('skipped rollback');
    expect((await kubectl('rollout undo deploy/web --to-revision=9')).stderr).toContain('unable to find');
  });

  it('restarts, and proposes while paused', async () => {
    await ok('rollout restart deploy/web');
    await ok('rollout status deploy/web --timeout=20s');
    expect(await revision()).toBe('5');
    await ok('rollout pause deploy/web');
    await ok('set image deploy/web main=web:3');
    expect((await kubectl('rollout undo deploy/web')).stderr).toContain('paused');
    expect(await revision()).toBe('5');
    await ok('rollout resume deploy/web');
    await ok('rollout status deploy/web --timeout=20s');
    expect(await revision()).toBe('6');
  });

  it('leaves nothing behind', async () => {
    await ok('delete deploy web');
    await expect.poll(() => ok('get rs -o name'), { timeout: 10_000 }).toBe('');
  });
});
