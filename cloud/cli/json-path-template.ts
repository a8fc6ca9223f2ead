/**
 * Templates of `-o jsonpath=`: text with `{…}` in it, where a path prints its values with blanks between, a quoted
 * text itself, and `{range PATH}…{end}` what is between for each value. Pure.
 * Source: Kubernetes, "JSONPath Support".
 */
import { type JsonPath, Scanner, scanPath, scanQuoted, selectValues } from '../kinds/json-path.ts';

export type Template = readonly Part[];

type Part = { text: string } | { path: JsonPath } | { each: JsonPath; parts: Part[] };

/** `E_USAGE` says where the template cannot be understood. */
export function parseTemplate(text: string): Template {
  const scanner = new Scanner(text);
  const whole: Part[] = [];
  // The bodies of the ranges that are open; the innermost last.
  const open: Part[][] = [whole];
  while (!scanner.atEnd) {
    const plain = scanner.match(/[^{]+/y);
    if (plain !== undefined) open.at(-1)!.push({ text: plain[0] });
    else scanAction(scanner, open);
  }
  if (open.length > 1) throw scanner.fault('{end} of a range is missing');
  return whole;
}

/** No line end of its own, as kubectl. */
export function renderTemplate(template: Template, root: unknown): string {
  return template.map((part) => renderPart(part, root)).join('');
}

/** How a value reads in a line: a text as it is, what is nested as JSON. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function renderPart(part: Part, root: unknown): string {
  if ('text' in part) return part.text;
  if ('path' in part) return selectValues(part.path, root).map(valueText).join(' ');
  return selectValues(part.each, root)
    .map((value) => renderTemplate(part.parts, value))
    .join('');
}

/** What stands between one `{` and its `}`. */
function scanAction(scanner: Scanner, open: Part[][]): void {
  scanner.expect('{');
  for (scanner.skipBlanks(); !scanner.take('}'); scanner.skipBlanks()) {
    if (scanner.atEnd) throw scanner.fault('} is missing');
    if (scanner.match(/range\s+/y)) {
      const range = { each: scanPath(scanner), parts: [] };
      open.at(-1)!.push(range);
      open.push(range.parts);
    } else if (scanner.match(/end\b/y)) {
      if (open.length === 1) throw scanner.fault('{end} without a {range}');
      open.pop();
    } else open.at(-1)!.push(scanPart(scanner));
  }
}

function scanPart(scanner: Scanner): Part {
  const text = scanQuoted(scanner);
  if (text !== undefined) return { text };
  if (['.', '[', '$', '@'].some((beginning) => scanner.sees(beginning))) return { path: scanPath(scanner) };
  throw scanner.fault('write a path such as .metadata.name, a "text", range or end');
}
