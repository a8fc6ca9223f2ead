/**
 * A twin as a local app sees it: `{properties: {desired, reported}}`, each section with `$version` and `$metadata` as
 * the Azure IoT twin has them, and `$pending: true` in desired while a local write waits for the hub.
 */
import { AppError } from '../errors.ts';
import type { Json, TwinMetadata } from '../kubernetes.ts';
import { mergePatch } from '../merge-patch.ts';
import { isMembers, type Members } from './merge.ts';
import { checkedSection, type Section, wholeMs } from './section.ts';

export type SectionName = 'desired' | 'reported';

export interface TwinDocument {
  properties: { desired: Members; reported: Members };
}

/** Sections of a document that was written; absent: not named in it. */
export type SectionValues = Partial<Record<SectionName, Members>>;

/** What the owner of a section assigns. A document that was read can be written back: they are ignored. */
const assigned: ReadonlySet<string> = new Set(['$version', '$metadata', '$pending']);

export function shownDocument(desired: Section, pending: boolean, reported: Section): TwinDocument {
  return {
    properties: {
      desired: { ...shownSection(desired), ...(pending ? { $pending: true } : {}) },
      reported: shownSection(reported),
    },
  };
}

/**
 * `patch`, a merge patch of the whole document, applied to the values of its sections.
 * Errors: `E_INPUT_INVALID`.
 */
export function patchedSections(current: Record<SectionName, Members>, patch: Json): SectionValues {
  const values: SectionValues = {};
  for (const [name, section] of sectionsOf(patch, 'patch')) {
    // RFC 7396: what is no object replaces. Null removes, which leaves a section empty.
    const next = section === null ? {} : mergePatch(current[name], withoutAssigned(section));
    values[name] = checkedSection(next, `properties.${name}`);
  }
  return values;
}

/** The sections of a whole document; what it does not name is empty. Errors: `E_INPUT_INVALID`. */
export function replacedSections(document: Json): Record<SectionName, Members> {
  const values: Record<SectionName, Members> = { desired: {}, reported: {} };
  for (const [name, section] of sectionsOf(document, 'document'))
    values[name] = checkedSection(withoutAssigned(section), `properties.${name}`);
  return values;
}

function sectionsOf(document: Json, what: 'patch' | 'document'): [SectionName, Json][] {
  const members = only(document, `the ${what}`, ['properties']);
  if (!Object.hasOwn(members, 'properties')) return [];
  // Null removes both sections.
  const properties = members.properties === null && what === 'patch' ? { desired: null, reported: null } : undefined;
  const sections = properties ?? only(members.properties!, 'properties', ['desired', 'reported']);
  return Object.entries(sections) as [SectionName, Json][];
}

function only(value: Json, path: string, names: readonly string[]): Members {
  if (!isMembers(value)) throw new AppError('E_INPUT_INVALID', `${path} must be an object.`, { details: { path } });
  for (const key of Object.keys(value))
    if (!names.includes(key)) {
      const sentence = `${path} cannot have a member ${JSON.stringify(key.slice(0, 64))}: it has ${names.join(' and ')}.`;
      throw new AppError('E_INPUT_INVALID', sentence, { details: { path } });
    }
  return value;
}

function withoutAssigned(section: Json): Json {
  if (!isMembers(section)) return section;
  return Object.fromEntries(Object.entries(section).filter(([key]) => !assigned.has(key)));
}

/** By section: a section is replaced, never changed, and most writes change one of two. */
const shownSections = new WeakMap<Section, Members>();

function shownSection(section: Section): Members {
  let shown = shownSections.get(section);
  if (shown === undefined) {
    shown = { ...section.value, $version: section.version, $metadata: shownMetadata(section.metadata) };
    shownSections.set(section, shown);
  }
  return shown;
}

function shownMetadata(metadata: TwinMetadata): Members {
  if (typeof metadata === 'number') return { $lastUpdated: timeOf(metadata) };
  const members = Object.entries(metadata).map(([key, value]): [string, Json] =>
    key === '' ? ['$lastUpdated', timeOf(value as number)] : [key, shownMetadata(value)],
  );
  return Object.fromEntries(members);
}

const timeOf = (ms: number): string => new Date(wholeMs(ms)).toISOString();
