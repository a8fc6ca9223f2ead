/**
 * What a YurtAppSet asked for, as ControllerRevisions. A workload that was asked for before gets its old revision again
 * under a new number; pools come and go without making one. Source: OpenYurt, pkg/yurtmanager/controller/yurtappset.
 */
import { type Deployment, type Json, keys, type YurtAppSet } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import type { ControllerRevision } from '../kinds/controller-revision.ts';
import { controllerRevisionKind } from '../kinds/registry.ts';
import { refLabels, workloadRevision, yurtAppSetReference } from './effective-deployment.ts';
import { objectHash } from './object-hash.ts';
import type { Step } from './step.ts';

export interface RevisionsView {
  yas: YurtAppSet;
  /** Those it controls. */
  revisions: readonly ControllerRevision[];
  /** Those it controls: what one of them still runs with stays. */
  deployments: readonly Deployment[];
  /** A ControllerRevision of this name is there in its namespace, whoever's it is. */
  isRevision(name: string): boolean;
}

const historyLimitDefault = 10;

/** Steps to the history that there should be, and the name of the revision in force. Pure. */
export function keepRevisions(view: RevisionsView): { steps: Step[]; currentName: string } {
  const hash = workloadRevision(view.yas);
  const records = view.revisions.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const current = records.find((each) => hashOf(each) === hash);
  const olds = records.filter((each) => each !== current);
  const latest = Math.max(0, ...olds.map(({ revision }) => revision));
  const pruned = prune(olds, view);
  if (current === undefined) {
    const object = newRevision(view, hash, latest + 1);
    return {
      steps: [{ do: 'create', kind: controllerRevisionKind, object }, ...pruned],
      currentName: object.metadata.name,
    };
  }
  const annotations = { ...current.metadata.annotations, ...causeOf(view.yas) };
  const object: ControllerRevision = {
    ...current,
    metadata: { ...current.metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    revision: current.revision > latest ? current.revision : latest + 1,
  };
  const steps: Step[] = sameJson(object, current) ? [] : [{ do: 'update', kind: controllerRevisionKind, object }];
  return { steps: [...steps, ...pruned], currentName: current.metadata.name };
}

function newRevision({ yas, isRevision }: RevisionsView, hash: string, revision: number): ControllerRevision {
  const { namespace } = yas.metadata;
  const annotations = causeOf(yas);
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: revisionName(yas, hash, isRevision),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...refLabels(yas), [keys.revisionHash]: hash },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ownerReferences: [yurtAppSetReference(yas)],
    },
    data: { spec: { workload: { ...(yas.spec.workload as unknown as Record<string, Json>), $patch: 'replace' } } },
    revision,
  };
}

/** 253 bytes is the longest name. One that a predecessor left behind is told apart by the owner's uid. */
function revisionName({ metadata }: YurtAppSet, hash: string, isTaken: (name: string) => boolean): string {
  const name = `${metadata.name.slice(0, 230).replace(/[-.]+$/, '')}-${hash}`;
  return isTaken(name) ? `${name}-${objectHash(metadata.uid ?? '', 5)}` : name;
}

function causeOf({ metadata }: YurtAppSet): Record<string, string> {
  const cause = metadata.annotations?.[keys.changeCause];
  return cause === undefined ? {} : { [keys.changeCause]: cause };
}

function hashOf({ metadata }: ControllerRevision): string {
  return metadata.labels?.[keys.revisionHash] ?? '';
}

/** The oldest beyond the limit. */
function prune(olds: readonly ControllerRevision[], { yas, deployments }: RevisionsView): Step[] {
  const limit = Number(yas.spec.revisionHistoryLimit ?? historyLimitDefault);
  const inUse = new Set(deployments.map(({ metadata }) => metadata.labels?.[keys.revisionHash]));
  return olds
    .filter((each) => !inUse.has(hashOf(each)))
    .sort((one, other) => other.revision - one.revision)
    .slice(limit)
    .map((object): Step => ({ do: 'delete', kind: controllerRevisionKind, object }));
}
