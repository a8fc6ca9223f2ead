/** An unmodified kubectl against the API: the commands of an operator's day, their output and their exit codes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../cloud/api/test-server.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { deployment, node, nodePool, pod, yurtAppSet } from './kubectl-manifests.ts';
import { type Kubectl, type KubectlOptions, kubectlWith, startKubectl, Written } from './kubectl-process.ts';

const binary = await kubectlBinary();
if ('missing' in binary) process.stderr.write(`kubectl tests are skipped: ${binary.missing}\n`);

describe.skipIf('missing' in binary)('kubectl', { timeout: 60_000 }, () => {
  let server: TestServer;
  let options: KubectlOptions;
  let kubectl: Kubectl;

  beforeAll(async () => {
    server = await TestServer.start();
    const { path, folder } = await server.kubeconfigFile();
    options = { binary: (binary as { path: string }).path, kubeconfig: path, folder };
    kubectl = kubectlWith(options);
  });

  afterAll(() => server.stop());

  /** Output of a command that must succeed, without the last line feed. */
  async function ok(args: string | string[], input?: string): Promise<string> {
    const outcome = await kubectl(args, input);
    expect(outcome, `kubectl ${args}`).toMatchObject({ code: 0 });
    return outcome.stdout.trimEnd();
  }

  it('sees the server and its kinds', async () => {
    expect(await ok('version')).toContain('Server Version: v1.32.0+stile');
    const kinds = await ok('api-resources');
    for (const name of ['nodes', 'nodepools', 'yurtappsets', 'deployments', 'leases'])
      expect(kinds).toMatch(new RegExp(`^${name} `, 'm'));
    expect(await ok('get ns -o name')).toBe('namespace/default\nnamespace/kube-node-lease\nnamespace/kube-system');
  });

  it('applies built-in and custom kinds: created, unchanged, configured', async () => {
    const all = [nodePool, yurtAppSet('gate:1'), deployment('web:1'), node, pod].join('---');
    const created = await ok('apply -f -', all);
    expect(created.split('\n')).toEqual([
      'nodepool.apps.openyurt.io/hangzhou created',
      'yurtappset.apps.openyurt.io/gates created',
      'deployment.apps/web created',
      'node/gate-1 created',
      'pod/gate-app created',
    ]);
    expect((await ok('apply -f -', all)).match(/ unchanged$/gm)).toHaveLength(5);
    const changed = await ok('apply -f -', [yurtAppSet('gate:2'), deployment('web:2')].join('---'));
    expect(changed).toBe('yurtappset.apps.openyurt.io/gates configured\ndeployment.apps/web configured');
    const image = '{.spec.template.spec.containers[0].image}';
    expect(await ok(['get', 'deploy', 'web', '-o', `jsonpath=${image}`])).toBe('web:2');
  });

  it('shows tables, wide ones too', async () => {
    const wide = await ok('get nodes,nodepools,yurtappsets,pods -o wide');
    expect(wide).toMatch(/^NAME +STATUS +ROLES +/m);
    expect(wide).toMatch(/^node\/gate-1 +Ready +/m);
    expect(wide).toMatch(/^nodepool\.apps\.openyurt\.io\/hangzhou +Edge +/m);
    expect(wide).toMatch(/^yurtappset\.apps\.openyurt\.io\/gates +/m);
    expect(wide).toMatch(/^pod\/gate-app +0\/1 +Pending .* gate-1/m);
    expect(await ok('get all')).toContain('deployment.apps/web');
    expect(await ok('get pods -A')).toMatch(/^NAMESPACE +NAME.*\ndefault +gate-app /);
    expect(await ok('get pods --show-labels')).toContain('app=gate');
  });

  it('prints objects as yaml, json, names and paths', async () => {
    expect(await ok('get np hangzhou -o yaml')).toContain('kind: NodePool');
    expect(JSON.parse(await ok('get node gate-1 -o json')).status.capacity.memory).toBe('512Mi');
    expect(await ok('get pods -o name')).toBe('pod/gate-app');
    expect(await ok(['get', 'node', 'gate-1', '-o', 'jsonpath={.status.conditions[0].reason}'])).toBe('RuntimeReady');
    expect(await ok('get pods --field-selector spec.nodeName=gate-1 -o name')).toBe('pod/gate-app');
    expect(await ok('get pods -l app=other -o name')).toBe('');
  });

  it('describes a node with its pods and a custom object with its fields', async () => {
    const described = await ok('describe node gate-1');
    expect(described).toMatch(/^Name: +gate-1$/m);
    expect(described).toMatch(/Ready +True +.*RuntimeReady/);
    expect(described).toMatch(/default +gate-app/);
    expect(await ok('describe pod gate-app')).toMatch(/^Node: +gate-1\//m);
    expect(await ok('describe nodepool hangzhou')).toMatch(/Region: +east/);
  });

  it('labels and annotates', async () => {
    expect(await ok('label node gate-1 zone=a')).toBe('node/gate-1 labeled');
    expect((await kubectl('label node gate-1 zone=b')).code).toBe(1);
    expect(await ok('label node gate-1 zone=b --overwrite')).toBe('node/gate-1 labeled');
    expect(await ok('annotate nodepool hangzhou note=hello')).toContain('annotated');
    expect(await ok('get nodes -l zone=b -o name')).toBe('node/gate-1');
    expect(await ok('label node gate-1 zone-')).toContain('unlabeled');
  });

  it('patches in each format, and is refused strategic merge on a custom kind', async () => {
    const env = '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"MORE","value":"1"}]}]}}}}';
    expect(await ok(['patch', 'deploy', 'web', '-p', env])).toBe('deployment.apps/web patched');
    const names = '{.spec.template.spec.containers[0].env[*].name}';
    expect((await ok(['get', 'deploy', 'web', '-o', `jsonpath=${names}`])).split(' ').sort()).toEqual(['MODE', 'MORE']);
    // A changed manifest changes what it names and keeps what others have added to the same lists.
    await ok('apply -f -', deployment('web:2').replace('value: plain', 'value: fancy'));
    const values = '{.spec.template.spec.containers[0].env[*].value}';
    expect((await ok(['get', 'deploy', 'web', '-o', `jsonpath=${values}`])).split(' ').sort()).toEqual(['1', 'fancy']);
    await ok(['patch', 'np', 'hangzhou', '--type=merge', '-p', '{"spec":{"labels":{"region":"west"}}}']);
    await ok([
      'patch',
      'np',
      'hangzhou',
      '--type=json',
      '-p',
      '[{"op":"add","path":"/spec/annotations","value":{"a":"b"}}]',
    ]);
    expect(await ok(['get', 'np', 'hangzhou', '-o', 'jsonpath={.spec.labels.region} {.spec.annotations.a}'])).toBe(
      'west b',
    );
    const strategic = await kubectl(['patch', 'np', 'hangzhou', '-p', '{}']);
    expect(strategic.code).toBe(1);
    expect(strategic.stderr).toContain('is not supported');
    const status = '{"status":{"conditions":[{"type":"DiskPressure","status":"False"}]}}';
    await ok(['patch', 'node', 'gate-1', '--subresource=status', '-p', status]);
    expect(await ok(['get', 'node', 'gate-1', '-o', 'jsonpath={.status.conditions[*].type}'])).toContain(
      'DiskPressure',
    );
  });

  it('cordons, taints, scales and waits', async () => {
    expect(await ok('cordon gate-1')).toBe('node/gate-1 cordoned');
    expect(await ok('get node gate-1')).toContain('Ready,SchedulingDisabled');
    expect(await ok('uncordon gate-1')).toBe('node/gate-1 uncordoned');
    expect(await ok('taint nodes gate-1 gone=yes:NoSchedule')).toBe('node/gate-1 tainted');
    expect(await ok('taint nodes gate-1 gone-')).toBe('node/gate-1 untainted');
    expect(await ok('scale deploy/web --replicas=5')).toBe('deployment.apps/web scaled');
    expect(await ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'])).toBe('5');
    expect(await ok('wait --for=condition=Ready node/gate-1 --timeout=10s')).toBe('node/gate-1 condition met');
    const late = await kubectl('wait --for=condition=Ready pod/gate-app --timeout=1s');
    expect(late.code).toBe(1);
    expect(late.stderr).toContain('timed out waiting');
  });

  it('tells a dry run and a difference from a change', async () => {
    expect(await ok('apply --dry-run=server -f -', deployment('web:9'))).toContain('(server dry run)');
    const diff = await kubectl('diff -f -', deployment('web:9'));
    expect(diff.code).toBe(1);
    expect(diff.stdout).toMatch(/^\+ +(- )?image: web:9$/m);
    const image = '{.spec.template.spec.containers[0].image}';
    expect(await ok(['get', 'deploy', 'web', '-o', `jsonpath=${image}`])).toBe('web:2');
  });

  it('explains fields of built-in and custom kinds', async () => {
    expect(await ok('explain nodepool.spec')).toMatch(/FIELDS:[\s\S]*\btype\b/);
    expect(await ok('explain pod.spec.containers')).toMatch(/\bimage\b/);
    expect(await ok('explain yurtappset.spec.workload')).toContain('workloadTweaks');
  });

  it('names the field that is wrong', async () => {
    const unknown = await kubectl(
      'apply -f -',
      nodePool.replace('hangzhou', 'odd').replace('  type:', '  tipe: x\n  type:'),
    );
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('unknown field "spec.tipe"');
    const unsupported = await kubectl('apply -f -', nodePool.replace('hangzhou', 'odd').replace('Edge', 'Moon'));
    expect(unsupported.code).toBe(1);
    expect(unsupported.stderr).toContain('spec.type: Invalid value: "Moon"');
    const noNamespace = await kubectl('apply -n nowhere -f -', pod.replace('  namespace: default\n', ''));
    expect(noNamespace.stderr).toContain('namespaces "nowhere" not found');
    expect((await kubectl('get pod nobody')).stderr).toContain('pods "nobody" not found');
  });

  it('applies at the server: owners, a conflict with its advice, and force', async () => {
    const config = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {mode: ${value}}\n`;
    const serverSide = 'apply --server-side -f -';
    expect(await ok(serverSide, config('free'))).toBe('configmap/owned serverside-applied');
    const refused = await kubectl(`${serverSide} --field-manager=other`, config('paid'));
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain('Apply failed with 1 conflict: conflict with "kubectl": .data.mode');
    expect(refused.stderr).toContain('--force-conflicts');
    const forced = await ok(`${serverSide} --field-manager=other --force-conflicts`, config('paid'));
    expect(forced).toBe('configmap/owned serverside-applied');
    const owners = '{range .metadata.managedFields[*]}{.manager} {.operation}{"\\n"}{end}';
    expect(await ok(['get', 'cm', 'owned', '--show-managed-fields', '-o', `jsonpath=${owners}`])).toBe('other Apply');
    expect(await ok('get cm owned -o yaml')).not.toContain('managedFields');
  });

  it('goes over from client-side to server-side apply, and the fields go with it', async () => {
    const config = (more: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\ndata: {a: "1"${more}}\n`;
    await ok('apply -f -', config(', b: "2"'));
    expect(await ok('apply --server-side -f -', config(', b: "2"'))).toBe('configmap/moved serverside-applied');
    // It has taken over what it applied before, so that it can take it away.
    expect(await ok('apply --server-side -f -', config(''))).toBe('configmap/moved serverside-applied');
    expect(await ok(['get', 'cm', 'moved', '-o', 'jsonpath={.data}'])).toBe('{"a":"1"}');
  });

  it('lists in chunks', async () => {
    for (const index of [1, 2, 3, 4, 5]) await ok(`create configmap chunk-${index} --from-literal=a=b`);
    const names = (await ok('get cm --chunk-size=2 -o name')).match(/chunk-\d$/gm);
    expect(names).toHaveLength(5);
    expect(await ok('get cm --chunk-size=2')).toMatch(/chunk-1 [\s\S]*chunk-5 /);
  });

  it('watches changes as they happen', async () => {
    const watching = startKubectl(options, 'get cm -w --output-watch-events');
    const written = new Written(watching.stdout!);
    try {
      await written.until('chunk-5');
      await ok('create configmap watched --from-literal=a=b');
      await ok('label cm watched x=y');
      await ok('delete cm watched');
      await written.until('DELETED');
      const lines = written.text.split('\n').filter((line) => line.includes('watched'));
      expect(lines.map((line) => line.split(/ +/, 1)[0])).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    } finally {
      watching.kill('SIGKILL');
    }
  });

  it('creates from the command line what its typed clients send as protobuf', async () => {
    expect(await ok('create namespace shop')).toBe('namespace/shop created');
    expect(await ok('-n shop create deployment till --image=till:1 --replicas=3 --port=80')).toContain('created');
    const path = '{.spec.replicas} {.spec.template.spec.containers[0].image}';
    expect(await ok(['-n', 'shop', 'get', 'deploy', 'till', '-o', `jsonpath=${path}`])).toBe('3 till:1');
    expect(await ok('-n shop create secret generic key --from-literal=a=b')).toBe('secret/key created');
    expect(await ok(['-n', 'shop', 'get', 'secret', 'key', '-o', 'jsonpath={.data.a}'])).toBe('Yg==');
    await ok('-n shop delete deploy till --cascade=orphan');
    await ok('delete namespace shop');
  });

  it('asks who it is and what it may do', async () => {
    expect(await ok('auth whoami')).toMatch(/Username +admin/);
    expect(await ok('auth can-i create pods')).toBe('yes');
  });

  it('drains a node of its pods', async () => {
    const draining = kubectl('drain gate-1 --force --timeout=15s');
    // No terminal is behind this node: what it would report, that the pod has ended, is done for it.
    await expect
      .poll(() => ok(['get', 'pod', 'gate-app', '-o', 'jsonpath={.metadata.deletionTimestamp}']))
      .not.toBe('');
    await ok('delete pod gate-app --grace-period=0 --force');
    expect(await draining).toMatchObject({ code: 0, stdout: expect.stringContaining('node/gate-1 drained') });
  });

  it('deletes', async () => {
    expect(await ok('delete deploy web')).toBe('deployment.apps "web" deleted');
    expect(await ok('delete cm --all')).toContain('"chunk-5" deleted');
    expect(await ok('delete -f -', [nodePool, yurtAppSet('gate:2'), node].join('---'))).toContain('"gates" deleted');
    const again = await kubectl('delete node gate-1');
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('nodes "gate-1" not found');
    expect(await ok('get nodes,nodepools,yurtappsets,pods -A')).toBe('');
  });
});
