/**
 * Schemas of structs inside Kubernetes objects. On the wire a struct is an array: its fields by position, absent ones
 * as nil and trailing absent ones cut, then one last element with what the schema does not know: a map, or nil.
 */

/**
 * `json`: any JSON value. `words`: any JSON value but a number, and text of a table travels as its index. A struct, or
 * a list of structs, travels by position. A value that does not fit its field travels with the rest.
 */
export type Field = { readonly form: 'json' } | Words | Struct | { readonly form: 'list'; readonly of: Struct };

export interface Words {
  readonly form: 'words';
  readonly words: readonly string[];
  readonly indexByWord: ReadonlyMap<string, number>;
}

export interface Struct {
  readonly form: 'struct';
  /** For the wire document and the version ratchet. */
  readonly name: string;
  /** Position by position; `names` and `types` are its two halves, which a decoder walks side by side. */
  readonly fields: readonly (readonly [name: string, field: Field])[];
  readonly names: readonly string[];
  readonly types: readonly Field[];
  readonly fieldByName: ReadonlyMap<string, Field>;
}

export const json: Field = { form: 'json' };

export const listOf = (struct: Struct): Field => ({ form: 'list', of: struct });

/** Append only once released: an index is part of the protocol. */
export const words = (...table: string[]): Field => ({
  form: 'words',
  words: table,
  indexByWord: new Map(table.map((word, index) => [word, index])),
});

/** Fields in the order they are written. Append only once released: a position is part of the protocol. */
export function struct(name: string, fields: Record<string, Field>): Struct {
  return {
    form: 'struct',
    name,
    fields: Object.entries(fields),
    names: Object.keys(fields),
    types: Object.values(fields),
    fieldByName: new Map(Object.entries(fields)),
  };
}

/** `name: field field=struct field=[struct] field="word|word"`, one line for each struct that `roots` reach, by name. */
export function describeStructs(roots: Iterable<Struct>): string[] {
  const lines = new Map<string, string>();
  const visit = (struct: Struct): void => {
    const fields = struct.fields.map(([name, field]) => {
      if (field.form === 'json') return name;
      if (field.form === 'words') return `${name}="${field.words.join('|')}"`;
      const inner = field.form === 'list' ? field.of : field;
      visit(inner);
      return field.form === 'list' ? `${name}=[${inner.name}]` : `${name}=${inner.name}`;
    });
    lines.set(struct.name, `${struct.name}: ${fields.join(' ')}`);
  };
  for (const root of roots) visit(root);
  return [...lines.keys()].sort().map((name) => lines.get(name)!);
}
