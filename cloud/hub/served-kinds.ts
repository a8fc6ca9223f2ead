/** All that the API needs to know of the kinds that this hub serves: its own, and those that users have added. */

import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import type { WrittenKinds } from '../api/write-parts.ts';
import type { CustomKind } from '../kinds/custom/custom-kind.ts';
import type { Kind } from '../kinds/kind.ts';
import { kinds, olderKinds } from '../kinds/registry.ts';
import type { Schema } from '../kinds/schema.ts';
import { schemas, structuralFaults, unknownFields, unknownMembers } from '../kinds/structure.ts';

const own: readonly Kind[] = [...kinds, ...olderKinds];

export class ServedKinds implements WrittenKinds {
  /** By the name of the definition. */
  readonly #custom = new Map<string, CustomKind>();
  #kinds: readonly Kind[] = own;
  #schemas: Readonly<Record<string, Schema>> = schemas;
  #byPlural = byPlural(own);
  #byKind = byKind(own);

  get kinds(): readonly Kind[] {
    return this.#kinds;
  }

  get schemas(): Readonly<Record<string, Schema>> {
    return this.#schemas;
  }

  kindByPlural(group: string, version: string, plural: string): Kind | undefined {
    return this.#byPlural.get(`${group}/${version}/${plural}`);
  }

  /** What users have added, as it is kept. */
  get customKinds(): readonly Kind[] {
    return [...this.#custom.values()].map(({ stored }) => stored);
  }

  /** The row of an object's `apiVersion` and `kind`. */
  kindOf(apiVersion: string, kindName: string): Kind | undefined {
    return this.#byKind.get(`${apiVersion} ${kindName}`);
  }

  unknownFields(object: KubeObject, kind: Kind): string[] {
    return Object.hasOwn(schemas, kind.schema)
      ? unknownFields(object, kind)
      : unknownMembers(object, this.#schemas[kind.schema]);
  }

  /** What a user's schema asks for is checked with all its rules once the defaults are in: by the row itself. */
  structuralFaults(object: KubeObject, kind: Kind): FieldFault[] {
    return Object.hasOwn(schemas, kind.schema) ? structuralFaults(object, kind) : [];
  }

  /** Puts in, in place of what there was, what the definition of this name adds. */
  put(definition: string, added: CustomKind): void {
    this.#custom.set(definition, added);
    this.#renew();
  }

  remove(definition: string): void {
    if (this.#custom.delete(definition)) this.#renew();
  }

  #renew(): void {
    const added = [...this.#custom.values()];
    this.#kinds = [...own, ...added.flatMap((one) => one.kinds)];
    this.#schemas = Object.assign({}, ...added.map((one) => one.schemas), schemas);
    this.#byPlural = byPlural(this.#kinds);
    this.#byKind = byKind(this.#kinds);
  }
}

function byPlural(all: readonly Kind[]): Map<string, Kind> {
  return new Map(all.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));
}

function byKind(all: readonly Kind[]): Map<string, Kind> {
  return new Map(all.map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind]));
}
