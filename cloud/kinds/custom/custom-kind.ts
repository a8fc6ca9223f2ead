/** The rows of the table of kinds that a definition makes, one for each version that it serves. Pure. */
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { ageColumn, ageOf, nameColumn } from '../../../protocol/resources/kinds/columns.ts';
import { apiVersionOf, type Column } from '../../../protocol/resources/kinds/resource-kind.ts';
import { defineKind } from '../define-kind.ts';
import { parsePath, selectValues } from '../json-path.ts';
import type { Kind } from '../kind.ts';
import type { Schema } from '../schema.ts';
import type { Definition, DefinitionVersion } from './definition.ts';
import { type JsonSchema, keepsAll } from './json-schema.ts';
import { publishedSchema } from './published-schema.ts';
import { completedObject } from './value.ts';
import { valueFaults, valueRules } from './value-rules.ts';

/** What one definition adds to the table. */
export interface CustomKind {
  /** As objects are kept. */
  stored: Kind;
  /** The versions that are served, the best first. */
  kinds: readonly Kind[];
  /** By the key that the rows name. */
  schemas: Readonly<Record<string, Schema>>;
}

/** The definition was accepted by its own kind. */
export function customKindOf(definition: Definition): CustomKind {
  const { group, names, versions } = definition.spec;
  const storage = versions.find((version) => version.storage)!;
  const stored = rowOf(definition, storage);
  const served = versions.filter((version) => version.served).sort((a, b) => byPriority(a.name, b.name));
  return {
    stored,
    kinds: served.map((version) => storedAs(stored, version === storage ? stored : rowOf(definition, version))),
    schemas: Object.fromEntries(
      served.map((version) => [
        schemaKeyOf(group, version.name, names.kind),
        publishedSchema(schemaOf(version), { group, version: version.name, kind: names.kind }),
      ]),
    ),
  };
}

function rowOf({ spec: { group, names, scope } }: Definition, version: DefinitionVersion): Kind {
  const schema = schemaOf(version);
  const rules = valueRules(schema);
  const row = defineKind<KubeObject>({
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    status: version.subresources?.status !== undefined,
    builtin: false,
    schema: schemaKeyOf(group, version.name, names.kind),
    columns: columnsOf(version),
    columnsComplete: true,
    selectableFields: selectableFieldsOf(version),
    ...(version.deprecated ? { advice: deprecation(group, version, names.kind) } : {}),
    defaults: (object) => completedObject(schema, object),
    validate: (object) => valueFaults(rules, object),
  });
  const scale = version.subresources?.scale;
  return Object.freeze({
    ...row,
    singular: names.singular ?? row.singular,
    ...(scale === undefined
      ? {}
      : {
          scale: {
            specReplicas: membersOf(scale.specReplicasPath),
            statusReplicas: membersOf(scale.statusReplicasPath),
            ...(scale.labelSelectorPath ? { labelSelector: membersOf(scale.labelSelectorPath) } : {}),
          },
        }),
  });
}

/**
 * Conversion strategy None: another version is the same object with another apiVersion. The kept version too: what it
 * was when an object was written may have been another.
 */
function storedAs(stored: Kind, kind: Kind): Kind {
  return Object.freeze({
    ...kind,
    stored: {
      kind: stored,
      write: inVersion(apiVersionOf(stored)),
      read: inVersion(apiVersionOf(kind)),
    },
  });
}

function inVersion(apiVersion: string): (object: KubeObject) => KubeObject {
  return (object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion });
}

function schemaOf(version: DefinitionVersion): JsonSchema {
  return version.schema?.openAPIV3Schema ?? { type: 'object', ...keepsAll };
}

/** `com.example.v1.Gate` */
function schemaKeyOf(group: string, version: string, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

/** Name and Age, or what the definition asks for after the name. */
function columnsOf({ additionalPrinterColumns }: DefinitionVersion): Column[] {
  if (additionalPrinterColumns === undefined || additionalPrinterColumns.length === 0) return [nameColumn, ageColumn];
  return [
    nameColumn,
    ...additionalPrinterColumns.map(({ name, type, jsonPath, priority = 0, description }): Column => {
      const path = parsePath(jsonPath);
      return {
        name,
        type: type === 'integer' || type === 'date' ? type : 'string',
        priority: priority > 0 ? 1 : 0,
        value: (object, nowMs) => cellOf(selectValues(path, object), type, nowMs),
        ...(description === undefined ? {} : { description }),
      };
    }),
  ];
}

/** Empty for what is not there, as upstream. */
function cellOf([value]: unknown[], type: string, nowMs: number): string | number | null {
  if (value === undefined || value === null) return null;
  if (type === 'date') return typeof value === 'string' ? ageOf(value, nowMs) : null;
  if (type === 'integer') return typeof value === 'number' ? Math.trunc(value) : null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function selectableFieldsOf({
  selectableFields = [],
}: DefinitionVersion): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const path = parsePath(jsonPath);
      return [jsonPath.replace(/^\./, ''), (object: KubeObject) => String(selectValues(path, object)[0] ?? '')];
    }),
  );
}

function deprecation(group: string, { name, deprecationWarning }: DefinitionVersion, kind: string): string {
  return deprecationWarning ?? `${group}/${name} ${kind} is deprecated`;
}

/** `.spec.replicas` as its members. */
function membersOf(path: string): string[] {
  return path.split('.').slice(1);
}

/** v2, v1, v1beta2, v1beta1, v1alpha1, and then by the alphabet. Source: kubernetes.io, "Version priority". */
function byPriority(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  for (const [index, rank] of left.entries()) if (rank !== right[index]) return right[index]! - rank;
  return a < b ? -1 : 1;
}

function rankOf(version: string): number[] {
  const found = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (found === null) return [0, 0, 0];
  const [, major, stage, minor] = found;
  return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor ?? 0)];
}
