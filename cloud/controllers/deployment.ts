/** Pods of a Deployment, made directly; its ReplicaSets are records of what it ran with, see `deployment-history.ts`. */
import { type Deployment, keys, type Pod, type PodTemplate } from '../../protocol/kubernetes.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import { deploymentKind, podKind } from '../kinds/registry.ts';
import type { ReplicaSet } from '../kinds/replica-set.ts';
import { findCondition } from './condition.ts';
import { keepHistory, ownerReference, templateInForce } from './deployment-history.ts';
import { type DeploymentView, planDeployment } from './deployment-plan.ts';
import { deploymentStatus, isAtRest } from './deployment-status.ts';
import { objectHash } from './object-hash.ts';
import { type Outcome, type Step, settled, sooner } from './step.ts';

export interface DeploymentInput extends DeploymentView {
  /** Those it controls. */
  replicaSets: readonly ReplicaSet[];
  /** A ReplicaSet of this name is there in the Deployment's namespace, whoever's it is. */
  isReplicaSet(name: string): boolean;
  /** Chance, as text: names of new pods follow from it. */
  seed: string;
}

/** The pods, the history, then the status. When the Deployment itself is going, its pods are left to garbage collection. */
export function reconcileDeployment(input: DeploymentInput): Outcome {
  const { deployment, pods, nowMs } = input;
  if (deployment.metadata.deletionTimestamp !== undefined) return settled;
  const hash = templateHash(deployment);
  const plan = planDeployment(input, hash);
  const made = templateInForce(deployment, hash, input.replicaSets);
  const sample = podOf(deployment, made, `${deployment.metadata.name}-${made.hash}`);
  const faults = plan.createCount > 0 ? podKind.validate(sample, undefined) : [];
  const created = faults.length > 0 ? [] : newPods(input, made, plan.createCount);
  const failure = faults.length > 0 ? faultsText(faults) : undefined;
  const { status, changed, lookAgainMs } = deploymentStatus({
    deployment,
    pods,
    templateHash: hash,
    plan,
    failure,
    nowMs,
  });
  const steps: Step[] = [
    ...plan.remove.map((object): Step => ({ do: 'delete', kind: podKind, object })),
    ...created.map((object): Step => ({ do: 'create', kind: podKind, object })),
    ...keepHistory({
      deployment,
      pods,
      replicaSets: input.replicaSets,
      templateHash: hash,
      heldCount: plan.held.length,
      atRest: isAtRest(deployment, status),
      isNameTaken: input.isReplicaSet,
      nowMs,
    }),
    ...tellings(deployment, made.hash, created.length, plan.remove.length),
    ...(isNews(deployment, failure) ? [tell(deployment, 'Warning', 'FailedCreate', failure!)] : []),
  ];
  if (changed) steps.push({ do: 'updateStatus', kind: deploymentKind, object: { ...deployment, status } });
  const lookAgain = sooner(plan.lookAgainMs, lookAgainMs);
  return lookAgain === undefined ? { steps } : { steps, lookAgainMs: lookAgain };
}

/** Ten characters for the template as written; a label of the hash itself does not count. */
export function templateHash({ spec }: Deployment): string {
  const { [keys.podTemplateHash]: _own, ...labels } = spec.template.metadata?.labels ?? {};
  return objectHash({ ...spec.template, metadata: { ...spec.template.metadata, labels } }, 10);
}

/** What a new pod is made of. */
interface Made {
  template: PodTemplate;
  hash: string;
}

/** Names that nobody has, five characters each from the seed. */
function newPods(input: DeploymentInput, made: Made, count: number): Pod[] {
  const { hash } = made;
  const taken = new Set(input.pods.map(({ metadata }) => metadata.name));
  const pods: Pod[] = [];
  for (let attempt = 0; pods.length < count; attempt += 1) {
    const name = `${input.deployment.metadata.name}-${hash}-${objectHash([input.seed, hash, attempt], 5)}`;
    if (taken.has(name)) continue;
    taken.add(name);
    pods.push(podOf(input.deployment, made, name));
  }
  return pods;
}

function podOf(deployment: Deployment, { template, hash }: Made, name: string): Pod {
  const { metadata } = deployment;
  const { labels, annotations } = template.metadata ?? {};
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...labels, [keys.podTemplateHash]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [ownerReference(deployment)],
    },
    spec: template.spec,
  };
  return podKind.defaults(pod) as Pod;
}

function tellings(deployment: Deployment, hash: string, created: number, removed: number): Step[] {
  const steps: Step[] = [];
  const pods = (count: number) => `${count} ${count === 1 ? 'pod' : 'pods'}`;
  if (created > 0) {
    steps.push(tell(deployment, 'Normal', 'SuccessfulCreate', `Created ${pods(created)} of template ${hash}`));
  }
  if (removed > 0) steps.push(tell(deployment, 'Normal', 'SuccessfulDelete', `Deleted ${pods(removed)}`));
  return steps;
}

function tell(about: Deployment, type: 'Normal' | 'Warning', reason: string, message: string): Step {
  return { do: 'tell', about, type, reason, message };
}

function isNews({ status }: Deployment, failure: string | undefined): boolean {
  const conditions = status?.conditions as [] | undefined;
  return failure !== undefined && findCondition(conditions, 'ReplicaFailure')?.message !== failure;
}

function faultsText(faults: readonly FieldFault[]): string {
  return faults.map(({ field, message }) => `${field}: ${message}`).join(', ');
}
