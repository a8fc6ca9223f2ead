/**
 * How many pods of a Deployment to make and which to take away, by numbers and places alone.
 *
 * Three rules differ from a data centre's:
 * - A pod on a node that cannot be reached counts as it was last known and is not replaced by a new template while
 *   its node is away: it is *held*, and holds up nobody else. (Recreate holds nothing: no two templates at once.)
 * - Where maxUnavailable allows nothing and the surge pod fits on no node, an old pod in whose place it would fit
 *   makes way, one at a time. Else a pool of one full terminal would never be updated.
 * - A pod that fails as a whole is replaced after a pause that doubles.
 */
import { type Deployment, keys, type Node, type Pod } from '../../protocol/kubernetes.ts';
import { findCondition } from './condition.ts';
import { isReachable, meetsNodeSelector } from './node-fit.ts';

export interface DeploymentView {
  deployment: Deployment;
  /** All that it controls, ended and terminating ones too. */
  pods: readonly Pod[];
  node(name: string): Node | undefined;
  /** `pending` could be bound to the node of `old` if `old` were not there. */
  makesRoom(pending: Pod, old: Pod): boolean;
  nowMs: number;
}

export interface DeploymentPlan {
  createCount: number;
  remove: Pod[];
  /** Pods of an older template that wait for their node to come back. */
  held: Pod[];
  lookAgainMs?: number;
}

/** Ended pods that are kept for people to look at; older ones go. */
export const endedPodsKeptMax = 5;
/** Pods made in one go; the rest follows when they are there. */
export const createBurstMax = 500;
const failurePauseMinMs = 10_000;
const failurePauseMaxMs = 300_000;

/** What is to be done so that the pods become those that `templateHash` and the replicas ask for. Pure. */
export function planDeployment(view: DeploymentView, templateHash: string): DeploymentPlan {
  const { deployment, pods } = view;
  const active = pods.filter(isActive);
  const misplaced = active.filter((pod) => isMisplaced(pod, view));
  const placed = active.filter((pod) => !misplaced.includes(pod));
  const hasCurrentTemplate = (pod: Pod) => pod.metadata.labels?.[keys.podTemplateHash] === templateHash;
  const current = placed.filter(hasCurrentTemplate);
  const old = placed.filter((pod) => !hasCurrentTemplate(pod));
  const crew = { view, current, old };
  const moves = deployment.spec.strategy?.type === 'Recreate' ? recreate(crew, pods) : roll(crew);
  const remove = [...misplaced, ...moves.remove, ...surplusEnded(pods)];
  const createCount = Math.min(moves.createCount, createBurstMax);
  const pauseMs = createCount > 0 ? failurePauseMs(pods.filter(hasCurrentTemplate), view.nowMs) : 0;
  if (pauseMs > 0) return { createCount: 0, remove, held: moves.held, lookAgainMs: pauseMs };
  return { createCount, remove, held: moves.held };
}

/** Neither ended nor on its way out. */
export function isActive(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !hasEnded(pod);
}

/** Milliseconds until a ready pod counts as available; 0 when it does, undefined while it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const ready = findCondition(pod.status?.conditions, 'Ready');
  if (ready?.status !== 'True') return undefined;
  const sinceMs = nowMs - Date.parse(ready.lastTransitionTime ?? '');
  // A moment in the future, or none, says that a clock was wrong: then readiness alone decides.
  return sinceMs >= 0 ? Math.max(0, minReadySeconds * 1000 - sinceMs) : 0;
}

export function minReadySecondsOf(deployment: Deployment): number {
  return Number(deployment.spec.minReadySeconds ?? 0);
}

/** Absolute numbers of a rolling replacement; both zero would never move, so one may then be missing. */
export function rollingBounds(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const desired = deployment.spec.replicas ?? 1;
  const surge = share(maxSurge, desired, Math.ceil);
  const unavailable = Math.min(share(maxUnavailable, desired, Math.floor), desired);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function share(amount: number | string, whole: number, round: (value: number) => number): number {
  if (typeof amount === 'number') return amount;
  return round((Number.parseInt(amount, 10) * whole) / 100);
}

interface Crew {
  view: DeploymentView;
  current: Pod[];
  old: Pod[];
}

type Moves = Pick<DeploymentPlan, 'createCount' | 'remove' | 'held'>;

/** All old pods go first; a terminating one is there until its node says that it is gone. */
function recreate({ view, current, old }: Crew, pods: readonly Pod[]): Moves {
  const desired = view.deployment.spec.replicas ?? 1;
  if (old.length > 0) return { createCount: 0, remove: [...old, ...surplus(current, desired, view)], held: [] };
  const leaving = pods.some((pod) => pod.metadata.deletionTimestamp !== undefined && !hasEnded(pod));
  if (current.length >= desired) return { createCount: 0, remove: surplus(current, desired, view), held: [] };
  return { createCount: leaving ? 0 : desired - current.length, remove: [], held: [] };
}

/** Source of the arithmetic: kubernetes.io, "Deployments", Rolling Update Deployment. */
function roll(crew: Crew): Moves {
  const { view, current, old } = crew;
  const { replicas: desired = 1, paused = false } = view.deployment.spec;
  if (paused) return { ...balance([...current, ...old], desired, view), held: [] };
  const away = old.filter((pod) => isAway(pod, view));
  // One that is not needed even if it were never replaced goes like any other.
  const unneeded = pick(away, current.length + away.length - desired, view);
  const held = away.filter((pod) => !unneeded.includes(pod));
  const movable = old.filter((pod) => !away.includes(pod));
  const total = current.length + old.length - unneeded.length;
  const target = desired - held.length;
  const { maxSurge } = rollingBounds(view.deployment);
  const room = old.length > 0 ? desired + maxSurge - total : Number.POSITIVE_INFINITY;
  const createCount = Math.max(0, Math.min(target - current.length, room));
  const remove = [...unneeded, ...surplus(current, target, view), ...replaceable({ ...crew, old: movable }, total)];
  return { createCount, remove, held };
}

/** A paused Deployment keeps its number of pods. */
function balance(pods: Pod[], desired: number, view: DeploymentView): Pick<Moves, 'createCount' | 'remove'> {
  return { createCount: Math.max(0, desired - pods.length), remove: surplus(pods, desired, view) };
}

/** The old pods that may go now without leaving fewer available ones than the bounds allow. */
function replaceable(crew: Crew, total: number): Pod[] {
  const { view, current, old } = crew;
  if (old.length === 0) return [];
  const desired = view.deployment.spec.replicas ?? 1;
  const { maxUnavailable } = rollingBounds(view.deployment);
  const isAvailable = (pod: Pod) => availableInMs(pod, minReadySecondsOf(view.deployment), view.nowMs) === 0;
  const unavailableNew = current.filter((pod) => !isAvailable(pod)).length;
  const broken = old.filter((pod) => !isAvailable(pod));
  const working = old.filter(isAvailable);
  const available = view.pods.filter((pod) => isActive(pod) && !isMisplaced(pod, view) && isAvailable(pod)).length;
  const budget = Math.max(0, total - (desired - maxUnavailable) - unavailableNew);
  const brokenCount = Math.min(broken.length, budget);
  const workingCount = Math.max(0, Math.min(available - (desired - maxUnavailable), budget - brokenCount));
  const remove = [...pick(broken, brokenCount, view), ...pick(working, workingCount, view)];
  if (remove.length > 0) return remove;
  return wayFor(current, old, available - (desired - Math.max(1, maxUnavailable)), view);
}

/** At most `spare` old pods, each of which leaves its place to a new pod that fits nowhere. */
function wayFor(current: readonly Pod[], old: readonly Pod[], spare: number, view: DeploymentView): Pod[] {
  const way: Pod[] = [];
  for (const pending of current.filter(isUnschedulable)) {
    if (way.length >= spare) break;
    const one = old.find((pod) => !way.includes(pod) && view.makesRoom(pending, pod));
    if (one !== undefined) way.push(one);
  }
  return way;
}

function isUnschedulable(pod: Pod): boolean {
  const scheduled = findCondition(pod.status?.conditions, 'PodScheduled');
  return (pod.spec.nodeName ?? '') === '' && scheduled?.status === 'False' && scheduled.reason === 'Unschedulable';
}

function surplus(pods: readonly Pod[], wanted: number, view: DeploymentView): Pod[] {
  return pick(pods, pods.length - wanted, view);
}

/**
 * The `count` pods that are missed least: unbound, then on a cordoned or deleted node, then not ready, then on the
 * node that has most of them, then the youngest. Crowds are counted again after each choice, so what stays is even.
 */
export function pick(pods: readonly Pod[], count: number, view: Pick<DeploymentView, 'node'>): Pod[] {
  if (count <= 0) return [];
  const crowd = new Map<string, number>();
  for (const { spec } of pods) crowd.set(spec.nodeName ?? '', (crowd.get(spec.nodeName ?? '') ?? 0) + 1);
  const ranked = pods.map((pod) => ({ pod, rank: rankOf(pod, view) }));
  ranked.sort((one, other) => one.rank - other.rank || youngerFirst(one.pod, other.pod));
  const chosen: Pod[] = [];
  while (chosen.length < count && ranked.length > 0) {
    let best = 0;
    for (let index = 1; index < ranked.length && ranked[index]!.rank === ranked[0]!.rank; index += 1) {
      if (crowdOf(ranked[index]!.pod, crowd) > crowdOf(ranked[best]!.pod, crowd)) best = index;
    }
    const { pod } = ranked.splice(best, 1)[0]!;
    crowd.set(pod.spec.nodeName ?? '', crowdOf(pod, crowd) - 1);
    chosen.push(pod);
  }
  return chosen;
}

function crowdOf(pod: Pod, crowd: ReadonlyMap<string, number>): number {
  return crowd.get(pod.spec.nodeName ?? '') ?? 0;
}

function rankOf(pod: Pod, { node }: Pick<DeploymentView, 'node'>): number {
  if ((pod.spec.nodeName ?? '') === '') return 0;
  const home = node(pod.spec.nodeName!);
  if (home === undefined || home.spec?.unschedulable === true) return 1;
  return findCondition(pod.status?.conditions, 'Ready')?.status === 'True' ? 3 : 2;
}

function youngerFirst(one: Pod, other: Pod): number {
  const [first, second] = [one.metadata.creationTimestamp ?? '', other.metadata.creationTimestamp ?? ''];
  if (first !== second) return first > second ? -1 : 1;
  return one.metadata.name < other.metadata.name ? -1 : 1;
}

function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** Its node was relabelled, for instance into another pool. */
function isMisplaced(pod: Pod, view: DeploymentView): boolean {
  const home = view.node(pod.spec.nodeName ?? '');
  return home !== undefined && !meetsNodeSelector(pod.spec, home);
}

function isAway(pod: Pod, view: DeploymentView): boolean {
  const home = view.node(pod.spec.nodeName ?? '');
  return home !== undefined && !isReachable(home);
}

function surplusEnded(pods: readonly Pod[]): Pod[] {
  const ended = pods.filter((pod) => hasEnded(pod) && pod.metadata.deletionTimestamp === undefined);
  return ended.sort(youngerFirst).slice(endedPodsKeptMax);
}

/** How long to wait before another pod of this template is made, because the last ones failed. */
function failurePauseMs(pods: readonly Pod[], nowMs: number): number {
  const failed = pods.filter((pod) => pod.status?.phase === 'Failed').sort(youngerFirst);
  if (failed.length === 0) return 0;
  const pauseMs = Math.min(failurePauseMinMs * 2 ** (failed.length - 1), failurePauseMaxMs);
  const sinceMs = nowMs - Date.parse(failed[0]!.metadata.creationTimestamp ?? '');
  return sinceMs >= 0 && sinceMs < pauseMs ? pauseMs - sinceMs : 0;
}
