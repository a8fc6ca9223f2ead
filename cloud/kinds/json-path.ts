/**
 * Paths into an object as kubectl writes them: `.spec.nodeName`, `.items[*]`, `['a']`, `[-1]`, `[0:2]`, `..name`,
 * `[?(@.type=="Ready")].status`. What is not there gives no value and is no fault. Pure; nothing is evaluated.
 * Source: Kubernetes, "JSONPath Support".
 */
import { AppError } from '../../protocol/errors.ts';

export type JsonPath = readonly Step[];

type Step =
  /** `.a`, `['a']`, `['a','b.c']`. */
  | { step: 'keys'; keys: readonly Key[] }
  /** `[0]`, `[1:3]`, `[0,2]`. */
  | { step: 'elements'; ranges: readonly Range[] }
  /** `.*`, `[*]`. */
  | { step: 'all' }
  /** `..`: the value and all that is nested in it. */
  | { step: 'descendants' }
  /** `[?(@.a=="b")]`: the elements of a list for which it holds; without an operator, those that have it. */
  | { step: 'filter'; left: Operand; test?: { operator: Operator; right: Operand } };

interface Key {
  name: string;
  /** A quoted name with dots is one key where there is one, and else a path, as kubectl reads it. */
  parts: readonly string[];
}

interface Range {
  start: number | undefined;
  end: number | undefined;
  step: number;
}

type Operand = { path: JsonPath } | { literal: string | number | boolean };

/** Longer ones first: they are looked for in this order. */
const operators = ['==', '!=', '<=', '>=', '<', '>'] as const;
type Operator = (typeof operators)[number];

/** A whole path: `.a.b`, `a.b` or `{.a.b}`. `E_USAGE` says where it cannot be understood. */
export function parsePath(text: string): JsonPath {
  const bare = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1).trim() : text;
  const scanner = new Scanner(/^[.$@[]/.test(bare) ? bare : `.${bare}`);
  const path = scanPath(scanner);
  if (!scanner.atEnd) throw scanner.fault('a path ends here');
  return path;
}

/** All values that a path finds, in the order of the document. */
export function selectValues(path: JsonPath, root: unknown): unknown[] {
  let values = [root];
  for (const step of path) values = values.flatMap((value) => valuesOf(step, value));
  return values;
}

/** Reads a text from its beginning to its end. */
export class Scanner {
  readonly text: string;
  #at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.text.length;
  }

  /** Whether `token` comes next. */
  sees(token: string): boolean {
    return this.text.startsWith(token, this.#at);
  }

  /** Steps over `token` when it comes next. */
  take(token: string): boolean {
    if (!this.sees(token)) return false;
    this.#at += token.length;
    return true;
  }

  /** Steps over what a sticky (`y`) pattern matches here. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.fault(`${token} is missing`);
  }

  skipBlanks(): void {
    this.match(/\s*/y);
  }

  fault(reason: string): AppError {
    return new AppError(
      'E_USAGE',
      `the path ${this.text} cannot be understood: ${reason}, at character ${this.#at + 1}`,
    );
  }
}

/** The path that begins here; ends before whatever cannot belong to one. */
export function scanPath(scanner: Scanner): JsonPath {
  const steps: Step[] = [];
  // `$` and `@` both mean what the path is asked of, as with kubectl.
  if (!scanner.take('$')) scanner.take('@');
  for (;;) {
    if (scanner.take('..')) {
      steps.push({ step: 'descendants' });
      if (!scanner.sees('[')) steps.push(scanMember(scanner));
    } else if (scanner.take('.')) {
      // `.` alone is the object itself, and `.[0]` is written too.
      const member = scanner.sees('[') ? undefined : scanMember(scanner, steps.length === 0);
      if (member !== undefined) steps.push(member);
    } else if (scanner.take('[')) steps.push(scanBrackets(scanner));
    else return steps;
  }
}

/** A text in single or double quotes, its escapes resolved; undefined when none begins here. */
export function scanQuoted(scanner: Scanner): string | undefined {
  const quoted = scanner.match(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'/sy);
  if (quoted === undefined) {
    if (scanner.sees('"') || scanner.sees("'")) throw scanner.fault('a quote is not closed');
    return undefined;
  }
  return (quoted[1] ?? quoted[2]!).replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter);
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };

function scanMember(scanner: Scanner): Step;
function scanMember(scanner: Scanner, mayBeEmpty: boolean): Step | undefined;
function scanMember(scanner: Scanner, mayBeEmpty = false): Step | undefined {
  if (scanner.take('*')) return { step: 'all' };
  const word = scanner.match(/(?:[^\s.,[\](){}$@=<>!'"\\]|\\.)+/y);
  if (word !== undefined) {
    const name = word[0].replace(/\\(.)/g, '$1');
    return { step: 'keys', keys: [{ name, parts: [name] }] };
  }
  if (mayBeEmpty) return undefined;
  throw scanner.fault('the name of a field is missing');
}

function scanBrackets(scanner: Scanner): Step {
  scanner.skipBlanks();
  if (scanner.take('?')) return scanFilter(scanner);
  if (scanner.take('*')) return closed(scanner, { step: 'all' });
  if (scanner.sees("'") || scanner.sees('"'))
    return closed(scanner, { step: 'keys', keys: scanList(scanner, scanKey) });
  return closed(scanner, { step: 'elements', ranges: scanList(scanner, scanRange) });
}

function closed<S extends Step>(scanner: Scanner, step: S): S {
  scanner.skipBlanks();
  scanner.expect(']');
  return step;
}

function scanList<T>(scanner: Scanner, scanOne: (scanner: Scanner) => T): T[] {
  const list: T[] = [];
  do {
    scanner.skipBlanks();
    list.push(scanOne(scanner));
    scanner.skipBlanks();
  } while (scanner.take(','));
  return list;
}

function scanKey(scanner: Scanner): Key {
  const quoted = scanner.match(/'([^']*)'|"([^"]*)"/y);
  if (quoted === undefined) throw scanner.fault('a quoted name is missing');
  const text = quoted[1] ?? quoted[2]!;
  const plain = (part: string) => part.replace(/\\(.)/g, '$1');
  return { name: plain(text), parts: text.split(/(?<!\\)\./).map(plain) };
}

function scanRange(scanner: Scanner): Range {
  const match = scanner.match(/(-?\d+)?(?:(:)(-?\d+)?(?::(\d+)?)?)?/y)!;
  const [whole, first, colon, end, step] = match;
  if (whole === '') throw scanner.fault("an index, *, 'name' or ?(filter) is missing");
  if (step !== undefined && Number(step) === 0) throw scanner.fault('a step is 1 or more');
  const start = first === undefined ? undefined : Number(first);
  if (colon === undefined) return { start, end: start === -1 ? undefined : start! + 1, step: 1 };
  return { start, end: end === undefined ? undefined : Number(end), step: step === undefined ? 1 : Number(step) };
}

function scanFilter(scanner: Scanner): Step {
  scanner.expect('(');
  const left = scanOperand(scanner);
  const operator = operators.find((word) => scanner.take(word));
  const test = operator === undefined ? {} : { test: { operator, right: scanOperand(scanner) } };
  scanner.expect(')');
  return closed(scanner, { step: 'filter', left, ...test });
}

function scanOperand(scanner: Scanner): Operand {
  scanner.skipBlanks();
  const operand = readOperand(scanner);
  scanner.skipBlanks();
  return operand;
}

function readOperand(scanner: Scanner): Operand {
  const quoted = scanQuoted(scanner);
  if (quoted !== undefined) return { literal: quoted };
  const number = scanner.match(/-?\d+(?:\.\d+)?/y);
  if (number !== undefined) return { literal: Number(number[0]) };
  const truth = scanner.match(/(true|false)\b/y);
  if (truth !== undefined) return { literal: truth[1] === 'true' };
  if (scanner.sees('@') || scanner.sees('.') || scanner.sees('$')) return { path: scanPath(scanner) };
  throw scanner.fault('a filter compares @.paths, "texts" and numbers');
}

function valuesOf(step: Step, value: unknown): unknown[] {
  switch (step.step) {
    case 'keys':
      return step.keys.flatMap((key) => valuesOfKey(key, value));
    case 'elements':
      return Array.isArray(value) ? step.ranges.flatMap((range) => elementsOf(range, value)) : [];
    case 'all':
      return childrenOf(value);
    case 'descendants':
      return [value, ...childrenOf(value).flatMap((child) => valuesOf(step, child))];
    case 'filter':
      return Array.isArray(value) ? value.filter((element) => holds(step, element)) : [];
  }
}

function valuesOfKey({ name, parts }: Key, value: unknown): unknown[] {
  const whole = memberOf(value, name);
  if (whole.length > 0 || parts.length === 1) return whole;
  return parts.reduce<unknown[]>((found, part) => found.flatMap((one) => memberOf(one, part)), [value]);
}

function memberOf(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return [];
  return [(value as Record<string, unknown>)[name]];
}

function elementsOf({ start, end, step }: Range, list: readonly unknown[]): unknown[] {
  return list.slice(start, end).filter((_, index) => index % step === 0);
}

function childrenOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function holds({ left, test }: Extract<Step, { step: 'filter' }>, element: unknown): boolean {
  const lefts = operandValues(left, element);
  if (test === undefined) return lefts.length > 0;
  const rights = operandValues(test.right, element);
  return lefts.some((one) => rights.some((other) => compare(one, test.operator, other)));
}

function operandValues(operand: Operand, element: unknown): unknown[] {
  return 'literal' in operand ? [operand.literal] : selectValues(operand.path, element);
}

function compare(one: unknown, operator: Operator, other: unknown): boolean {
  if (operator === '==') return one === other;
  if (operator === '!=') return one !== other;
  const comparable =
    (typeof one === 'number' && typeof other === 'number') || (typeof one === 'string' && typeof other === 'string');
  if (!comparable) return false;
  switch (operator) {
    case '<':
      return one < other;
    case '<=':
      return one <= other;
    case '>':
      return one > other;
    case '>=':
      return one >= other;
  }
}
