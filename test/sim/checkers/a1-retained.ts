/**
 * A1: what a terminal and its pods are known by survives every reboot, every restored store and every move.
 *
 * - A pod keeps its address and its user for its life on a terminal, and one that is made again under its name gets
 *   the same: both follow from namespace and name. Another is only allowed where a pod of another name had them.
 * - A pod runs under the name that the store gave it, on the node of that name.
 * - A terminal that has joined always wakes up with its identity, and never with a certificate that is older than one
 *   that it used; unless somebody emptied its identity's directory or its disk.
 */
import { X509Certificate } from 'node:crypto';
import type { NodeChange, NodeState } from '../../../runtime/store/node-state.ts';
import { choosePodAddress } from '../../../runtime/workloads/pod-address.ts';
import { choosePodUser, podUsersDefault } from '../../../runtime/workloads/pod-user.ts';
import type { SpawnRequest } from '../../../runtime/workloads/ports.ts';
import type { Observer } from '../observer.ts';
import type { SimProcess } from '../processes.ts';
import { ownerOf } from '../sim-programs.ts';
import type { Verdicts } from './verdicts.ts';

interface Marks {
  address: string;
  user: number | undefined;
}

/** Of one machine. */
interface Machine {
  /** By uid. */
  pods: Map<string, Marks>;
  /** Address or user to the names of the pods that had it, also of those that never started. */
  holders: Map<string | number, Set<string>>;
  /** Latest last. */
  certificates: string[];
}

export class A1Retained implements Observer {
  readonly #verdicts: Verdicts;
  readonly #machines = new Map<string, Machine>();
  /** PEM to what it says. */
  readonly #read = new Map<string, { serial: string; node: string }>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeDiskLost(node: string): void {
    const machine = this.#of(node);
    machine.pods.clear();
    machine.holders.clear();
  }

  /** What the copy does not know was accepted later and is accepted anew. */
  nodeStoreReplaced(node: string, state: NodeState | undefined): void {
    const { pods } = this.#of(node);
    for (const uid of pods.keys()) if (state?.pods.has(uid) !== true) pods.delete(uid);
  }

  nodeCommitted(node: string, changes: readonly NodeChange[]): void {
    const { holders } = this.#of(node);
    for (const change of changes) {
      if (change.kind !== 'pod') continue;
      const { namespace, name, podIP, user } = change.record;
      for (const mark of [podIP, user ?? ''])
        holders.set(mark, (holders.get(mark) ?? new Set<string>()).add(`${namespace}/${name}`));
    }
  }

  identityForgotten(node: string): void {
    this.#of(node).certificates = [];
  }

  identityHeld(node: string, certificatePem: string): void {
    const { certificates } = this.#of(node);
    const latest = certificates.at(-1);
    if (latest === certificatePem) return;
    const { serial, node: name } = this.#certificate(certificatePem);
    this.#verdicts.check(
      'A1',
      !certificates.includes(certificatePem),
      () => `${node} went back to its certificate ${serial}`,
    );
    const before = latest === undefined ? name : this.#certificate(latest).node;
    this.#verdicts.check('A1', name === before, () => `${node} was ${before} and is ${name}`);
    certificates.push(certificatePem);
  }

  spawning(node: string, request: SpawnRequest, _living: readonly SimProcess[]): void {
    const { POD_NAMESPACE: namespace = '', POD_NAME: name = '', POD_IP: address = '', NODE_NAME } = request.env;
    const { uid } = ownerOf(request);
    const own = `${namespace}/${name}`;
    const pod = `pod ${own} on ${node}`;
    const { pods, holders } = this.#of(node);
    this.#verdicts.check('A1', node.startsWith(NODE_NAME ?? '?'), () => `${pod} is told that it is on ${NODE_NAME}`);
    const before = pods.get(uid);
    const now = { address, user: request.user };
    const kept = before === undefined || (before.address === now.address && before.user === now.user);
    this.#verdicts.check('A1', kept, () => `${pod} had ${words(before)} and has ${words(now)}`);
    const first: Marks = {
      address: choosePodAddress(namespace, name, new Set()),
      user: choosePodUser(podUsersDefault, namespace, name, new Set()),
    };
    for (const mark of ['address', 'user'] as const) {
      const others = [...(holders.get(first[mark] ?? '') ?? [])].some((holder) => holder !== own);
      this.#verdicts.check(
        'A1',
        now[mark] === first[mark] || others,
        () => `${pod} has ${words(now)}, and by its name it should have ${words(first)}`,
      );
    }
    pods.set(uid, now);
  }

  #of(node: string): Machine {
    const machine = this.#machines.get(node) ?? { pods: new Map(), holders: new Map(), certificates: [] };
    this.#machines.set(node, machine);
    return machine;
  }

  #certificate(pem: string): { serial: string; node: string } {
    let known = this.#read.get(pem);
    if (known === undefined) {
      const { serialNumber, subject } = new X509Certificate(pem);
      known = { serial: serialNumber, node: /CN=(.*)/.exec(subject)?.[1] ?? '' };
      this.#read.set(pem, known);
    }
    return known;
  }
}

function words(marks: Marks | undefined): string {
  return `${marks?.address} and user ${marks?.user}`;
}
