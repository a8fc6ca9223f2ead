/** Rows with their columns in line: as wide as their widest cell, three spaces apart, one line a row. Pure. */
export function alignedText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('   ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
