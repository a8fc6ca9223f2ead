/**
 * Schemas of structs inside Kubernetes objects. On the wire a struct is an array: its fields by position, absent ones
 * as nil and trailing absent ones cut, then one last element with what the schema does not know: a map, or nil.
 */

/**
 * `json`: any JSON value. `words`: any JSON value but a number, and text of a table travels as its index. A struct, or
 * a list of structs, travels by position. A value that does not fit its field travels with the rest.
 */
export type Field = 'json' | Words | Struct | { readonly listOf: Struct };

export interface Words {
  readonly words: readonly string[];
  readonly indexByWord: ReadonlyMap<string, number>;
}

export interface Struct {
  /** For the wire document and the version ratchet. */
  readonly name: string;
  /** Position by position. */
  readonly fields: readonly (readonly [name: string, field: Field])[];
  readonly fieldByName: ReadonlyMap<string, Field>;
}

export const json: Field = 'json';

export const listOf = (struct: Struct): Field => ({ listOf: struct });

/** Append only once released: an index is part of the protocol. */
export const words = (...table: string[]): Field => ({
  words: table,
  indexByWord: new Map(table.map((word, index) => [word, index])),
});

/** Fields in the order they are written. Append only once released: a position is part of the protocol. */
export function struct(name: string, fields: Record<string, Field>): Struct {
  return { name, fields: Object.entries(fields), fieldByName: new Map(Object.entries(fields)) };
}

/** `name: field field=struct field=[struct] field="word|word"`, one line for each struct that `roots` reach, by name. */
export function describeStructs(roots: Iterable<Struct>): string[] {
  const lines = new Map<string, string>();
  const visit = (struct: Struct): void => {
    const fields = struct.fields.map(([name, field]) => {
      if (field === 'json') return name;
      if ('words' in field) return `${name}="${field.words.join('|')}"`;
      const inner = 'listOf' in field ? field.listOf : field;
      visit(inner);
      return 'listOf' in field ? `${name}=[${inner.name}]` : `${name}=${inner.name}`;
    });
    lines.set(struct.name, `${struct.name}: ${fields.join(' ')}`);
  };
  for (const root of roots) visit(root);
  return [...lines.keys()].sort().map((name) => lines.get(name)!);
}
