/**
 * W1: a runtime ends a process only for a pod that the hub's store has, at some time, had as gone, ending, of another
 * spec or on another node, or whose node lost its identity. Losing or regaining the hub, restarts and stores that are
 * restored are no reason; but what a terminal's store knows nothing of after it was replaced goes before it is started
 * again.
 */
import { podKind } from '../../../cloud/kinds/registry.ts';
import type { KubeObject, Pod } from '../../../protocol/kubernetes.ts';
import type { Change } from '../../../protocol/resources/store/change-log.ts';
import { specHash } from '../../../runtime/workloads/spec-hash.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import type { SimProcess } from '../processes.ts';
import { ownerOf } from '../sim-programs.ts';
import type { Verdicts } from './verdicts.ts';

interface Known {
  nodeName: string;
  hash: string;
  /** The store gave a reason to end it. A terminal may learn of it late, so it holds for good. */
  mayEnd: boolean;
}

const podTable = `${podKind.group}/${podKind.plural}`;

export class W1Workloads implements Observer {
  readonly #verdicts: Verdicts;
  readonly #pods = new Map<string, Known>();
  /** Instances that ran when the store of their terminal was replaced. */
  readonly #unknown = new Set<string>();
  /** Terminals that were told to stop by their owner. */
  #stopping = false;

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  /** From now on terminals are being stopped on purpose. */
  stopping(): void {
    this.#stopping = true;
  }

  nodeStoreReplaced(_node: string, _state: unknown, living: readonly SimProcess[]): void {
    for (const { request } of living) this.#unknown.add(request.instanceId);
  }

  nodeRevoked(node: string): void {
    for (const known of this.#pods.values()) if (known.nodeName === node) known.mayEnd = true;
  }

  nodeEnrolled(node: string): void {
    this.nodeRevoked(node);
  }

  hubOpened({ usual }: HubDiskState): void {
    const pods = [...(usual.objects.get(podTable)?.values() ?? [])];
    const uids = new Set(pods.map(({ metadata }) => metadata.uid!));
    for (const [uid, known] of this.#pods) if (!uids.has(uid)) known.mayEnd = true;
    for (const pod of pods) this.#see(pod);
  }

  objectsCommitted(changes: readonly Change[]): void {
    for (const { kindKey, next, previous } of changes) {
      if (kindKey !== podTable) continue;
      const known = this.#pods.get(previous?.metadata.uid ?? '');
      if (known !== undefined && next?.metadata.uid !== previous?.metadata.uid) known.mayEnd = true;
      if (next !== undefined) this.#see(next);
    }
  }

  ending(node: string, process: SimProcess): void {
    if (this.#stopping) return;
    const { uid } = ownerOf(process.request);
    const known = this.#pods.get(uid);
    this.#verdicts.check(
      'W1',
      known === undefined || known.mayEnd || this.#unknown.has(process.request.instanceId),
      () =>
        `${node} ended process ${process.identity.pid} of ${process.request.logFile}, which the store still asks for`,
    );
  }

  #see(object: KubeObject): void {
    const pod = object as Pod;
    const { uid = '', deletionTimestamp } = pod.metadata;
    const { nodeName = '' } = pod.spec;
    const hash = specHash(pod);
    const known = this.#pods.get(uid);
    if (known === undefined) this.#pods.set(uid, { nodeName, hash, mayEnd: deletionTimestamp !== undefined });
    else {
      const moved = known.nodeName !== '' && known.nodeName !== nodeName;
      if (deletionTimestamp !== undefined || known.hash !== hash || moved) known.mayEnd = true;
      known.nodeName = nodeName;
    }
  }
}
