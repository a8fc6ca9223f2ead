/**
 * What one round of scheduling sees: the fleet, plus the pods that this round has placed already. So pods of one
 * round spread over the nodes and never fill one twice, though their binding is written only after all decisions.
 */
import { keys, type Pod } from '../../protocol/kubernetes.ts';
import type { Fleet } from './fleet.ts';
import { addInto, requestsOfPod } from './quantity.ts';
import type { Candidate } from './scheduling.ts';
import { controllerOf } from './step.ts';

interface Seat {
  podCount: number;
  requested: Map<string, number>;
}

/** Pods of one owner on one node: all, and by template. */
interface Family {
  all: number;
  byTemplate: Map<string, number>;
}

export class SchedulingBoard {
  readonly #fleet: Fleet;
  readonly #seats = new Map<string, Seat>();
  /** By owner uid, then node name. */
  readonly #families = new Map<string, Map<string, Family>>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  candidatesFor(pod: Pod): Candidate[] {
    const family = this.#familyOf(pod);
    const template = templateOf(pod);
    return this.#fleet.nodesFor(pod).map((node) => {
      const { podCount, requested } = this.#seatOf(node.metadata.name);
      const relatives = family?.get(node.metadata.name);
      return {
        node,
        podCount,
        requested,
        siblings: relatives?.all ?? 0,
        twins: relatives?.byTemplate.get(template) ?? 0,
      };
    });
  }

  /** The pod counts there from now on. */
  place(pod: Pod, nodeName: string): void {
    const seat = this.#seatOf(nodeName);
    seat.podCount += 1;
    addInto(seat.requested, requestsOfPod(pod));
    const family = this.#familyOf(pod);
    if (family !== undefined) enlist(family, pod, nodeName);
  }

  #seatOf(nodeName: string): Seat {
    const known = this.#seats.get(nodeName);
    if (known !== undefined) return known;
    const { podCount, requested } = this.#fleet.loadOf(nodeName);
    const seat = { podCount, requested: new Map(requested) };
    this.#seats.set(nodeName, seat);
    return seat;
  }

  #familyOf(pod: Pod): Map<string, Family> | undefined {
    const owner = controllerOf(pod)?.uid;
    if (owner === undefined) return undefined;
    const known = this.#families.get(owner);
    if (known !== undefined) return known;
    const family = new Map<string, Family>();
    for (const sibling of this.#fleet.podsByOwner.of(owner)) {
      const nodeName = sibling.spec.nodeName ?? '';
      if (nodeName !== '' && sibling.metadata.deletionTimestamp === undefined) enlist(family, sibling, nodeName);
    }
    this.#families.set(owner, family);
    return family;
  }
}

function enlist(family: Map<string, Family>, pod: Pod, nodeName: string): void {
  const there = family.get(nodeName) ?? { all: 0, byTemplate: new Map<string, number>() };
  there.all += 1;
  there.byTemplate.set(templateOf(pod), (there.byTemplate.get(templateOf(pod)) ?? 0) + 1);
  family.set(nodeName, there);
}

function templateOf(pod: Pod): string {
  return pod.metadata.labels?.[keys.podTemplateHash] ?? '';
}
