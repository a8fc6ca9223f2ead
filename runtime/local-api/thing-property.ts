/**
 * Where a property of a thing is in its twin: a resource of a device is read from `reported` and written to `desired`,
 * the properties `desired` and `reported` of any other twin are those sections. Pure.
 */
import { checkValue, type Profile } from '../../devices/profile.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import type { SectionName, TwinDocument } from '../../protocol/twin/document.ts';
import { diff, isMembers, type Members } from '../../protocol/twin/merge.ts';
import { DEVICE_MEMBER, isDesirable, isReported } from '../devices/device-report.ts';

export interface ThingProperty {
  name: string;
  /** In the twin's document; undefined: it is only written. */
  path: readonly string[] | undefined;
  /** The section that it is written to; undefined: it is only read. */
  writes: SectionName | undefined;
  /** Errors: `E_INPUT_INVALID`. */
  check(value: Json): Json;
}

/** Errors: `E_NOT_FOUND`. */
export function propertyOf(id: string, profile: Profile | undefined, name: string): ThingProperty {
  const property = propertiesOf(profile).find((each) => each.name === name);
  if (property === undefined) throw new AppError('E_NOT_FOUND', `the thing ${id} has no property ${name}`);
  return property;
}

export function propertiesOf(profile: Profile | undefined): ThingProperty[] {
  if (profile === undefined) return [sectionProperty('desired'), sectionProperty('reported')];
  const resources = [...profile.resources.values()].flatMap((resource): ThingProperty[] => {
    const { name } = resource;
    const path = isReported(resource) ? ['properties', 'reported', name] : undefined;
    const writes = isDesirable(resource) ? 'desired' : undefined;
    if (path === undefined && writes === undefined) return [];
    return [{ name, path, writes, check: (value) => checkValue(resource, value) }];
  });
  const path = ['properties', 'reported', DEVICE_MEMBER];
  return [...resources, { name: DEVICE_MEMBER, path, writes: undefined, check: (value) => value }];
}

/** Undefined where the twin has no value yet. */
export function propertyValue({ path }: ThingProperty, document: TwinDocument): Json | undefined {
  let value: Json | undefined = document as unknown as Json;
  for (const key of path ?? []) value = isMembers(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return plain(value);
}

/** A section without what its owner assigns. */
export function plain(value: Json | undefined): Json | undefined {
  if (!isMembers(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith('$')));
}

/**
 * The merge patch of the document that gives properties these values, and the sections that it changes.
 * Errors: `E_INPUT_INVALID`, for a property that is only read too.
 */
export function writePatch(
  document: TwinDocument,
  values: readonly (readonly [ThingProperty, Json])[],
): { patch: Json; sections: SectionName[] } {
  const wanted: Partial<Record<SectionName, Members>> = {};
  for (const [property, value] of values) {
    const { name, writes } = property;
    if (writes === undefined) throw new AppError('E_INPUT_INVALID', `${name} is only read`);
    const checked = property.check(value);
    if (property.path?.length === 2) wanted[writes] = checked as Members;
    else {
      const section = wanted[writes] ?? (plain(document.properties[writes] as Json) as Members);
      wanted[writes] = { ...section, [name]: checked };
    }
  }
  const sections = Object.keys(wanted) as SectionName[];
  const properties = sections.map((name): [string, Json] => {
    const before = plain(document.properties[name] as Json) as Members;
    return [name, diff(before, wanted[name]!)];
  });
  return { patch: { properties: Object.fromEntries(properties) }, sections };
}

function sectionProperty(name: SectionName): ThingProperty {
  return {
    name,
    path: ['properties', name],
    writes: name,
    check: (value) => {
      if (isMembers(value)) return value;
      throw new AppError('E_INPUT_INVALID', `${name} is an object`);
    },
  };
}
