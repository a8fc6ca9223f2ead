/**
 * Who owns which fields of an object: what an apply and what any other write makes of `metadata.managedFields`. Pure.
 * Source: kubernetes.io, "Server-Side Apply"; meta/v1 ManagedFieldsEntry.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { refuse, type StatusError } from '../../protocol/resources/api/status.ts';
import { timestampOf } from '../store/object-rules.ts';
import { merged, without } from './apply-merge.ts';
import { changeBetween, fieldsOf, isObject, ownable, type Part } from './field-change.ts';
import {
  common,
  type FieldSet,
  fieldSetOf,
  fieldsV1Of,
  isEmpty,
  minus,
  noFields,
  pathsOf,
  sameFields,
  union,
} from './field-set.ts';
import type { Shape } from './field-shape.ts';
import { writeBounds } from './write-bounds.ts';

/** Who writes: the name that a client gives itself, how, and to which part of the object. */
export interface Writer {
  manager: string;
  operation: 'Apply' | 'Update';
  /** Of the object as it was sent. */
  apiVersion: string;
  subresource?: string;
}

export interface Owner extends Writer {
  /** RFC 3339. */
  time?: string;
  fields: FieldSet;
}

/** Owns what an object had before anybody applied it. As upstream. */
const FIRST_MANAGER = 'before-first-apply';
/** Owns what the oldest of too many managers owned. As upstream. */
const ANCIENT_MANAGER = 'ancient-changes';

export interface Applied {
  /** With the configuration and without what its manager no longer asks for; not yet defaulted. */
  object: KubeObject;
  owners: readonly Owner[];
}

/**
 * `config` applied to `live`. Refuses with Conflict, naming each field, when it would change what others own, unless
 * `force` is true: then it is taken from them.
 */
export function apply(
  live: KubeObject,
  config: KubeObject,
  writer: Writer,
  { shape, part, force, nowMs }: { shape: Shape; part: Part; force: boolean; nowMs: number },
): Applied {
  const before = ownable(live, part);
  const asked = ownable(config, part);
  const owners = ownersOf(live) ?? [firstOwner(live, shape, part, nowMs)];
  const mine = owners.find((owner) => sameWriter(owner, writer));
  const others = owners.filter((owner) => owner !== mine);
  const fields = fieldsOf(asked, shape);
  const joined = merged(before, asked, shape);
  const { set: changed } = changeBetween(before, joined, shape);
  const disputed = others.map((owner) => ({ owner, fields: common(owner.fields, changed) }));
  if (!force) requireNoConflict(disputed.filter((one) => !isEmpty(one.fields)));
  const kept = others.map((owner) => owner.fields).reduce(union, fields);
  const gone = minus(mine?.fields ?? noFields, kept);
  const object = without(joined, gone, kept, shape) ?? {};
  const left = disputed.map(({ owner, fields: taken }) => ({ ...owner, fields: minus(owner.fields, taken) }));
  return {
    object: withOwnable(live, object as Partial<KubeObject>, part),
    owners: [...left, dated(writer, fields, mine, nowMs)],
  };
}

/** The one owner of an object that did not exist before it was applied. */
export function ownersAfterCreate(
  config: KubeObject,
  writer: Writer,
  { shape, part, nowMs }: { shape: Shape; part: Part; nowMs: number },
): readonly Owner[] {
  return [dated(writer, fieldsOf(ownable(config, part), shape), undefined, nowMs)];
}

/**
 * The owners after `writer` wrote `next` over `previous` in another way than apply: what changed is its own, what went
 * is nobody's. Undefined as long as nobody has applied the object: nothing is kept of who wrote what until then.
 */
export function ownersAfterUpdate(
  previous: KubeObject,
  next: KubeObject,
  writer: Writer,
  { shape, nowMs }: { shape: Shape; nowMs: number },
): readonly Owner[] | undefined {
  const owners = ownersOf(next);
  if (owners === undefined) return undefined;
  const { set, removed } = changeBetween(ownable(previous, 'all'), ownable(next, 'all'), shape);
  if (isEmpty(set) && isEmpty(removed)) return owners;
  const lost = union(set, removed);
  const mine = owners.find((owner) => sameWriter(owner, writer));
  const left = owners.map((owner) => ({ ...owner, fields: minus(owner.fields, owner === mine ? removed : lost) }));
  const own = left[owners.indexOf(mine!)];
  const others = left.filter((owner) => owner !== own);
  return [...others, dated(writer, union(own?.fields ?? noFields, set), mine, nowMs)];
}

/** `object` with these owners; those that own nothing are gone, and of too many the oldest are one. */
export function withOwners(object: KubeObject, owners: readonly Owner[] | undefined): KubeObject {
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  if (owners === undefined) return { ...object, metadata };
  const owning = bounded(owners.filter(({ fields }) => !isEmpty(fields)));
  return { ...object, metadata: { ...metadata, managedFields: owning.map(entryOf) } };
}

/** What the client says the owners are where it says so, else those of `previous`. An empty entry forgets them all. */
export function adoptOwners(asked: KubeObject, previous: KubeObject): KubeObject {
  const { managedFields, ...metadata } = asked.metadata;
  const reset = managedFields?.length === 1 && isObject(managedFields[0]) && Object.keys(managedFields[0]).length === 0;
  if (reset) return { ...asked, metadata };
  const given = managedFields !== undefined && managedFields.length > 0 && ownersOf(asked) !== undefined;
  const entries = given ? managedFields : previous.metadata.managedFields;
  return { ...asked, metadata: { ...metadata, ...(entries === undefined ? {} : { managedFields: entries }) } };
}

/** Undefined when there are none, or one of them is nothing that can be read: then ownership begins anew. */
function ownersOf({ metadata }: KubeObject): Owner[] | undefined {
  const entries: unknown = metadata.managedFields;
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > writeBounds.fieldManagersMax)
    return undefined;
  const owners = entries.map(ownerOf);
  return owners.every((owner) => owner !== undefined) ? owners : undefined;
}

function ownerOf(entry: unknown): Owner | undefined {
  const { manager, operation, apiVersion, time, subresource, fieldsV1, fieldsType } = (entry ?? {}) as Record<
    string,
    unknown
  >;
  const fields = fieldsV1 === undefined ? noFields : fieldSetOf(fieldsV1);
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof apiVersion !== 'string' || fields === undefined || fieldsType !== 'FieldsV1') return undefined;
  return {
    manager: typeof manager === 'string' ? manager : '',
    operation,
    apiVersion,
    ...(typeof time === 'string' ? { time } : {}),
    ...(typeof subresource === 'string' && subresource !== '' ? { subresource } : {}),
    fields,
  };
}

function entryOf({ fields, manager, operation, apiVersion, time, subresource }: Owner): Record<string, unknown> {
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fieldsV1Of(fields),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function firstOwner(live: KubeObject, shape: Shape, part: Part, nowMs: number): Owner {
  const fields = fieldsOf(ownable(live, part === 'status' ? 'main' : part), shape);
  const { apiVersion } = live;
  return { manager: FIRST_MANAGER, operation: 'Update', apiVersion, time: timestampOf(nowMs), fields };
}

/** The time is that of the last change: who applies the same again changes nothing. */
function dated(writer: Writer, fields: FieldSet, before: Owner | undefined, nowMs: number): Owner {
  const same = before !== undefined && before.apiVersion === writer.apiVersion && sameFields(before.fields, fields);
  return { ...writer, time: same && before.time !== undefined ? before.time : timestampOf(nowMs), fields };
}

function bounded(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter(({ operation }) => operation === 'Update');
  const tooMany = updaters.length - writeBounds.fieldUpdatersMax;
  if (tooMany <= 0) return owners;
  const byAge = [...updaters].sort((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  const oldest = byAge.slice(0, tooMany + 1);
  const fields = oldest.map((owner) => owner.fields).reduce(union);
  const { subresource: _subresource, ...ancient } = oldest.at(-1)!;
  return [{ ...ancient, manager: ANCIENT_MANAGER, fields }, ...owners.filter((owner) => !oldest.includes(owner))];
}

function sameWriter(owner: Writer, { manager, operation, apiVersion, subresource }: Writer): boolean {
  if (owner.manager !== manager || owner.operation !== operation || owner.subresource !== subresource) return false;
  // Who applies is the same whatever version it writes. As upstream.
  return operation === 'Apply' || owner.apiVersion === apiVersion;
}

function requireNoConflict(disputed: readonly { owner: Owner; fields: FieldSet }[]): void {
  if (disputed.length > 0) throw conflictOf(disputed);
}

/** In upstream's words, which kubectl's advice builds on. */
function conflictOf(disputed: readonly { owner: Owner; fields: FieldSet }[]): StatusError {
  const found = disputed.flatMap(({ owner, fields }) =>
    pathsOf(fields).map((path) => ({ who: ownerText(owner), path })),
  );
  const causes = found.map(({ who, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${who}`,
    field: path,
  }));
  if (found.length === 1)
    return refuse('Conflict', `Apply failed with 1 conflict: conflict with ${found[0]!.who}: ${found[0]!.path}`, {
      causes,
    });
  const lines = [...new Set(found.map(({ who }) => who))]
    .sort()
    .flatMap((who) => [
      `conflicts with ${who}:`,
      ...found.filter((one) => one.who === who).map(({ path }) => `- ${path}`),
    ]);
  return refuse('Conflict', `Apply failed with ${found.length} conflicts: ${lines.join('\n')}`, { causes });
}

function ownerText({ manager, operation, apiVersion, subresource }: Owner): string {
  const where = subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const using = operation === 'Update' ? ` using ${apiVersion}` : '';
  return `${JSON.stringify(manager)}${where}${using}`;
}

/** `live` with the ownable members of this part replaced by those of `owned`. */
function withOwnable(live: KubeObject, owned: Partial<KubeObject>, part: Part): KubeObject {
  if (part === 'status') return withoutUndefined({ ...live, status: owned.status });
  const theirs = ownable(live, part);
  const { metadata: given, ...rest } = owned;
  const others = Object.entries(live).filter(([name]) => name !== 'metadata' && !(name in theirs));
  const metadata = Object.entries(live.metadata).filter(([name]) => !(name in ((theirs.metadata ?? {}) as object)));
  return {
    ...Object.fromEntries(others),
    metadata: { ...Object.fromEntries(metadata), ...given },
    ...rest,
  } as KubeObject;
}

function withoutUndefined(object: KubeObject): KubeObject {
  return Object.fromEntries(
    Object.entries(object).filter(([, member]) => member !== undefined),
  ) as unknown as KubeObject;
}
