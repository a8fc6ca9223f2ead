/**
 * CustomResourceDefinition apiextensions.k8s.io/v1: a kind that users add. What it may say is checked here as far as it
 * shows by itself; whether its names are free is for the API, which knows the other kinds
 * (`cloud/api/definition-admission.ts`). Source: kubernetes.io, "Extend the Kubernetes API with
 * CustomResourceDefinitions"; apiextensions-apiserver pkg/apis/apiextensions/validation.
 */
import type { Condition, KubeObject } from '../../../protocol/kubernetes.ts';
import { column, nameColumn } from '../../../protocol/resources/kinds/columns.ts';
import {
  duplicate,
  type FieldFault,
  immutable,
  invalid,
  oneOf,
  required,
} from '../../../protocol/resources/kinds/faults.ts';
import { isDnsLabel, isDnsSubdomain } from '../../../protocol/resources/kinds/names.ts';
import { sameJson } from '../../../protocol/resources/store/json-value.ts';
import { defineKind } from '../define-kind.ts';
import { fill } from '../fill.ts';
import { parsePath } from '../json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { schemaFaults } from './schema-faults.ts';

/** Objects of the kind go before the definition does; who waits for that holds it by this finalizer. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

/** Versions of one kind. */
const VERSIONS_MAX = 20;
/** Columns of one table. */
const COLUMNS_MAX = 50;
/** Fields by which lists are narrowed, as upstream. */
const SELECTABLE_FIELDS_MAX = 8;

export interface DefinitionNames {
  plural: string;
  singular?: string;
  kind: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface DefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: JsonSchema };
  subresources?: {
    status?: object;
    scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  };
  additionalPrinterColumns?: {
    name: string;
    type: string;
    jsonPath: string;
    priority?: number;
    description?: string;
  }[];
  selectableFields?: { jsonPath: string }[];
}

export interface Definition extends KubeObject {
  spec: {
    group: string;
    names: DefinitionNames;
    scope: string;
    versions: DefinitionVersion[];
    conversion?: { strategy: string };
    preserveUnknownFields?: boolean;
  };
  status?: { conditions?: Condition[]; acceptedNames?: DefinitionNames; storedVersions?: string[] };
}

export const definitionKind = defineKind<Definition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  status: true,
  schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  columns: [
    nameColumn,
    column<Definition>('Created At', ({ metadata }) => metadata.creationTimestamp, { type: 'date' }),
  ],
  columnsComplete: true,
  defaults: (definition) => {
    const { names } = definition.spec;
    const complete = fill(names, { singular: names.kind.toLowerCase(), listKind: `${names.kind}List` });
    const spec = fill({ ...definition.spec, names: complete }, { conversion: { strategy: 'None' } });
    return { ...definition, spec };
  },
  validate: (next, previous) => [
    ...nameFaults(next),
    // A schema that was let in is not compiled again with each write of its definition.
    ...(sameJson(next.spec.versions, previous?.spec.versions) ? [] : versionFaults(next.spec)),
    ...(previous === undefined ? [] : changeFaults(next, previous)),
  ],
  settle: established,
});

/** Groups of Kubernetes itself: who defines kinds in them says who has agreed, as upstream asks. */
const APPROVAL = 'api-approved.kubernetes.io';
const protectedGroup = /(^|\.)(k8s|kubernetes)\.io$/;

function nameFaults({ metadata, spec }: Definition): FieldFault[] {
  const { group, names } = spec;
  const { plural, singular = '', kind, listKind = '', shortNames = [], categories = [] } = names;
  const wanted = `${plural}.${group}`;
  const faults = oneOf('spec.scope', spec.scope, ['Cluster', 'Namespaced']);
  if (metadata.name !== wanted)
    faults.push(invalid('metadata.name', metadata.name ?? '', `must be spec.names.plural+"."+spec.group`));
  const wrongGroup =
    isDnsSubdomain(group) ?? (group.includes('.') ? undefined : 'should be a domain with at least one dot');
  if (wrongGroup) faults.push(invalid('spec.group', group, wrongGroup));
  if (protectedGroup.test(group) && !metadata.annotations?.[APPROVAL])
    faults.push(
      required(`metadata.annotations[${APPROVAL}]`, 'a group of Kubernetes itself needs who has approved it'),
    );
  const words = { plural, singular, kind: kind.toLowerCase(), listKind: listKind.toLowerCase() };
  for (const [member, word] of Object.entries(words)) faults.push(...wordFaults(`spec.names.${member}`, word));
  for (const [index, word] of shortNames.entries()) faults.push(...wordFaults(`spec.names.shortNames[${index}]`, word));
  for (const [index, word] of categories.entries()) faults.push(...wordFaults(`spec.names.categories[${index}]`, word));
  if (kind === listKind) faults.push(invalid('spec.names.listKind', listKind, 'kind and listKind may not be the same'));
  if (spec.preserveUnknownFields === true)
    faults.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot be true: set x-kubernetes-preserve-unknown-fields in the schema instead',
      ),
    );
  return [...faults, ...oneOf('spec.conversion.strategy', spec.conversion?.strategy, ['None', 'Webhook'])];
}

function versionFaults({ versions }: Definition['spec']): FieldFault[] {
  if (versions.length === 0) return [required('spec.versions', 'must have at least one version')];
  if (versions.length > VERSIONS_MAX)
    return [invalid('spec.versions', versions.length, `may have at most ${VERSIONS_MAX} versions`)];
  const faults: FieldFault[] = [];
  const names = versions.map(({ name }) => name);
  if (versions.filter(({ storage }) => storage).length !== 1)
    faults.push(invalid('spec.versions', names, 'must have exactly one version marked as storage version'));
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}]`;
    faults.push(...wordFaults(`${path}.name`, version.name));
    if (names.indexOf(version.name) !== index) faults.push(duplicate(`${path}.name`, version.name));
    const schema = version.schema?.openAPIV3Schema;
    if (schema === undefined) faults.push(required(`${path}.schema.openAPIV3Schema`, 'schemas are required'));
    else faults.push(...schemaFaults(schema, `${path}.schema.openAPIV3Schema`));
    faults.push(...columnFaults(version, path), ...scaleFaults(version, path), ...selectorFaults(version, path));
  }
  return faults;
}

function columnFaults({ additionalPrinterColumns = [] }: DefinitionVersion, path: string): FieldFault[] {
  if (additionalPrinterColumns.length > COLUMNS_MAX)
    return [
      invalid(`${path}.additionalPrinterColumns`, additionalPrinterColumns.length, `may be at most ${COLUMNS_MAX}`),
    ];
  return additionalPrinterColumns.flatMap(({ type, jsonPath }, index) => {
    const place = `${path}.additionalPrinterColumns[${index}]`;
    return [
      ...oneOf(`${place}.type`, type, ['boolean', 'date', 'integer', 'number', 'string']),
      ...pathFaults(`${place}.jsonPath`, jsonPath),
    ];
  });
}

function selectorFaults({ selectableFields = [] }: DefinitionVersion, path: string): FieldFault[] {
  if (selectableFields.length > SELECTABLE_FIELDS_MAX)
    return [invalid(`${path}.selectableFields`, selectableFields.length, `may be at most ${SELECTABLE_FIELDS_MAX}`)];
  return selectableFields.flatMap(({ jsonPath }, index) =>
    pathFaults(`${path}.selectableFields[${index}].jsonPath`, jsonPath),
  );
}

function scaleFaults({ subresources }: DefinitionVersion, path: string): FieldFault[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const place = `${path}.subresources.scale`;
  const under = (member: string, value: string | undefined, ...roots: string[]) =>
    value === undefined || (roots.some((root) => value.startsWith(root)) && /^(\.[A-Za-z_][\w-]*)+$/.test(value))
      ? []
      : [invalid(`${place}.${member}`, value, `should be a json path under ${roots.join(' or ')}`)];
  return [
    ...under('specReplicasPath', scale.specReplicasPath, '.spec.'),
    ...under('statusReplicasPath', scale.statusReplicasPath, '.status.'),
    ...under('labelSelectorPath', scale.labelSelectorPath, '.spec.', '.status.'),
  ];
}

function changeFaults(next: Definition, previous: Definition): FieldFault[] {
  const kept = new Set(next.spec.versions.map(({ name }) => name));
  const lost = (previous.status?.storedVersions ?? []).filter((version) => !kept.has(version));
  return [
    ...immutable('spec.group', next.spec.group, previous.spec.group),
    ...immutable('spec.scope', next.spec.scope, previous.spec.scope),
    ...immutable('spec.names.plural', next.spec.names.plural, previous.spec.names.plural),
    ...immutable('spec.names.kind', next.spec.names.kind, previous.spec.names.kind),
    ...lost.map((version) => invalid('spec.versions', version, 'is in status.storedVersions and must stay')),
  ];
}

function wordFaults(field: string, word: string): FieldFault[] {
  const wrong = isDnsLabel(word) ?? (/^[a-z]/.test(word) ? undefined : 'must begin with a letter');
  return wrong === undefined ? [] : [invalid(field, word, wrong)];
}

function pathFaults(field: string, path: string): FieldFault[] {
  try {
    parsePath(path);
    return [];
  } catch (error) {
    return [invalid(field, path, (error as Error).message)];
  }
}

/** A definition that was let in is served at once: its names were free. */
function established(next: Definition, previous: Definition | undefined, nowMs: number): Definition {
  const { metadata, spec } = next;
  const stored = next.status?.storedVersions ?? previous?.status?.storedVersions ?? [];
  const storage = spec.versions.find((version) => version.storage)?.name;
  const finalizers = metadata.finalizers ?? [];
  // Whoever replaces a definition may have left it out.
  const held = metadata.deletionTimestamp !== undefined || finalizers.includes(cleanupFinalizer);
  return {
    ...next,
    metadata: held ? metadata : { ...metadata, finalizers: [...finalizers, cleanupFinalizer] },
    status: {
      ...next.status,
      acceptedNames: spec.names,
      storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
      conditions: next.status?.conditions ?? [
        trueCondition('NamesAccepted', 'NoConflicts', 'no conflicts found', nowMs),
        trueCondition('Established', 'InitialNamesAccepted', 'the initial names have been accepted', nowMs),
      ],
    },
  };
}

function trueCondition(type: string, reason: string, message: string, nowMs: number): Condition {
  const lastTransitionTime = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return { type, status: 'True', reason, message, lastTransitionTime };
}
