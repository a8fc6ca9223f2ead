/** node, pool, token and image, each as a process against a hub that is one. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { CommandLine } from './command-line.ts';

let line: CommandLine;
beforeAll(async () => {
  line = await CommandLine.start();
  await line.ok(['pool', 'create', 'north', '--node-label', 'site=north', '--node-taint', 'gate=true:NoSchedule']);
});
afterAll(() => line?.stop());

describe('pool', () => {
  it('makes a NodePool with what its nodes get', async () => {
    const pool = JSON.parse(await line.ok(['get', 'nodepool', 'north', '-o', 'json']));
    expect(pool.spec).toMatchObject({
      type: 'Edge',
      labels: { site: 'north' },
      taints: [{ key: 'gate', value: 'true', effect: 'NoSchedule' }],
    });
    expect(await line.ok(['pool', 'list', '--no-headers'])).toMatch(/^north +Edge /);
    expect(await line.ok(['pool', 'describe', 'north'])).toMatch(/Nodes Ready: 0 of 0/);
  });

  it('refuses to make one twice and deletes it once', async () => {
    await line.ok(['pool', 'create', 'south']);
    expect((await line.run(['pool', 'create', 'south'])).stderr).toMatch(
      /^error: .*already exists.* \(E_CONFLICT\)\n$/,
    );
    expect(await line.ok(['pool', 'delete', 'south'])).toBe('nodepool.apps.openyurt.io/south deleted\n');
  });
});

describe('node', () => {
  const node = (name: string, ready: string) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'apps.openyurt.io/nodepool': 'north' } },
    status: { conditions: [{ type: 'Ready', status: ready, reason: 'NodeStatusUnknown' }] },
  });

  it('is cordoned and uncordoned, and says when it was already', async () => {
    await line.apply(JSON.stringify(node('gate-1', 'True')));
    expect(await line.ok(['node', 'cordon', 'gate-1'])).toBe('node/gate-1 cordoned\n');
    expect(await line.ok(['node', 'cordon', 'gate-1'])).toBe('node/gate-1 already cordoned\n');
    expect(JSON.parse(await line.ok(['get', 'node/gate-1', '-o', 'json'])).spec.unschedulable).toBe(true);
    expect(await line.ok(['node', 'uncordon', 'gate-1'])).toBe('node/gate-1 uncordoned\n');
    expect(JSON.parse(await line.ok(['get', 'node/gate-1', '-o', 'json'])).spec?.unschedulable ?? false).toBe(false);
  });

  it('that is away makes the deletion of its pod end with 4 and say why', async () => {
    await line.apply(JSON.stringify(node('gate-2', 'Unknown')));
    const spec = { nodeName: 'gate-2', containers: [{ name: 'main', image: 'gate:1' }] };
    await line.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'far' }, spec }));
    const { code, stderr } = await line.run(['delete', 'pod', 'far', '--timeout', '1s']);
    expect(code).toBe(4);
    expect(stderr).toMatch(/its node gate-2 is away .* \(E_NODE_OFFLINE\)\n$/);
    expect(await line.ok(['delete', 'pod', 'far', '--grace-period=0'])).toBe('pod/far deleted\n');
  });
});

describe('token', () => {
  it('is alone on the last line of stdout; the words are on stderr and do not hold it', async () => {
    const { code, stdout, stderr } = await line.run(['token', 'create', '--pool', 'north', '--node', 'gate-9']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^stile\S+\n$/);
    expect(stderr).toMatch(
      /stile-runtime --hub https:\/\/127\.0\.0\.1:\d+ --token "\$TOKEN" --name gate-9 --data-dir DIR/,
    );
    expect(stderr).not.toContain(stdout.trim());
  });

  it('is listed without its secret and deleted by the beginning of its id', async () => {
    const token = (await line.ok(['token', 'create', '--pool', 'north', '--ttl', '2h', '--uses', '3'])).trim();
    const text = await line.ok(['token', 'list', '-o', 'json']);
    const created = JSON.parse(text).items.find((item: { usesMax: number }) => item.usesMax === 3);
    expect(created).toMatchObject({ pool: 'north', replace: false, usesLeft: 3 });
    for (const part of token.split('.').slice(2)) expect(text).not.toContain(part);
    expect(await line.ok(['token', 'list'])).toMatch(
      new RegExp(`^${created.id} +north +<any> +no +3/3 +1(h59|19)m`, 'm'),
    );
    expect(await line.ok(['token', 'delete', created.id.slice(0, 8)])).toBe(`token/${created.id} deleted\n`);
    expect(await line.ok(['token', 'list', '-o', 'name'])).not.toContain(created.id);
  });

  it('for a pool that is not there is refused with what to do', async () => {
    const { code, stdout, stderr } = await line.run(['token', 'create', '--pool', 'nowhere']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: .*nowhere.* \(E_NOT_FOUND\)\n$/);
  });
});

describe('image', () => {
  it('is pushed from a folder, sent once, listed by its tag and forgotten', async () => {
    const folder = join(line.folder, 'gate');
    await mkdir(folder);
    await writeFile(join(folder, 'main.mjs'), 'console.log("open");\n');
    const push = ['image', 'push', folder, 'gate:1', '--entrypoint', '["node", "main.mjs"]'];
    const first = await line.run(push);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^gate:1@sha256:[0-9a-f]{64}\n$/);
    // No progress bar where no person looks.
    expect(first.stderr).not.toContain('\r');
    const again = await line.run(push);
    expect(again.stdout).toBe(first.stdout);
    expect(again.stderr).toContain('sent 0 B');
    expect(await line.ok(['image', 'list', '-o', 'name'])).toBe('gate:1\n');
    expect(await line.ok(['image', 'delete', 'gate:1'])).toBe('image/gate:1 deleted\n');
    expect((await line.run(['image', 'delete', 'gate:1'])).stderr).toMatch(/\(E_IMAGE_NOT_FOUND\)\n$/);
  });

  it('without anything to run is refused', async () => {
    const folder = join(line.folder, 'idle');
    await mkdir(folder);
    await writeFile(join(folder, 'data.txt'), 'no program');
    const { code, stderr } = await line.run(['image', 'push', folder, 'idle:1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/--entrypoint.* \(E_IMAGE_INVALID\)\n$/);
  });
});

describe('audit', () => {
  const records = async (...args: string[]) => JSON.parse(await line.ok(['audit', ...args, '-o', 'json'])).items;

  it('tells who wrote what, of objects and of the hub’s own things, also after a restart, and never a secret', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'gate' }, stringData: { word: 'sesame' } };
    await line.apply(JSON.stringify(secret));
    await line.apply(JSON.stringify({ ...secret, stringData: { word: 'simsim' } }));
    await line.ok(['delete', 'secret', 'gate']);
    const token = (await line.ok(['token', 'create', '--pool', 'north', '--node', 'gate-8'])).trim();
    await line.run(['node', 'revoke', 'nobody']);
    await line.stopHub();
    await line.startHub();
    const written = await records('--resource', 'secrets', '-n', 'default', 'gate');
    expect(written).toMatchObject([
      { verb: 'create', resource: 'secrets', namespace: 'default', name: 'gate', code: 201, version: 'v1' },
      {
        verb: 'patch',
        code: 200,
        user: 'stile-admin',
        groups: ['system:masters'],
        sourceAddress: expect.stringContaining('127.0.0.1'),
      },
      { verb: 'delete', code: 200 },
    ]);
    const own = await records('--user', 'stile-admin', '--since', '1h');
    expect(own).toContainEqual(expect.objectContaining({ verb: 'create', resource: 'tokens', code: 201 }));
    expect(own).toContainEqual(
      expect.objectContaining({ verb: 'revoke', resource: 'nodes', name: 'nobody', code: 404 }),
    );
    const text = JSON.stringify(own);
    for (const part of ['sesame', 'simsim', ...token.split('.').slice(2)]) {
      expect(text).not.toContain(part);
      expect(text).not.toContain(Buffer.from(part).toString('base64'));
    }
  });

  it('shows the newest in a table, and says that there were more', async () => {
    await line.apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'last' } }));
    const { stdout, stderr } = await line.run(['audit', '-l', '1']);
    expect(stdout).toMatch(
      /^TIME +USER +FROM +VERB +RESOURCE +NAMESPACE +NAME +CODE +BYTES\n.*configmaps +default +last +201 +\d+\n$/,
    );
    expect(stderr).toMatch(/^the newest 1 of \d+ records: --limit shows more\n$/);
    expect((await line.run(['audit', '--user', 'nobody'])).stderr).toMatch(/^No records since .*Z, user nobody\n$/);
    expect((await line.run(['audit', '-o', 'wide'])).code).toBe(2);
  });
});

describe('kubeconfig', () => {
  it('may name another server for the hub’s endpoints than for the API', async () => {
    const config = parse(await readFile(line.kubeconfig, 'utf8'));
    const hub = config.clusters[0].cluster.server;
    config.clusters[0].cluster.server = 'https://127.0.0.1:1';
    config.clusters[0].cluster.extensions = [{ name: 'stile.dev/hub', extension: { server: hub } }];
    const path = join(line.folder, 'split.kubeconfig');
    await writeFile(path, stringify(config));
    expect((await line.run(['token', 'list', '--kubeconfig', path])).code).toBe(0);
    expect((await line.run(['get', 'pods', '--kubeconfig', path])).code).toBe(3);
  });

  it('files of KUBECONFIG are merged, the first wins, missing ones are passed over, --context chooses', async () => {
    const config = parse(await readFile(line.kubeconfig, 'utf8'));
    const [cluster] = config.clusters;
    const away = { ...cluster, cluster: { ...cluster.cluster, server: 'https://127.0.0.1:1' } };
    const second = {
      ...config,
      clusters: [away, { ...away, name: 'away' }],
      contexts: [{ name: 'away', context: { cluster: 'away', user: config.users[0].name } }],
      'current-context': 'away',
    };
    const path = join(line.folder, 'second.kubeconfig');
    await writeFile(path, stringify(second));
    const env = { KUBECONFIG: ['/nonexistent/file', line.kubeconfig, path].join(':') };
    expect((await line.run(['get', 'ns'], { env })).code).toBe(0);
    expect((await line.run(['get', 'ns', '--context', 'away'], { env })).code).toBe(3);
    const unknown = await line.run(['get', 'ns', '--context', 'nobody'], { env });
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/there is no context nobody .* stile, away \(E_INPUT_INVALID\)\n$/);
  });

  it('with another authority is not trusted, and one without a certificate is not let in', async () => {
    const config = parse(await readFile(line.kubeconfig, 'utf8'));
    const other = await CommandLine.start();
    try {
      const foreign = parse(await readFile(other.kubeconfig, 'utf8'));
      const path = join(line.folder, 'foreign.kubeconfig');
      foreign.clusters[0].cluster.server = config.clusters[0].cluster.server;
      await writeFile(path, stringify(foreign));
      const untrusted = await line.run(['get', 'ns', '--kubeconfig', path]);
      expect(untrusted.code).toBe(1);
      expect(untrusted.stderr).toMatch(/\(E_IDENTITY_UNTRUSTED\)\n$/);
    } finally {
      await other.stop();
    }
    config.users[0].user = {};
    const anonymous = join(line.folder, 'anonymous.kubeconfig');
    await writeFile(anonymous, stringify(config));
    const refused = await line.run(['get', 'ns', '--kubeconfig', anonymous]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^error: .* \(E_(FORBIDDEN|IDENTITY_REFUSED)\)\n$/);
  });
});
