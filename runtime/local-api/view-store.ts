/**
 * The node's view as a store to read and watch, with what this terminal knows itself laid over. It follows the
 * sections of the replica by looking at them: what a delta, a flip or a hub that sends everything again left as it
 * was is no change here. So one copy of each object serves any number of consumers, and losing or regaining the hub
 * tells them nothing but differences.
 *
 *   view change, local status → keys to look at → what differs → change log → watches
 *
 * Changes are counted from above those of earlier lives, as far as the clock knows; a list and a bookmark are of such a
 * revision. An object's own resourceVersion follows from what is stored, so that whoever lists again after a restart
 * finds what did not change unchanged. A watch resumes from either; where it cannot, it hears `E_REVISION_EXPIRED`.
 */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { scopes } from '../../protocol/messages.ts';
import { keyOf, parseKey } from '../../protocol/object-key.ts';
import type { ResourceKind } from '../../protocol/resources/kinds/resource-kind.ts';
import { ChangeAges } from '../../protocol/resources/store/change-ages.ts';
import { type Change, ChangeLog, stamped } from '../../protocol/resources/store/change-log.ts';
import { frozenCopy, sameJson } from '../../protocol/resources/store/json-value.ts';
import { pageOf } from '../../protocol/resources/store/page.ts';
import type {
  ListOptions,
  ListResult,
  ResourceReader,
  Revision,
  Watch,
  WatchHandler,
  WatchOptions,
} from '../../protocol/resources/store/resource-reader.ts';
import { compileFilter } from '../../protocol/resources/store/selector.ts';
import { tableKey } from '../../protocol/resources/store/sorted-keys.ts';
import { Watchers } from '../../protocol/resources/store/watchers.ts';
import { type Entry, sameBytes } from '../../protocol/section-content.ts';
import type { ReplicaSection, Sections, ViewChange } from '../../protocol/view-replica.ts';
import { DecodedObjects } from './decoded-objects.ts';
import { type LocalStatus, localOf, nameOf, OBJECT_NAMES, type ShownObject } from './shown-object.ts';
import { ViewTable } from './view-table.ts';

/** Changes that are kept for watches that resume. */
const LOG_ENTRIES_MAX = 2_048;
/** Encoded bytes that those changes keep alive. */
const LOG_BYTES_MAX = 4 * 1024 * 1024;
/** How many changes are dropped at a time. So many of the newest are kept however old they are (`ChangeAges`). */
const LOG_DROP_ENTRIES = 256;
/** Keys looked at, and objects decoded for a list, before the event loop gets its turn. */
const SLICE_KEYS = 256;
/** How often a list begins anew because the log has moved on under it. */
const LIST_TRIES_MAX = 3;
/** Revisions that one second of the clock stands for; so many starts in it share no revision but by chance. */
const REVISIONS_PER_SECOND = 2 ** 20;
/** Seconds since 1970 beyond which the revision would not be an exact number: the year 2106. */
const SECONDS_MAX = 2 ** 32 - 1;

/** Of two sections that hold an object of one name, the more special one is believed. */
const precedence: readonly number[] = [scopes.node, scopes.subscription, scopes.pool];

export interface ViewStoreOptions {
  kinds: readonly ResourceKind[];
  /** What the clock has certainly passed, wall-clock ms. */
  timeFloorMs?: number;
  /** What was known of objects before this life of the program. */
  statuses?: readonly (readonly [LocalObject, Json])[];
}

/** Which object a local status is of. */
export interface LocalObject {
  kind: Pick<ResourceKind, 'group' | 'kind'>;
  namespace?: string | undefined;
  name: string;
  /** Only while the object has this uid. */
  uid?: string | undefined;
}

export class ViewStore implements ResourceReader {
  readonly #env: Env;
  readonly #sections: Sections;
  readonly #decoded: DecodedObjects;
  /** By `KIND[.GROUP]`, as section keys begin. */
  readonly #tables: ReadonlyMap<string, { kindKey: string; table: ViewTable }>;
  readonly #local = new Map<string, LocalStatus>();
  readonly #log: ChangeLog;
  readonly #ages: ChangeAges;
  readonly #watchers: Watchers;
  /** Of the changes in the log: how their object is called, and where they are. */
  readonly #places = new Map<number, number>();
  /** Section keys that may have changed. */
  readonly #waiting = new Set<string>();
  #looking: Promise<void> | undefined;
  #revision: number;
  #logBytes = 0;

  constructor(env: Env, sections: Sections, { kinds, timeFloorMs = 0, statuses = [] }: ViewStoreOptions) {
    this.#env = { ...env, log: env.log.child({ svc: 'view-store' }) };
    this.#sections = sections;
    this.#decoded = new DecodedObjects(this.#env.log);
    this.#tables = new Map(
      kinds.map((kind) => [typeOf(kind), { kindKey: kindKeyOf(kind), table: new ViewTable(this.#decoded) }]),
    );
    this.#revision = firstRevision(env, timeFloorMs);
    this.#log = new ChangeLog(this.#revision);
    this.#ages = new ChangeAges(env.clock);
    this.#watchers = new Watchers(this.#env.log, this.#log, this.#revision);
    for (const [{ uid, ...of }, status] of statuses)
      this.#local.set(sectionKeyOf(of), { uid, status: frozenCopy(status), ended: false });
    this.#fill();
  }

  async get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    return this.#tables.get(typeOf(kind))?.table.get(tableKey(kind.namespaced ? namespace : undefined, name));
  }

  async list(kind: ResourceKind, options: ListOptions = {}): Promise<ListResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#list(kind, options);
      } catch (error) {
        const again = codeOf(error) === 'E_REVISION_EXPIRED' && options.continue === undefined;
        if (!again || tries >= LIST_TRIES_MAX) throw error;
      }
    }
  }

  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch {
    const from = this.#log.placeOf(this.#revisionOf(options.from), this.#revision);
    return this.#watchers.add(kindKeyOf(kind), from, compileFilter(kind, options), handler);
  }

  revision(): Revision {
    return String(this.#revision);
  }

  /** `change` has been applied to the sections. */
  viewChanged(change: ViewChange): void {
    switch (change.kind) {
      case 'view.delta':
        for (const key of change.deletes) this.#waiting.add(key);
        for (const { key } of change.puts) this.#waiting.add(key);
        break;
      case 'view.flip':
      case 'view.drop':
        this.#lookAtAll();
        break;
      case 'view.stage':
      case 'view.reset':
        return;
      default:
        change satisfies never;
    }
    this.#look();
  }

  /**
   * What this terminal knows of an object's status, in place of the hub's. Undefined: it will know no more; the last
   * status is shown for as long as the view has the object.
   */
  localStatus(of: LocalObject, status: Json | undefined): void {
    const key = sectionKeyOf(of);
    const known = this.#local.get(key);
    const sameObject = known !== undefined && known.uid === of.uid;
    if (status === undefined) {
      // The name may be another object's by now.
      if (sameObject) this.#local.set(key, { ...known, ended: true });
    } else if (!sameObject || known.ended || !sameJson(known.status, status))
      this.#local.set(key, { uid: of.uid, status: frozenCopy(status), ended: false });
    this.#waiting.add(key);
    this.#look();
  }

  /** Resolves when everything that was told before is shown. */
  async settled(): Promise<void> {
    while (this.#looking !== undefined) await this.#looking;
  }

  async #list(kind: ResourceKind, options: ListOptions): Promise<ListResult> {
    const held = this.#tables.get(typeOf(kind));
    if (held === undefined) return { items: [], revision: this.revision() };
    const matches = compileFilter(kind, options);
    const items: KubeObject[] = [];
    let rest = options;
    for (;;) {
      const page = pageOf(held.kindKey, held.table, this.#log, this.#revision, rest, matches, SLICE_KEYS);
      for (const item of page.items) items.push(item);
      if (page.continue === undefined || items.length === options.limit) return { ...page, items };
      rest = {
        ...options,
        continue: page.continue,
        ...(options.limit === undefined ? {} : { limit: options.limit - items.length }),
      };
      await this.#env.clock.sleep(0);
    }
  }

  /** The state that the store begins with: no change, for there was nothing before. */
  #fill(): void {
    const filled = new Map<ViewTable, Map<string, ShownObject>>();
    for (const { content } of [...this.#active()].reverse())
      for (const { key, bytes, hash } of content.entries()) {
        const place = this.#placeOf(key);
        if (place === undefined) continue;
        const shown = filled.get(place.table) ?? new Map<string, ShownObject>();
        const local = this.#local.get(key);
        filled.set(place.table, shown.set(place.key, { bytes, hash, local, revision: undefined }));
      }
    for (const [table, shown] of filled) table.fill([...shown]);
  }

  /** Looks at what waits: at once what is little, a slice at a time what is much. */
  #look(): void {
    if (this.#looking !== undefined) return;
    this.#lookSlice();
    if (this.#waiting.size > 0) this.#looking = this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#env.clock.sleep(0);
      this.#lookSlice();
    }
    this.#looking = undefined;
  }

  #lookSlice(): void {
    const sections = this.#active();
    let looked = 0;
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#lookAt(key, entryIn(sections, key));
      looked += 1;
      if (looked >= SLICE_KEYS) break;
    }
    this.#watchers.tell();
    this.#trim();
  }

  /** Everything that is shown and everything that is there. */
  #lookAtAll(): void {
    for (const [type, { table }] of this.#tables)
      for (const key of table.keys(undefined)) this.#waiting.add(`${type}/${key.replace('\0', '/')}`);
    for (const { content } of this.#active()) for (const { key } of content.entries()) this.#waiting.add(key);
  }

  #lookAt(sectionKey: string, entry: Entry | undefined): void {
    const place = this.#placeOf(sectionKey);
    if (place === undefined) return;
    const local = this.#local.get(sectionKey);
    const shown = place.table.shown(place.key);
    if (entry === undefined) {
      if (local?.ended) this.#local.delete(sectionKey);
      if (shown !== undefined) this.#change(place, shown, undefined);
      return;
    }
    const { bytes, hash } = entry;
    const next: ShownObject = { bytes, hash, local, revision: undefined };
    if (shown === undefined || !this.#isSame(shown, next)) this.#change(place, shown, next);
    else if (shown.local === local) shown.bytes = next.bytes;
    else place.table.set(place.key, { ...shown, bytes, local });
  }

  /** To its readers, who do not see where it comes from. */
  #isSame(shown: ShownObject, next: ShownObject): boolean {
    const sameContent = shown.bytes === next.bytes || sameBytes(shown.bytes, next.bytes);
    if (shown.local === next.local) return sameContent;
    const [left, right] = [this.#decoded.get(shown), this.#decoded.get(next)];
    if (left === undefined || right === undefined) return left === right;
    return sameJson(stamped(left, 0), stamped(right, 0));
  }

  #change(place: Place, previous: ShownObject | undefined, next: ShownObject | undefined): void {
    this.#revision += 1;
    const shown = next && this.#called(next);
    place.table.set(place.key, shown);
    const change = new ShownChange(this.#decoded, place, this.#revision, previous, shown);
    this.#log.append(change);
    this.#logBytes += change.sizeBytes;
  }

  /** A second change that would be called alike is called by its number: the name would mean two places. */
  #called(next: ShownObject): ShownObject {
    const object = next.local && this.#decoded.get(next);
    const name = nameOf(next, object && localOf(next, object));
    if (this.#places.has(name)) return { ...next, revision: this.#revision };
    this.#places.set(name, this.#revision);
    return next;
  }

  /** The place that a watch may name by the object that it heard of last. Errors: `E_REVISION_EXPIRED`. */
  #revisionOf(from: Revision): Revision {
    const named = Number(from);
    if (from === '' || !(named < OBJECT_NAMES)) return from;
    return String(this.#places.get(named) ?? named);
  }

  #trim(): void {
    const dropped = this.#dropOld() + this.#dropExcess();
    if (dropped === 0) return;
    for (const [called, place] of this.#places) {
      if (place > this.#log.floor) break;
      this.#places.delete(called);
    }
    this.#watchers.bookmark();
  }

  #dropOld(): number {
    const old = this.#ages.note(this.#revision);
    return old === undefined
      ? 0
      : this.#drop(Math.min(this.#log.countThrough(old), this.#log.length - LOG_DROP_ENTRIES));
  }

  #dropExcess(): number {
    if (this.#log.length <= LOG_ENTRIES_MAX && this.#logBytes <= LOG_BYTES_MAX) return 0;
    const lengthBefore = this.#log.length;
    while (this.#log.length > LOG_ENTRIES_MAX - LOG_DROP_ENTRIES || this.#logBytes > LOG_BYTES_MAX)
      if (this.#drop(LOG_DROP_ENTRIES) === 0) break;
    return lengthBefore - this.#log.length;
  }

  /** The oldest `count`, as far as everybody has heard of them; how many it were. */
  #drop(count: number): number {
    const dropped = count <= 0 ? [] : this.#log.drop(count, this.#watchers.told);
    for (const change of dropped) this.#logBytes -= (change as ShownChange).sizeBytes;
    return dropped.length;
  }

  /** Sections whose content was received whole, the ones to believe first. */
  #active(): ReplicaSection[] {
    return [...this.#sections.values()]
      .filter(({ incarnation }) => incarnation !== '')
      .sort((a, b) => precedence.indexOf(a.scope) - precedence.indexOf(b.scope));
  }

  /** Undefined for a kind that is not shown. */
  #placeOf(sectionKey: string): Place | undefined {
    const { kind, group, namespace, name } = parseKey(sectionKey);
    const held = this.#tables.get(typeOf({ kind, group }));
    return held && { ...held, key: tableKey(namespace, name) };
  }
}

interface Place {
  kindKey: string;
  table: ViewTable;
  key: string;
}

/** A change whose objects are made when somebody hears of it. */
class ShownChange implements Change {
  readonly revision: number;
  readonly kindKey: string;
  readonly key: string;
  readonly #decoded: DecodedObjects;
  readonly #previous: ShownObject | undefined;
  readonly #next: ShownObject | undefined;

  constructor(
    decoded: DecodedObjects,
    place: Place,
    revision: number,
    previous: ShownObject | undefined,
    next: ShownObject | undefined,
  ) {
    this.#decoded = decoded;
    this.kindKey = place.kindKey;
    this.key = place.key;
    this.revision = revision;
    this.#previous = previous;
    this.#next = next;
  }

  get sizeBytes(): number {
    return (this.#previous?.bytes.length ?? 0) + (this.#next?.bytes.length ?? 0);
  }

  get previous(): KubeObject | undefined {
    return this.#previous && this.#decoded.get(this.#previous);
  }

  get next(): KubeObject | undefined {
    return this.#next && this.#decoded.get(this.#next);
  }

  get object(): KubeObject {
    return this.next ?? stamped(this.previous!, this.revision);
  }
}

function entryIn(sections: readonly ReplicaSection[], key: string): Entry | undefined {
  for (const { content } of sections) {
    const entry = content.get(key);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Objects of all versions of a kind are one set. */
function kindKeyOf({ group, plural }: ResourceKind): string {
  return `${group}/${plural}`;
}

/** As a section key begins. */
function typeOf({ group, kind }: Pick<ResourceKind, 'group' | 'kind'>): string {
  return group === '' ? kind : `${kind}.${group}`;
}

function sectionKeyOf({ kind, namespace, name }: LocalObject): string {
  return keyOf({ kind: kind.kind, group: kind.group, namespace: namespace ?? '', name });
}

function firstRevision({ clock, random }: Env, timeFloorMs: number): number {
  const seconds = Math.min(Math.floor(Math.max(clock.now(), timeFloorMs, 0) / 1_000), SECONDS_MAX);
  return OBJECT_NAMES + seconds * REVISIONS_PER_SECOND + Math.floor(random.next() * REVISIONS_PER_SECOND);
}
