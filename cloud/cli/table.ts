/** Rows as kubectl prints them: columns aligned with three spaces between, no borders, one line a row. */
import CliTable from 'cli-table3';

/** The answer of a server that was asked for `as=Table`. Source: meta.k8s.io/v1 Table. */
export interface ServerTable {
  kind: 'Table';
  metadata?: { resourceVersion?: string; continue?: string };
  columnDefinitions: { name: string; type: string; priority?: number }[] | null;
  rows: ServerRow[] | null;
}

export interface ServerRow {
  cells: unknown[];
  /** PartialObjectMetadata by default. */
  object?: { kind?: string; metadata?: { name?: string; namespace?: string; uid?: string; resourceVersion?: string } };
}

const noBorders = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, '']),
  ),
);

/** Lines without their ends; trailing blanks are cut. */
export function alignedLines(rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const table = new CliTable({
    chars: { ...noBorders, middle: '   ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** Text that a table shows in one line: cut at the first line end, control characters escaped. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return '<none>';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const [line, ...more] = text.split(/[\r\n\f]/);
  return withoutControls(more.length > 0 ? `${line}...` : line!);
}

/** A name or message of the server must not drive the terminal (escape sequences). */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to catch.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/**
 * Prints rows that come one after the other under the same heading: what was widest in each column so far is laid
 * out along with each new row, so that columns keep their place until a wider value comes.
 */
export class GrowingTable {
  #widest: string[] = [];

  /** The lines of `rows`, aligned with everything before. */
  lines(rows: readonly (readonly string[])[]): string[] {
    for (const row of rows)
      this.#widest = row.map((cell, i) => (cell.length > (this.#widest[i]?.length ?? -1) ? cell : this.#widest[i]!));
    return alignedLines([this.#widest, ...rows]).slice(1);
  }
}
