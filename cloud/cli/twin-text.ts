/** A twin in words, and words as a change of one. Pure. */
import { AppError } from '../../protocol/errors.ts';
import type { Json, Twin } from '../../protocol/kubernetes.ts';
import { shownDocument } from '../../protocol/twin/document.ts';
import { isMembers, type Members } from '../../protocol/twin/merge.ts';
import { emptySection } from '../../protocol/twin/section.ts';
import { cellText } from './table.ts';

/** The document that an app on the terminal sees, with what only the hub knows beside it. */
export function documentOf({ metadata, spec, status }: Twin) {
  const desired = { ...(status?.desired ?? emptySection(0, 0)), value: spec.desired };
  const { conflicts } = status ?? {};
  return {
    id: metadata.name,
    node: spec.nodeName,
    ...(spec.tags === undefined ? {} : { tags: spec.tags }),
    ...shownDocument(desired, false, status?.reported ?? emptySection(0, 0)),
    ...(conflicts === undefined ? {} : { conflicts }),
  };
}

/** PROPERTY, DESIRED, REPORTED: one row for each leaf of either section. */
export function propertyRows({ spec, status }: Twin): string[][] {
  const desired = leavesOf(spec.desired);
  const reported = leavesOf(status?.reported?.value ?? {});
  const paths = [...new Set([...desired.keys(), ...reported.keys()])].sort();
  return paths.map((path) => [path, ...[desired, reported].map((leaves) => leafText(leaves.get(path)))].map(cellText));
}

/** `a.b=1 c=text` as a merge patch: JSON where it is JSON, else a text. Errors: `E_USAGE`. */
export function patchOfAssignments(assignments: readonly string[]): Members {
  const patch: Members = {};
  for (const text of assignments) {
    const at = text.indexOf('=');
    if (at < 1) throw new AppError('E_USAGE', `${text}: write PATH=VALUE, for example light.color=red`);
    assign(patch, text.slice(0, at), jsonOrText(text.slice(at + 1)));
  }
  return patch;
}

/** A merge patch that removes what is at `paths`. */
export function patchOfRemovals(paths: readonly string[]): Members {
  const patch: Members = {};
  for (const path of paths) assign(patch, path, null);
  return patch;
}

/** JSON where it is JSON, else a text. */
export function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function assign(patch: Members, path: string, value: Json): void {
  const names = path.split('.');
  if (names.some((name) => name === '' || name === '__proto__'))
    throw new AppError('E_USAGE', `${path}: write the names of a path with dots between, for example light.color`);
  let place = patch;
  for (const name of names.slice(0, -1)) {
    const inner = place[name];
    if (inner !== undefined && !isMembers(inner)) throw new AppError('E_USAGE', `${path}: ${name} has a value already`);
    place[name] = inner ?? {};
    place = place[name] as Members;
  }
  const last = names.at(-1)!;
  if (Object.hasOwn(place, last)) throw new AppError('E_USAGE', `${path} is there twice`);
  place[last] = value;
}

function leavesOf(members: Members, prefix = ''): Map<string, Json> {
  const leaves = Object.entries(members).flatMap(([key, value]): [string, Json][] => {
    const path = `${prefix}${key}`;
    return isMembers(value) && Object.keys(value).length > 0 ? [...leavesOf(value, `${path}.`)] : [[path, value]];
  });
  return new Map(leaves);
}

const leafText = (value: Json | undefined): string => (value === undefined ? '' : JSON.stringify(value));
