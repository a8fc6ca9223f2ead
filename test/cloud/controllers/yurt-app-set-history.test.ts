/** What a YurtAppSet asked for is kept under numbers, as OpenYurt keeps it. */
import { expect, test } from 'vitest';
import { workloadRevision } from '../../../cloud/controllers/effective-deployment.ts';
import { keepRevisions, type RevisionsView } from '../../../cloud/controllers/yurt-app-set-history.ts';
import type { ControllerRevision } from '../../../cloud/kinds/controller-revision.ts';
import { controllerRevisionKind } from '../../../cloud/kinds/registry.ts';
import { type Deployment, keys, type YurtAppSet } from '../../../protocol/kubernetes.ts';
import { appSet, deployment, withTweaks } from './objects.ts';

const asking = (replicas: number, spec: Partial<YurtAppSet['spec']> = {}): YurtAppSet =>
  withTweaks(appSet('gate', spec), [{ nodepoolSelector: {}, tweaks: { replicas } }]);

class Archive {
  records: ControllerRevision[] = [];
  currentName = '';
  deployments: Deployment[] = [];
  taken: string[] = [];

  /** Does the steps; a second look must give none. */
  look(yas: YurtAppSet): this {
    const view: RevisionsView = {
      yas,
      revisions: this.records,
      deployments: this.deployments,
      isRevision: (name) => this.taken.includes(name),
    };
    const { steps, currentName } = keepRevisions(view);
    for (const step of steps) {
      if (step.do === 'tell') continue;
      this.records = this.records.filter(({ metadata }) => metadata.name !== step.object.metadata.name);
      if (step.do !== 'delete') this.records.push(step.object as ControllerRevision);
    }
    this.currentName = currentName;
    expect(keepRevisions({ ...view, revisions: this.records })).toEqual({ steps: [], currentName });
    return this;
  }

  /** `revision replicas`, by revision. */
  history(): string[] {
    return [...this.records]
      .sort((one, other) => one.revision - other.revision)
      .map(({ revision, data }) => {
        const { workload } = data!.spec as unknown as YurtAppSet['spec'];
        return `${revision} ${workload.workloadTweaks![0]!.tweaks.replicas}`;
      });
  }
}

test('a workload gets a revision that holds it whole, marked as a replacement', () => {
  const yas = asking(1);
  const [record] = new Archive().look(yas).records;
  expect(record).toMatchObject({
    metadata: {
      name: `gate-${workloadRevision(yas)}`,
      labels: { [keys.revisionHash]: workloadRevision(yas), [keys.refYurtAppSet]: 'gate' },
      ownerReferences: [{ kind: 'YurtAppSet', name: 'gate', uid: 'uid-gate', controller: true }],
    },
    data: { spec: { workload: { ...yas.spec.workload, $patch: 'replace' } } },
    revision: 1,
  });
  expect(controllerRevisionKind.validate(record!, undefined)).toEqual([]);
});

test('an equal one of before is used again under the next number', () => {
  const archive = new Archive().look(asking(1)).look(asking(2)).look(asking(1));
  expect(archive.history()).toEqual(['2 2', '3 1']);
  expect(archive.currentName).toBe(`gate-${workloadRevision(asking(1))}`);
});

test('pools come and go without making one', () => {
  expect(new Archive().look(asking(1)).look(asking(1, { pools: ['east'] })).records).toHaveLength(1);
});

test('there are as many as the limit says, the present apart, and those that a Deployment still runs with', () => {
  const archive = new Archive();
  for (const replicas of [1, 2, 3, 4]) archive.look(asking(replicas, { revisionHistoryLimit: 2 }));
  expect(archive.history()).toEqual(['2 2', '3 3', '4 4']);
  const behind = deployment('gate-east');
  behind.metadata.labels = { [keys.revisionHash]: workloadRevision(asking(2)) };
  archive.deployments = [behind];
  for (const replicas of [5, 6]) archive.look(asking(replicas, { revisionHistoryLimit: 2 }));
  expect(archive.history()).toEqual(['2 2', '4 4', '5 5', '6 6']);
});

test('the cause of a change stays with its revision', () => {
  const because = (yas: YurtAppSet, cause: string) => ({
    ...yas,
    metadata: { ...yas.metadata, annotations: { [keys.changeCause]: cause } },
  });
  const archive = new Archive().look(because(asking(1), 'first')).look(because(asking(2), 'second'));
  expect(archive.records.map(({ metadata }) => metadata.annotations)).toEqual([
    { [keys.changeCause]: 'first' },
    { [keys.changeCause]: 'second' },
  ]);
});

test('a name that a predecessor left behind is not waited for', () => {
  const archive = new Archive();
  archive.taken = [`gate-${workloadRevision(asking(1))}`];
  expect(archive.look(asking(1)).currentName).toMatch(/^gate-[a-z0-9]{10}-[a-z0-9]{5}$/);
});
