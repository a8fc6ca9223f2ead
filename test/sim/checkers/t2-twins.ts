/**
 * T2 for twins: versions of desired and reported of one twin never go back where they are stored, nor do sequences
 * where they are shown, and none ever means two contents; restarts included. A store that was put back or lost is
 * older: versions are counted anew from it, sequences are not. A new drive is a new machine.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Json, Twin } from '../../../protocol/kubernetes.ts';
import type { Change } from '../../../protocol/resources/store/change-log.ts';
import type { TwinRecord } from '../../../protocol/twin/node-twin.ts';
import type { NodeChange, NodeState } from '../../../runtime/store/node-state.ts';
import type { TwinView } from '../../../runtime/twins/twins.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import { TWINS } from './m1-twins.ts';
import type { Verdicts } from './verdicts.ts';

/** Owners of what is shown on a terminal. */
const SHOWN = 'shown by ';

interface Seen {
  version: number;
  content: unknown;
}

export class T2Twins implements Observer {
  readonly #verdicts: Verdicts;
  /** Owner, then what is counted, to the last that was seen. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  /** By host: of the life that runs. */
  readonly #epochs = new Map<string, string>();
  /** `NODE UID EPOCH VERSION` to the reported content that was made durable, and so may be told, under it. */
  readonly #reported = new Map<string, Json>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeOpened(host: string, { epoch, twins }: NodeState): void {
    this.#epochs.set(host, epoch);
    for (const record of twins.values()) this.#followRecord(host, record);
  }

  nodeCommitted(host: string, changes: readonly NodeChange[]): void {
    for (const change of changes) if (change.kind === 'twin') this.#followRecord(host, change.record);
  }

  nodeDiskLost(host: string): void {
    this.#seen.delete(host);
    this.#seen.delete(`${SHOWN}${host}`);
  }

  nodeStoreReplaced(host: string): void {
    this.#seen.delete(host);
  }

  twinShown(host: string, id: string, { sequence, document }: TwinView): void {
    this.#see(`${SHOWN}${host}`, `sequence of ${id}`, { version: sequence, content: document });
  }

  /** What was deleted since may come back, and terminals that dropped it begin it anew. */
  hubStoreReplaced({ busy }: HubDiskState): void {
    for (const owner of [...this.#seen.keys()]) if (!owner.startsWith(SHOWN)) this.#seen.delete(owner);
    this.#reported.clear();
    for (const twin of busy.objects.get(TWINS)?.values() ?? []) this.#followTwin(twin as Twin);
  }

  objectsCommitted(changes: readonly Change[]): void {
    for (const { kindKey, next } of changes)
      if (kindKey === TWINS && next !== undefined) this.#followTwin(next as Twin);
  }

  #followTwin({ metadata, spec, status }: Twin): void {
    const twin = `${metadata.name} ${metadata.uid}`;
    if (status === undefined) return;
    this.#see('hub', `desired of ${twin}`, { version: status.desired.version, content: spec.desired });
    const { reported } = status;
    if (reported !== undefined)
      this.#see('hub', `reported of ${twin}`, { version: reported.version, content: reported.value });
  }

  #followRecord(host: string, { id, uid, desired, reported }: TwinRecord): void {
    if (uid === '') return;
    const twin = `${id} ${uid}`;
    this.#see(host, `desired of ${twin}`, { version: desired.version, content: desired.value });
    this.#see(host, `reported of ${twin}`, { version: reported.version, content: reported.value });
    const name = `${host} ${uid} ${this.#epochs.get(host)} ${reported.version}`;
    const before = this.#reported.get(name);
    this.#verdicts.check(
      'T2',
      before === undefined || isDeepStrictEqual(before, reported.value),
      () => `${host}: version ${reported.version} of reported of ${id} means two contents in one epoch`,
    );
    this.#reported.set(name, reported.value);
  }

  #see(owner: string, what: string, now: Seen): void {
    const seen = this.#seen.get(owner) ?? new Map<string, Seen>();
    this.#seen.set(owner, seen);
    const before = seen.get(what);
    const isSame = before?.version === now.version;
    const holds =
      before === undefined || (isSame ? isDeepStrictEqual(before.content, now.content) : now.version > before.version);
    this.#verdicts.check('T2', holds, () =>
      isSame
        ? `${owner}: ${now.version} of ${what} means ${JSON.stringify(before?.content)} and ${JSON.stringify(now.content)}`
        : `${owner}: ${what} went from ${before?.version} back to ${now.version}`,
    );
    seen.set(what, now);
  }
}
