/**
 * M1: what was written apart comes together. At rest both sides of each twin show the same; a write that was answered
 * as durable is; and no durable local write of desired is lost but by the rule: it became desired at the hub, or a
 * conflict names it, or the hub had changed the same member by then. A member that was written again stands for what
 * was there before. Nothing is asked of writes to a twin that was deleted since, nor over a store of either side that
 * was put back or lost.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Json, Twin } from '../../../protocol/kubernetes.ts';
import type { Change } from '../../../protocol/resources/store/change-log.ts';
import type { Members } from '../../../protocol/twin/merge.ts';
import type { TwinRecord } from '../../../protocol/twin/node-twin.ts';
import type { NodeChange, NodeState } from '../../../runtime/store/node-state.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import type { SimNode } from '../sim-node.ts';
import { type LocalWrite, sharedMembers } from '../twin-app.ts';
import { OPERATOR } from '../twin-operator.ts';
import type { Verdicts } from './verdicts.ts';

export const TWINS = 'stile.dev/twins';

interface Written extends LocalWrite {
  uid: string;
  answered: boolean;
}

/** The first difference between the two sides of this node's twins; undefined: none. */
export function twinFault({ name, terminal }: SimNode, twins: readonly Twin[]): string | undefined {
  const held = new Set(terminal!.twins.list());
  for (const twin of twins) {
    const { name: id } = twin.metadata;
    if (!held.delete(id)) return `lacks the twin ${id}`;
    const { desired, reported } = terminal!.twins.get(id)!.document.properties;
    if (desired.$pending) return `has a write of ${id} that the hub has not dealt with`;
    const { spec, status = { desired: { version: 0, metadata: 0 }, applied: 0 } } = twin;
    if (desired.$version !== status.desired.version || !isDeepStrictEqual(membersOf(desired), spec.desired))
      return `shows another desired of ${id}: ${shown(desired)}, at the hub ${shown({ ...spec.desired, $version: status.desired.version })}`;
    if (status.floor !== undefined) return `was told what to go on from with ${id}, and has not`;
    if (
      reported.$version !== status.reported?.version ||
      !isDeepStrictEqual(membersOf(reported), status.reported?.value)
    )
      return `reports another ${id}: ${shown(reported)}, at the hub ${JSON.stringify(status.reported)}`;
  }
  const [extra] = [...held];
  return extra === undefined ? undefined : `${name} holds the twin ${extra}, which the hub does not have`;
}

function membersOf(section: Members): Members {
  return Object.fromEntries(Object.entries(section).filter(([key]) => !key.startsWith('$')));
}

function shown({ $metadata: _, ...section }: Members): string {
  return JSON.stringify(section);
}

export class M1Twins implements Observer {
  readonly #verdicts: Verdicts;
  /** Host to what its app wrote, in order. */
  readonly #written = new Map<string, Written[]>();
  /** `HOST TWIN` to what is durable there. */
  readonly #durable = new Map<string, TwinRecord>();
  /** What the hub had in desired, or named in a conflict, by twin and member. */
  readonly #dealtWith = new Set<string>();
  /** `UID MEMBER` to the last version at which the hub's own side changed it. */
  readonly #changedAtHub = new Map<string, number>();
  /** The Twins of the hub as they are durable. */
  #twins = new Map<string, Twin>();
  /** `UID VERSION` to desired, since the hub's store was last replaced. */
  readonly #versions = new Map<string, Json>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeOpened(host: string, { twins }: NodeState): void {
    for (const record of twins.values()) this.#durable.set(`${host} ${record.id}`, record);
  }

  nodeCommitted(host: string, changes: readonly NodeChange[]): void {
    for (const change of changes)
      if (change.kind === 'twin') this.#durable.set(`${host} ${change.record.id}`, change.record);
      else if (change.kind === 'twin.gone') this.#durable.delete(`${host} ${change.id}`);
  }

  nodeDiskLost(host: string): void {
    this.nodeStoreReplaced(host);
  }

  nodeStoreReplaced(host: string): void {
    this.#written.delete(host);
    for (const key of [...this.#durable.keys()]) if (key.startsWith(`${host} `)) this.#durable.delete(key);
  }

  twinWriteAsked(host: string, write: LocalWrite): void {
    const { record } = write;
    // A terminal that has not met the hub as it is now learns first what that has.
    if (record === undefined || !this.#isInStep(record)) return;
    const written = this.#written.get(host) ?? [];
    written.push({ ...write, uid: record.uid, answered: false });
    this.#written.set(host, written);
  }

  twinWritten(host: string, { value, twin, durable }: LocalWrite, sequence: number): void {
    const own = this.#written.get(host)?.find((each) => each.value === value);
    if (own !== undefined) own.answered = true;
    const kept = this.#durable.get(`${host} ${twin}`);
    if (!durable || kept === undefined) return;
    this.#verdicts.check(
      'M1',
      kept.sequence >= sequence,
      () => `${host}: the answer ${sequence} to a write of ${twin} was given when ${kept.sequence} was durable`,
    );
  }

  twinWriteRefused(host: string, { value }: LocalWrite): void {
    const written = this.#written.get(host) ?? [];
    this.#written.set(
      host,
      written.filter((each) => each.value !== value),
    );
  }

  hubStoreReplaced({ busy }: HubDiskState): void {
    this.#written.clear();
    this.#versions.clear();
    this.#twins.clear();
    for (const twin of busy.objects.get(TWINS)?.values() ?? []) this.#follow(undefined, twin as Twin);
  }

  /** What was durable when the power was cut, and told nobody any more. */
  hubOpened({ busy }: Pick<HubDiskState, 'busy'>): void {
    const held = new Map(
      [...(busy.objects.get(TWINS)?.values() ?? [])].map((twin) => [twin.metadata.name, twin as Twin]),
    );
    for (const [name, twin] of this.#twins) {
      const now = held.get(name);
      if (now === undefined) this.#twins.delete(name);
      else if (now.metadata.resourceVersion !== twin.metadata.resourceVersion) this.#follow(twin, now);
    }
    for (const [name, twin] of held) if (!this.#twins.has(name)) this.#follow(undefined, twin);
  }

  objectsCommitted(changes: readonly Change[]): void {
    for (const { kindKey, object, next, previous } of changes)
      if (kindKey === TWINS && next !== undefined) this.#follow(previous as Twin | undefined, next as Twin);
      else if (kindKey === TWINS) this.#twins.delete(object.metadata.name);
  }

  /** At rest. */
  settled(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      const twins = [...this.#twins.values()].filter(({ spec }) => spec.nodeName === node.name);
      const fault = twinFault(node, twins);
      this.#verdicts.check('M1', fault === undefined, () => `${node.name} ${fault}`);
      this.#settled(node.host.name);
    }
  }

  #settled(host: string): void {
    const places = Map.groupBy(this.#written.get(host) ?? [], ({ twin, member }) => `${twin} ${member}`);
    for (const writes of places.values()) {
      const last = writes.findLastIndex(({ answered, durable }) => answered && durable);
      const write = writes[last];
      if (write === undefined || this.#twins.get(write.twin)?.metadata.uid !== write.uid) continue;
      const holds = writes.slice(last).some((each) => this.#dealtWith.has(placeOf(each))) || this.#hubWasNewer(write);
      this.#verdicts.check('M1', holds, () => `${host}: the write ${write.value} of ${placeOf(write)} is lost`);
    }
  }

  #hubWasNewer({ uid, member, record }: Written): boolean {
    if (record?.managed === false) return false;
    return (this.#changedAtHub.get(`${uid} ${member}`) ?? 0) > record!.desired.version;
  }

  #isInStep({ uid, desired }: TwinRecord): boolean {
    return isDeepStrictEqual(this.#versions.get(`${uid} ${desired.version}`), desired.value);
  }

  #follow(previous: Twin | undefined, twin: Twin): void {
    const { name, uid = '' } = twin.metadata;
    const { spec, status } = twin;
    this.#twins.set(name, twin);
    const version = status?.desired.version ?? 0;
    this.#versions.set(`${uid} ${version}`, spec.desired);
    const before = previous?.metadata.uid === uid ? previous.spec.desired : {};
    for (const member of sharedMembers) {
      const value = spec.desired[member];
      if (value === before[member]) continue;
      if (value === undefined || String(value).startsWith(OPERATOR))
        this.#changedAtHub.set(`${uid} ${member}`, version);
      else this.#dealtWith.add(placeOf({ twin: name, member, value: String(value) }));
    }
    for (const { path, lost } of status?.conflicts ?? [])
      this.#dealtWith.add(placeOf({ twin: name, member: path, value: String(lost) }));
  }
}

const placeOf = ({ twin, member, value }: Pick<LocalWrite, 'twin' | 'member' | 'value'>): string =>
  `${twin} ${member} ${value}`;
