/**
 * Label and field selectors: from the words of `kubectl -l` and `--field-selector` to structures, and from those to
 * a predicate. Source: kubernetes.io "Labels and Selectors", "Field Selectors".
 */
import { AppError } from '../../errors.ts';
import { type KubeObject, type LabelSelector, matchesSelector } from '../../kubernetes.ts';
import { keyFaults, labelValueFaults } from '../kinds/names.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';
import type { FieldTerm, ListOptions } from './resource-reader.ts';

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** Longer selectors are refused: nobody writes them by hand and they are tried on every object. */
const SELECTOR_CHARS_MAX = 16_384;

const term =
  /^\s*(?:(?<absent>!)\s*(?<missing>[^\s=!<>(),]+)|(?<key>[^\s=!<>(),]+)\s*(?:(?<equality>==|=|!=)\s*(?<value>[^\s,()]*)|(?<set>in|notin)\s*\((?<values>[^()]*)\))?)\s*$/;

/** `a=b,c!=d,e in (x,y),f notin (z),g,!h`. `E_INPUT_INVALID` when it is none. An empty text selects everything. */
export function parseLabelSelector(text: string): LabelSelector {
  assertLength(text, 'label');
  const matchLabels: Record<string, string> = {};
  const matchExpressions: Expression[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const { key, value, expression } = parseTerm(part, text);
    // A second value for the same key may not replace the first: both must hold, so nothing can match.
    if (value !== undefined && !Object.hasOwn(matchLabels, key)) matchLabels[key] = value;
    else matchExpressions.push(expression);
  }
  return {
    ...(Object.keys(matchLabels).length > 0 ? { matchLabels } : {}),
    ...(matchExpressions.length > 0 ? { matchExpressions } : {}),
  };
}

/** `a=b,c!=d,e==f`; `\` takes the special meaning from `,`, `=` and `\`. `E_INPUT_INVALID` when it is none. */
export function parseFieldSelector(text: string): FieldTerm[] {
  assertLength(text, 'field');
  return splitUnescaped(text, ',')
    .filter((part) => part !== '')
    .map((part) => {
      const found = /^((?:[^\\=!]|\\.)+?)(==|!=|=)((?:[^\\=]|\\.)*)$/s.exec(part);
      if (found === null)
        throw new AppError(
          'E_INPUT_INVALID',
          `invalid field selector "${text}": "${part}" is not PATH=VALUE or PATH!=VALUE`,
        );
      const [, path, operator, value] = found as unknown as [string, string, string, string];
      return { path: path.trim(), operator: operator === '!=' ? '!=' : '=', value: value.replaceAll(/\\(.)/gs, '$1') };
    });
}

/**
 * What a list or watch of `kind` lets through. `E_INPUT_INVALID` for a field by which the kind cannot be selected.
 */
export function compileFilter(
  kind: ResourceKind,
  options: Pick<ListOptions, 'namespace' | 'labels' | 'fields' | 'where'>,
): (object: KubeObject) => boolean {
  const { namespace, labels, where } = options;
  const fields = (options.fields ?? []).map((field) => compileField(kind, field));
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (where === undefined || where(object.metadata.namespace, object.metadata.name)) &&
    (labels === undefined || matchesSelector(labels, object.metadata.labels)) &&
    fields.every((matches) => matches(object));
}

function compileField(kind: ResourceKind, { path, operator, value }: FieldTerm): (object: KubeObject) => boolean {
  const read = fieldReader(kind, path);
  return operator === '=' ? (object) => read(object) === value : (object) => read(object) !== value;
}

function fieldReader(kind: ResourceKind, path: string): (object: KubeObject) => string {
  if (path === 'metadata.name') return (object) => object.metadata.name;
  if (path === 'metadata.namespace') return (object) => object.metadata.namespace ?? '';
  if (Object.hasOwn(kind.selectableFields, path)) return kind.selectableFields[path]!;
  const supported = ['metadata.name', 'metadata.namespace', ...Object.keys(kind.selectableFields)].join(', ');
  throw new AppError(
    'E_INPUT_INVALID',
    `field label not supported: ${path}: ${kind.plural} can be selected by ${supported}`,
  );
}

interface Term {
  key: string;
  /** Of a plain `key=value`. */
  value?: string;
  expression: Expression;
}

function parseTerm(part: string, whole: string): Term {
  const groups = term.exec(part)?.groups;
  if (groups === undefined)
    throw new AppError('E_INPUT_INVALID', `invalid label selector "${whole}": "${part.trim()}" is not understood`);
  const parsed = termOf(groups);
  const fault = [
    ...keyFaults(parsed.key, 'key'),
    ...(parsed.expression.values ?? []).flatMap((value) => labelValueFaults(value, 'value')),
  ][0];
  if (fault !== undefined)
    throw new AppError('E_INPUT_INVALID', `invalid label selector "${whole}": ${fault.field}: ${fault.message}`);
  return parsed;
}

function termOf(groups: Record<string, string | undefined>): Term {
  const { missing, key = '', equality, value = '', set, values = '' } = groups;
  if (missing !== undefined) return { key: missing, expression: { key: missing, operator: 'DoesNotExist' } };
  if (equality === '!=') return { key, expression: { key, operator: 'NotIn', values: [value] } };
  if (equality !== undefined) return { key, value, expression: { key, operator: 'In', values: [value] } };
  if (set === undefined) return { key, expression: { key, operator: 'Exists' } };
  const list = values.split(',').map((one) => one.trim());
  return { key, expression: { key, operator: set === 'in' ? 'In' : 'NotIn', values: list } };
}

function splitOutsideParentheses(text: string): string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let begin = 0;
  let inside = false;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(') inside = true;
    else if (text[index] === ')') inside = false;
    else if (text[index] === ',' && !inside) {
      parts.push(text.slice(begin, index));
      begin = index + 1;
    }
  }
  return [...parts, text.slice(begin)];
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts = [''];
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char === separator) parts.push('');
    else parts[parts.length - 1] += char === '\\' ? char + (text[++index] ?? '') : char;
  }
  return parts;
}

function assertLength(text: string, what: string): void {
  if (text.length > SELECTOR_CHARS_MAX)
    throw new AppError('E_INPUT_INVALID', `a ${what} selector may have ${SELECTOR_CHARS_MAX} characters at most`);
}
