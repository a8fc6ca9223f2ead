/** `stile rollout`: how far a rollout is, what ran before, and back to it with what that means in each pool. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences } from '../../../cloud/cli/app-set-change.ts';
import { type Revision, standingOfRollout, undoTarget } from '../../../cloud/cli/rollout-history.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { CommandLine } from './command-line.ts';

const deploymentWith = (status: object, spec: object = {}, generation = 1) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation },
    spec: { replicas: 2, ...spec },
    status: { observedGeneration: 1, ...status },
  }) as unknown as KubeObject;
const progressing = (reason: string) => ({
  conditions: [{ type: 'Progressing', status: 'True', reason, message: 'm' }],
});

describe('how far a Deployment is', () => {
  const whole = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  it.each([
    ['not looked at yet', deploymentWith(whole, {}, 2), 'underWay', false],
    ['too few new pods', deploymentWith({ ...whole, updatedReplicas: 1 }), 'underWay', false],
    ['old pods left', deploymentWith({ ...whole, replicas: 3 }), 'underWay', false],
    ['not available', deploymentWith({ ...whole, availableReplicas: 1 }), 'underWay', false],
    ['over', deploymentWith(whole), 'done', false],
    ['terminals away', deploymentWith({ ...whole, ...progressing('WaitingForNodes') }), 'underWay', true],
    ['stuck', deploymentWith({ ...whole, ...progressing('ProgressDeadlineExceeded') }), 'failed', false],
  ])('%s', (_case, object, state, nodesAway) => {
    expect(standingOfRollout(object)).toMatchObject({ state, nodesAway });
  });
});

it('an undo goes to the revision before the latest, or says that there is none', () => {
  const revision = (number: number) => ({ number }) as Revision;
  expect(undoTarget([revision(2), revision(5)], undefined).number).toBe(2);
  expect(undoTarget([revision(2), revision(5)], 5).number).toBe(5);
  for (const [known, wanted] of [
    [[revision(5)], undefined],
    [[revision(2), revision(5)], 3],
  ] as const)
    expect(() => undoTarget(known, wanted)).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
});

it('differences name the deepest member that differs', () => {
  expect(differences({ a: [{ b: 1 }], c: 'x' }, { a: [{ b: 2 }, 3], c: 'x' }, 'spec')).toEqual([
    'spec.a[0].b: 1 -> 2',
    'spec.a[1]: <none> -> 3',
  ]);
  expect(differences(undefined, { a: 1 }, 'spec')).toEqual(['spec: <none> -> {"a":1}']);
});

const template = (image: string) => `
        selector: {matchLabels: {app: gate}}
        replicas: 0
        template:
          metadata: {labels: {app: gate}}
          spec: {containers: [{name: main, image: "${image}"}]}`;

const deployment = (image: string, cause: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: ${cause}}}
spec:${template(image).replace(/\n {8}/g, '\n  ')}
`;

const appSet = (image: string) => `
apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata: {name: gate}
spec:
  nodepoolSelector: {}
  workload:
    workloadTemplate:
      deploymentTemplate:
        metadata: {labels: {app: gate}}
        spec:${template(image).replace(/\n/g, '\n  ')}
    workloadTweaks:
      - pools: [south]
        tweaks: {containerImages: [{name: main, targetImage: "gate:fixed"}]}
`;

describe('against a hub', () => {
  let line: CommandLine;
  beforeAll(async () => {
    line = await CommandLine.start();
    for (const pool of ['north', 'south']) await line.ok(['pool', 'create', pool]);
  });
  afterAll(() => line?.stop());

  const over = (what: string) => line.ok(['rollout', 'status', what, '--timeout', '20s']);
  const json = async (what: string) => JSON.parse(await line.ok(['get', what, '-o', 'json']));
  /** Of a field of the object, however long its controller takes. */
  const apply = async (manifest: string, what: string) => {
    await line.apply(manifest);
    expect(await over(what)).toContain('successfully rolled out');
  };

  it('a Deployment goes back to what it was', async () => {
    await apply(deployment('gate:1', 'first'), 'deploy/web');
    await apply(deployment('gate:2', 'second'), 'deploy/web');
    expect(await line.ok(['rollout', 'history', 'deploy/web'])).toBe(
      'deployment.apps/web\nREVISION   CHANGE-CAUSE\n1          first\n2          second\n',
    );
    expect(await line.ok(['rollout', 'history', 'deploy', 'web', '--revision', '1'])).toContain('image: gate:1');
    expect(await line.ok(['rollout', 'undo', 'deploy/web'])).toBe('deployment.apps/web rolled back to revision 1\n');
    await over('deploy/web');
    const { metadata, spec } = await json('deploy/web');
    expect(spec.template.spec.containers[0].image).toBe('gate:1');
    expect(metadata.annotations).toMatchObject({
      'kubernetes.io/change-cause': 'first',
      'deployment.kubernetes.io/revision': '3',
    });
    expect(await line.ok(['rollout', 'undo', 'deploy/web', '--to-revision', '3'])).toContain('skipped rollback');
    expect(await line.run(['rollout', 'undo', 'deploy/web', '--to-revision', '9'])).toMatchObject({ code: 1 });
  });

  it('a Deployment is restarted, and not undone while it is paused', async () => {
    expect(await line.ok(['rollout', 'restart', 'deploy/web'])).toBe('deployment.apps/web restarted\n');
    await over('deploy/web');
    expect((await json('deploy/web')).metadata.annotations['deployment.kubernetes.io/revision']).toBe('4');
    await line.apply(`${deployment('gate:1', 'third')}  paused: true\n`);
    expect((await line.run(['rollout', 'undo', 'deploy/web'])).stderr).toContain('is paused');
  });

  it('a YurtAppSet goes back, and it is shown what that means in each pool', async () => {
    await apply(appSet('gate:1'), 'yas/gate');
    await apply(appSet('gate:2'), 'yas/gate');
    expect(await line.ok(['rollout', 'history', 'yas/gate'])).toMatch(/\n1 +<none>\n2 +<none>\n$/);
    const shown = await line.run(['rollout', 'undo', 'yas/gate', '--dry-run']);
    const lines = 'pool north, 0 nodes:\n  spec.template.spec.containers[0].image: "gate:2" -> "gate:1"\n';
    expect(shown, 'south has an image of its own').toMatchObject({ code: 0, stderr: lines });
    expect((await json('yas/gate')).status.currentRevision).toBe(await nameOfRevision(2));
    expect(await line.ok(['rollout', 'undo', 'yas/gate'])).toContain('rolled back to revision 1\n');
    await over('yas/gate');
    expect((await json('yas/gate')).status.currentRevision).toBe(await nameOfRevision(3));
    expect(await line.ok(['rollout', 'history', 'yas/gate'])).toMatch(/\n2 +<none>\n3 +<none>\n$/);
  });

  it('diff shows what an apply would change, in each pool too, and changes nothing', async () => {
    const asked = (manifest: string) => line.run(['diff', '-f', '-'], { input: manifest });
    expect(await asked(appSet('gate:1'))).toMatchObject({ code: 0, stdout: '' });
    const image = 'spec.template.spec.containers[0].image: "gate:1" -> "gate:7"\n';
    const differing = await asked(appSet('gate:7'));
    expect(differing.stdout).toContain(`yurtappset.apps.openyurt.io/gate\n  spec.workload.`);
    expect(differing.stdout).toMatch(new RegExp(`\n  pool north, 0 nodes:\n    ${image.replace(/[[\]]/g, '\\$&')}$`));
    expect(differing.code).toBe(1);
    const another = await asked(appSet('gate:7').replace('name: gate}\nspec', 'name: other}\nspec'));
    expect(another).toMatchObject({ code: 1 });
    expect(another.stdout).toMatch(/other\n {2}does not exist and would be created\n {2}pool north, 0 nodes:\n/);
    expect(await line.run(['get', 'yas/other'])).toMatchObject({ code: 1 });
    expect(await asked(appSet('gate:7').replace('nodepoolSelector', 'poolSelector'))).toMatchObject({ code: 2 });
    expect(await asked(appSet('gate:1'))).toMatchObject({ code: 0 });
  });

  it('diff says where a Secret differs, not how', async () => {
    const secret = (word: string) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { word } });
    await line.apply(secret('open'));
    const { stdout, code } = await line.run(['diff', '-f', '-'], { input: secret('sesame') });
    expect(code).toBe(1);
    expect(stdout).toContain('data.word: (not shown)');
    for (const word of ['open', 'sesame']) {
      expect(stdout).not.toContain(word);
      expect(stdout).not.toContain(Buffer.from(word).toString('base64'));
    }
  });

  it('what a YurtAppSet made is not undone below it', async () => {
    const { items } = await json('deploy');
    const own = items.find(({ metadata }: KubeObject) => metadata.name.startsWith('gate-north-'));
    const refused = await line.run(['rollout', 'undo', `deploy/${own.metadata.name}`]);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('is made by yurtappset/gate: name that instead');
  });

  it('a rollout that does not end is told in time', async () => {
    await line.apply(deployment('gate:5', 'fifth').replace('replicas: 0', 'replicas: 1'));
    const late = await line.run(['rollout', 'status', 'deploy/web', '--timeout', '300ms']);
    expect(late).toMatchObject({ code: 3 });
    expect(late.stderr).toMatch(/E_TIMEOUT/);
    expect(await line.run(['rollout', 'status', 'nodes/a'])).toMatchObject({ code: 2 });
  });

  async function nameOfRevision(number: number): Promise<string> {
    const { items } = await json('controllerrevisions');
    return items.find(({ revision }: { revision: number }) => revision === number).metadata.name;
  }
});
