/**
 * The node's side of a twin. It decides: records go in, the next record comes out, the same one when nothing changed.
 * The caller makes a record durable before it tells the hub `twinStateOf` it.
 *
 * A local write of desired passes through two places:
 *
 *   write --> open --frozen under a number, when nothing is sent--> sent --Twin with applied >= number--> gone
 *
 * Only `sent` travels. What is shown is the hub's desired with `sent` and then `open` merged into it.
 */
import type { Json, Twin } from '../kubernetes.ts';
import { patchedSections, replacedSections, type SectionName, shownDocument, type TwinDocument } from './document.ts';
import { type Edit, type Members, mergeThreeWay, pruneEqual, sameJson, type Winner } from './merge.ts';
import { changedSection, emptySection, metadataAfter, type Section, wholeMs } from './section.ts';
import type { SentEdit, TwinState } from './twin-state.ts';

export interface TwinRecord {
  id: string;
  /** Of the hub's Twin; empty while the hub has not told of one. */
  uid: string;
  /** Of the shown document: +1 with each visible change, also across twins of the same id. */
  sequence: number;
  /** False: the node's side wins. */
  managed: boolean;
  /** As the hub last told it. */
  desired: Section;
  reported: Section;
  sent?: SentEdit;
  open?: Edit & { timeMs: number };
  /** For the next edit that is frozen. Above every number that this twin's hub has dealt with. */
  nextNumber: number;
  /** The hub has another desired under our version: one of the two stores was put back. Ours counts until it moves on. */
  contested?: true;
}

/** A store that was put back does not know the numbers that it gave out since: nobody gives out so many. */
const NUMBERS_LOST_MAX = 1_000_000;

/** A twin that the hub has not told of yet: what is written stays and is told once it has. */
export function newTwin(id: string, sequence: number, nowMs: number): TwinRecord {
  const [desired, reported] = [emptySection(0, nowMs), emptySection(1, nowMs)];
  return { id, uid: '', sequence, managed: true, desired, reported, nextNumber: 1 };
}

/** The document as a local app sees it. */
export function shownTwin(record: TwinRecord): TwinDocument {
  return shownDocument(shownDesired(record), isPending(record), record.reported);
}

/** What the hub is told; undefined while there is no Twin to tell it of. */
export function twinStateOf(record: TwinRecord): TwinState | undefined {
  if (record.uid === '') return undefined;
  const { uid, desired, reported, sent, contested } = record;
  const seen = contested ? desired.version + 1 : desired.version;
  return { uid, seen, reported, ...(sent === undefined ? {} : { desired: sent }) };
}

/**
 * A Twin of the view. Undefined: the node holds this twin no more (it is being deleted), and says so to the hub.
 * `sequence`: the highest that a twin of this id may have had, for a record that is not there yet.
 */
export function twinArrived(
  record: TwinRecord | undefined,
  twin: Twin,
  { sequence, nowMs }: { sequence: number; nowMs: number },
): TwinRecord | undefined {
  const { uid = '', name, deletionTimestamp } = twin.metadata;
  if (deletionTimestamp !== undefined) return record?.uid === '' ? record : undefined;
  // What was deleted never comes back: another uid is another twin, which only goes on counting.
  const known = record?.uid === uid || record?.uid === '' ? record : undefined;
  const before = known ?? newTwin(name, (record?.sequence ?? sequence) + 1, nowMs);
  const managed = twin.spec.managed !== false;
  const synced = withDesired({ ...before, uid, managed }, twin);
  const next = frozen(withFloor(synced, twin, nowMs));
  return known === undefined ? next : numbered(before, next);
}

/** A merge patch (RFC 7396) of the whole document. Errors: `E_INPUT_INVALID`. */
export function patchedTwin(record: TwinRecord, patch: Json, nowMs: number): TwinRecord {
  const current = { desired: shownDesired(record).value, reported: record.reported.value };
  return written(record, patchedSections(current, patch), nowMs);
}

/** `document` in place of all that was there; `{}` empties the twin. Errors: `E_INPUT_INVALID`. */
export function replacedTwin(record: TwinRecord, document: Json, nowMs: number): TwinRecord {
  return written(record, replacedSections(document), nowMs);
}

/** Which sections a write changed. */
export function sectionsChanged(before: TwinRecord, after: TwinRecord): SectionName[] {
  const desired = before.open !== after.open || before.sent !== after.sent;
  return [
    ...(desired ? ['desired' as const] : []),
    ...(before.reported === after.reported ? [] : ['reported' as const]),
  ];
}

/** The record as a store goes on with it that was put back to an earlier state. */
export function twinInNewEpoch(record: TwinRecord): TwinRecord {
  return { ...record, nextNumber: record.nextNumber + NUMBERS_LOST_MAX };
}

function isPending({ sent, open }: TwinRecord): boolean {
  return sent !== undefined || open !== undefined;
}

const winnerOf = ({ managed }: TwinRecord): Winner => (managed ? 'theirs' : 'mine');

/** The hub's desired with what was sent merged into it: what an open edit is made of. */
function underOpen(record: TwinRecord): Members {
  const { sent, desired } = record;
  return sent === undefined ? desired.value : mergeThreeWay(sent, desired.value, winnerOf(record));
}

/** A record is replaced, never changed. */
const shownDesiredOf = new WeakMap<TwinRecord, Section>();

function shownDesired(record: TwinRecord): Section {
  const { desired, sent, open } = record;
  if (!isPending(record)) return desired;
  let shown = shownDesiredOf.get(record);
  if (shown === undefined) {
    const under = underOpen(record);
    const value = open === undefined ? under : mergeThreeWay(open, under, winnerOf(record));
    const sentMetadata = metadataAfter(desired.metadata, desired.value, under, sent?.timeMs ?? 0);
    shown = { version: desired.version, value, metadata: metadataAfter(sentMetadata, under, value, open?.timeMs ?? 0) };
    shownDesiredOf.set(record, shown);
  }
  return shown;
}

function written(record: TwinRecord, values: { desired?: Members; reported?: Members }, nowMs: number): TwinRecord {
  let next = record;
  if (values.reported !== undefined) {
    const reported = changedSection(record.reported, values.reported, nowMs);
    if (reported !== record.reported) next = { ...next, reported };
  }
  if (values.desired !== undefined && !sameJson(values.desired, shownDesired(record).value))
    next = frozen(withOpen(next, values.desired, nowMs));
  // Either of the two is visible, so that there is nothing to compare.
  return next === record ? record : { ...next, sequence: record.sequence + 1 };
}

/** `mine` is what desired shall be, written over all that is shown. */
function withOpen(record: TwinRecord, mine: Members, nowMs: number): TwinRecord {
  const { open: _, ...rest } = record;
  const edit = pruneEqual({ base: underOpen(record), mine });
  return edit === undefined ? rest : { ...rest, open: { ...edit, timeMs: wholeMs(nowMs) } };
}

/** What is open goes on its way when nothing else is. */
function frozen(record: TwinRecord): TwinRecord {
  const { open, ...rest } = record;
  if (open === undefined || record.sent !== undefined || record.uid === '') return record;
  return { ...rest, sent: { number: record.nextNumber, ...open }, nextNumber: record.nextNumber + 1 };
}

function withDesired(record: TwinRecord, { spec, status }: Twin): TwinRecord {
  const version = status?.desired.version ?? 0;
  const { contested: _, ...next } = record;
  // The hub's store was put back: its next version will be above ours.
  if (version < record.desired.version) return next;
  const told: Section = { version, value: spec.desired ?? {}, metadata: status?.desired.metadata ?? { '': 0 } };
  if (version > record.desired.version || record.desired.version === 0) next.desired = told;
  else if (!sameJson(told.value, record.desired.value)) return { ...next, contested: true };
  const applied = status?.applied ?? 0;
  next.nextNumber = Math.max(next.nextNumber, applied + 1);
  // A twin that was not told of before has nothing sent, and its open edit meets the hub's desired now.
  const dealtWith = record.sent === undefined || applied >= record.sent.number;
  return dealtWith ? rebased(next) : next;
}

/** Nothing is under way any more; what was written meanwhile is made an edit of the hub's desired as it is now. */
function rebased(record: TwinRecord): TwinRecord {
  const { sent: _, open, ...rest } = record;
  if (open === undefined) return rest;
  const base = rest.desired.value;
  const edit = pruneEqual({ base, mine: mergeThreeWay(open, base, winnerOf(record)) });
  return edit === undefined ? rest : { ...rest, open: { ...edit, timeMs: open.timeMs } };
}

/** The store was lost or put back, and the hub had more: our leaves count, what we do not have is taken back. */
function withFloor(record: TwinRecord, { status }: Twin, nowMs: number): TwinRecord {
  const floor = status?.floor;
  if (floor === undefined || floor.version < record.reported.version) return record;
  const value = mergeThreeWay({ base: {}, mine: record.reported.value }, floor.value, 'mine');
  const metadata = metadataAfter(floor.metadata, floor.value, value, wholeMs(nowMs));
  return { ...record, reported: { version: floor.version + 1, value, metadata } };
}

/** `next` with the sequence that it deserves; `before` itself when nothing changed. */
function numbered(before: TwinRecord, next: TwinRecord): TwinRecord {
  if (next === before || sameJson(next as unknown as Json, before as unknown as Json)) return before;
  const visible = !sameJson(shownTwin(before) as unknown as Json, shownTwin(next) as unknown as Json);
  return visible ? { ...next, sequence: before.sequence + 1 } : next;
}
