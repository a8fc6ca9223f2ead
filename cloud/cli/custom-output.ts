/** What a user asks to see of objects in words of their own: `-o jsonpath=…` and `-o custom-columns=…`. Pure. */
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { type JsonPath, parsePath, selectValues } from '../kinds/json-path.ts';
import { parseTemplate, renderTemplate, type Template, valueText } from './json-path-template.ts';
import { alignedLines, cellText } from './table.ts';

export type CustomOutput = { template: Template } | { columns: readonly Column[] };

interface Column {
  title: string;
  path: JsonPath;
}

/** Undefined for a word that is neither `jsonpath=…` nor `custom-columns=…`; `E_USAGE` for one that is wrong. */
export function parseCustomOutput(text: string): CustomOutput | undefined {
  const [, form, rest] = /^(jsonpath|custom-columns)=(.*)$/s.exec(text) ?? [];
  if (form === undefined || rest === undefined) return undefined;
  return form === 'jsonpath' ? { template: parseTemplate(rest) } : { columns: columnsOf(rest) };
}

/** `document` is what the template is asked of: one object, or the `List` of several. */
export function customText(
  output: CustomOutput,
  document: unknown,
  objects: readonly KubeObject[],
  headers: boolean,
): string {
  if ('template' in output) return renderTemplate(output.template, document);
  const rows = [...(headers ? [headOfColumns(output.columns)] : []), ...objects.map(rowOf(output.columns))];
  return alignedLines(rows)
    .map((line) => `${line}\n`)
    .join('');
}

export function headOfColumns(columns: readonly Column[]): string[] {
  return columns.map((column) => column.title);
}

/** Several values of one column are separated by commas, none is `<none>`. */
export function rowOf(columns: readonly Column[]): (object: KubeObject) => string[] {
  return (object) =>
    columns.map(({ path }) => {
      const values = selectValues(path, object).filter((value) => value !== null && value !== undefined);
      return values.length === 0 ? '<none>' : cellText(values.map(valueText).join(','));
    });
}

function columnsOf(text: string): Column[] {
  // A comma inside of brackets belongs to the path.
  return text.split(/,(?![^[]*\])/).map((part) => {
    const at = part.indexOf(':');
    const path = part.slice(at + 1).trim();
    if (at < 1 || path === '')
      throw new AppError(
        'E_USAGE',
        `-o custom-columns: write NAME:.path,NAME:.path; ${part || 'nothing'} is not NAME:.path`,
      );
    return { title: part.slice(0, at), path: parsePath(path) };
  });
}
