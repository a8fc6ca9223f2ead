/** What a definition of a kind needs beyond itself: free names, and versions that can be served without anybody's help. */
import { invalid, refuse } from '../../protocol/resources/api/status.ts';
import {
  duplicate,
  type FieldFault,
  forbidden,
  invalid as invalidField,
} from '../../protocol/resources/kinds/faults.ts';
import type { ResourceReader } from '../../protocol/resources/store/resource-reader.ts';
import { customKindOf } from '../kinds/custom/custom-kind.ts';
import { type Definition, definitionKind } from '../kinds/custom/definition.ts';
import type { Kind } from '../kinds/kind.ts';
import { isBuiltIn } from '../kinds/registry.ts';
import { schemas } from '../kinds/structure.ts';
import type { WriteParts, WrittenKinds } from './write-parts.ts';

/** Definitions that one hub serves. Each costs a few hundred KiB when its objects are written. */
const DEFINITIONS_MAX = 500;
/** Groups that the hub keeps for kinds to come. */
const RESERVED_GROUPS: ReadonlySet<string> = new Set(['stile.dev']);

type Admission = Required<Pick<WriteParts, 'guard' | 'advise'>>;

export function definitionAdmission(store: Pick<ResourceReader, 'get' | 'list'>, table: WrittenKinds): Admission {
  return {
    guard: async (object, { kind, previous }) => {
      if (object === undefined) return;
      if (kind === definitionKind) await requireServable(store, table, object as Definition, previous === undefined);
      else if (previous === undefined && !isBuiltIn(kind.group, kind.plural)) await requireStaying(store, kind);
    },
    advise: (object, kind) => (kind === definitionKind ? adviceFor(object as Definition) : []),
  };
}

async function requireServable(
  store: Pick<ResourceReader, 'list'>,
  table: WrittenKinds,
  definition: Definition,
  isNew: boolean,
): Promise<void> {
  const { group, names, conversion } = definition.spec;
  // One of the hub's own is kept so that a folder of manifests applies, and changes nothing.
  if (isBuiltIn(group, names.plural)) return;
  const faults = nameConflicts(table, definition);
  const keys = Object.keys(customKindOf(definition).schemas);
  if (RESERVED_GROUPS.has(group) || keys.some((key) => Object.hasOwn(schemas, key)))
    faults.push(invalidField('spec.group', group, 'is kept for kinds of this hub'));
  if (conversion?.strategy === 'Webhook')
    faults.push(forbidden('spec.conversion.strategy', 'this hub calls no conversion webhooks: use None'));
  if (faults.length > 0) throw invalid({ kind: definitionKind, name: definition.metadata.name }, faults);
  if (!isNew) return;
  const { items } = await store.list(definitionKind);
  if (items.length >= DEFINITIONS_MAX)
    throw refuse('Forbidden', `there are ${items.length} CustomResourceDefinitions, which is the most: delete some`);
}

/** Names within the group that another kind has already. */
function nameConflicts(table: WrittenKinds, { metadata, spec: { group, names } }: Definition): FieldFault[] {
  const others = table.kinds.filter((kind) => kind.group === group && `${kind.plural}.${group}` !== metadata.name);
  const taken = new Set(others.flatMap((kind) => [kind.plural, kind.singular, ...kind.shortNames]));
  const takenKinds = new Set(others.flatMap((kind) => [kind.kind, `${kind.kind}List`]));
  const wanted: [field: string, name: string | undefined, among: Set<string>][] = [
    ['plural', names.plural, taken],
    ['singular', names.singular, taken],
    ...(names.shortNames ?? []).map((name, index): [string, string, Set<string>] => [
      `shortNames[${index}]`,
      name,
      taken,
    ]),
    ['kind', names.kind, takenKinds],
    ['listKind', names.listKind, takenKinds],
  ];
  return wanted
    .filter(([, name, among]) => name !== undefined && among.has(name))
    .map(([field, name]) => duplicate(`spec.names.${field}`, name, `is already in use in group ${group}`));
}

/** As upstream: while a definition goes, nothing new comes. */
async function requireStaying(store: Pick<ResourceReader, 'get'>, kind: Kind): Promise<void> {
  const definition = await store.get(definitionKind, undefined, `${kind.plural}.${kind.group}`);
  if (definition !== undefined && definition.metadata.deletionTimestamp === undefined) return;
  throw refuse('MethodNotAllowed', 'create not allowed while custom resource definition is terminating');
}

/** Of an object that nobody has checked yet. */
function adviceFor({ spec }: Partial<Definition>): string[] {
  const { group = '', names, versions } = spec ?? {};
  if (names !== undefined && isBuiltIn(group, names.plural))
    return [`${names.plural}.${group} is a kind of this hub: the definition is kept and changes nothing`];
  const hasRules = JSON.stringify(versions ?? []).includes('"x-kubernetes-validations":[{');
  return hasRules
    ? ['this hub does not evaluate x-kubernetes-validations: objects are not checked against these rules']
    : [];
}
