/**
 * Reads TypeScript without a compiler, well enough to judge it: the newest compiler has no JavaScript API. Comments,
 * strings and regular expressions are blanked first, position by position, so that patterns meet code alone and line
 * numbers stay true.
 */

export interface Import {
  /** As written, e.g. `../env.ts`; undefined for a dynamic import whose path is computed. */
  specifier: string | undefined;
  line: number;
  /** Gone at run time. */
  typeOnly: boolean;
  /** Imported names, `*` for a namespace, a default or a dynamic import; type-only names are left out. */
  names: string[];
}

export interface FunctionExtent {
  name: string;
  line: number;
  lines: number;
}

/** The same text with everything but code as spaces. The quotes of strings stay, so that `f('x')` is not `f()`. */
export function maskSource(text: string): string {
  return new Masker(text).run();
}

/** `masked` is `maskSource(text)`. */
export function importsOf(text: string, masked: string): Import[] {
  const imports: Import[] = [];
  const line = lineCounter(text);
  for (const match of masked.matchAll(staticImport)) {
    const { typeWord, clause } = match.groups!;
    const names = namesOf(clause ?? '');
    const typeOnly = typeWord !== undefined || (clause?.includes('{') === true && names.length === 0);
    imports.push({ specifier: stringEndingAt(text, match), line: line(match.index), typeOnly, names });
  }
  for (const match of masked.matchAll(dynamicImport)) {
    const literal = match[1] !== undefined;
    const specifier = literal ? stringEndingAt(text, match) : undefined;
    imports.push({ specifier, line: line(match.index), typeOnly: false, names: ['*'] });
  }
  return imports;
}

/** Functions, methods and arrow functions that have a body in braces, nested ones too. */
export function functionsOf(masked: string): FunctionExtent[] {
  const extents: FunctionExtent[] = [];
  const closes = matchBrackets(masked);
  const line = lineCounter(masked);
  const add = (name: string, start: number, body: number) => {
    const end = closes.get(body) ?? masked.length - 1;
    extents.push({ name, line: line(start), lines: line(end) - line(start) + 1 });
  };
  for (const [open, close] of closes) {
    if (masked[open] !== '(') continue;
    const word = masked.slice(Math.max(0, open - LOOK_BACK), open).match(/([\w$#]+)\s*(?:<[^()]*>)?\s*$/)?.[1];
    const body = bodyAfter(masked, close + 1, closes);
    if (body === undefined) continue;
    if (body.arrow) add('arrow function', open, body.at);
    else if (word !== undefined && !controlWords.has(word)) add(word, open, body.at);
  }
  return extents.sort((left, right) => left.line - right.line);
}

/** Line number, from 1, of an offset. */
export function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** Characters that tell what a parenthesis or a slash is about. */
const LOOK_BACK = 200;

const staticImport =
  /(?<![\w$.])(?:import|export)\s+(?<typeWord>type\s+(?=[\w${*]))?(?:(?<clause>(?:[\w$]+\s*,?\s*)?(?:\{[^{}]*\}|\*(?:\s*as\s+[\w$]+)?)?)\s*from\s*)?(?<quote>['"])/g;
const dynamicImport = /(?<![\w$.])import\s*\(\s*(['"`])?/g;

/** Words before a parenthesis that make no function of what follows. */
const controlWords = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'with',
  'return',
  'await',
  'typeof',
  'of',
  'in',
]);

/** Words after which a slash begins a regular expression. */
const operatorWords = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|do|else|instanceof|await|yield)$/;

/** The string whose opening quote is the last character of the match. */
function stringEndingAt(text: string, match: RegExpMatchArray): string {
  const start = match.index! + match[0].length;
  const end = text.indexOf(text[start - 1]!, start);
  return text.slice(start, end);
}

function namesOf(clause: string): string[] {
  const names: string[] = [];
  const braces = clause.match(/\{([^{}]*)\}/)?.[1] ?? '';
  const rest = clause.replace(/\{[^{}]*\}/, '').replace(/[\s,]/g, '');
  if (rest !== '') names.push('*');
  for (const item of braces.split(',')) {
    const name = item.trim();
    if (name !== '' && !/^type\s/.test(name)) names.push(name.split(/\s+as\s+/)[0]!);
  }
  return names;
}

/** The body in braces after a parameter list that ended before `start`: directly, or after a return type or arrow. */
function bodyAfter(
  masked: string,
  start: number,
  closes: Map<number, number>,
): { at: number; arrow: boolean } | undefined {
  let at = skipSpace(masked, start);
  if (masked[at] === '{') return { at, arrow: false };
  const typed = masked[at] === ':';
  if (!typed && !masked.startsWith('=>', at)) return undefined;
  let angles = 0;
  // An object type may stand where a type must come; after it a brace begins the body.
  let needsType = typed;
  for (at = typed ? skipSpace(masked, at + 1) : at; at < masked.length; at = skipSpace(masked, at + 1)) {
    const character = masked[at]!;
    if (masked.startsWith('=>', at) && angles === 0) {
      const next = skipSpace(masked, at + 2);
      return masked[next] === '{' ? { at: next, arrow: true } : undefined;
    }
    if (character === '{' && !needsType && angles === 0) return { at, arrow: false };
    if (closes.has(at)) at = closes.get(at)!;
    else if (character === '<') angles += 1;
    else if (character === '>' && masked[at - 1] !== '=') angles -= 1;
    else if (/[;,)}]/.test(character) && angles === 0) return undefined;
    needsType = character === '|' || character === '&';
  }
  return undefined;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at]!)) at += 1;
  return at;
}

/** Opening to closing position of (), [] and {}. */
function matchBrackets(masked: string): Map<number, number> {
  const closes = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < masked.length; at += 1) {
    const character = masked[at]!;
    if ('([{'.includes(character)) open.push(at);
    else if (')]}'.includes(character)) {
      const start = open.pop();
      if (start !== undefined) closes.set(start, at);
    }
  }
  return closes;
}

/** One pass over the text; templates nest, so the braces inside `${…}` are counted. */
class Masker {
  readonly #text: string;
  readonly #out: string[];
  /** For each open template expression, how many braces are open inside it. */
  readonly #templates: number[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#out = text.split('');
  }

  run(): string {
    if (this.#text.startsWith('#!')) this.#blankTo(this.#lineEnd());
    while (this.#at < this.#text.length) this.#step();
    return this.#out.join('');
  }

  #step(): void {
    const character = this.#text[this.#at]!;
    const pair = this.#text.slice(this.#at, this.#at + 2);
    if (pair === '//') this.#blankTo(this.#lineEnd());
    else if (pair === '/*') this.#blankTo(this.#endOf('*/', this.#at + 2));
    else if (character === "'" || character === '"') this.#string(character);
    else if (character === '`') this.#template();
    else if (character === '/' && this.#regexMayStart()) this.#regex();
    else this.#code(character);
  }

  #code(character: string): void {
    const depth = this.#templates.at(-1);
    if (depth === 0 && character === '}') {
      this.#templates.pop();
      this.#template();
      return;
    }
    if (depth !== undefined && character === '{') this.#templates[this.#templates.length - 1] = depth + 1;
    if (depth !== undefined && character === '}') this.#templates[this.#templates.length - 1] = depth - 1;
    this.#at += 1;
  }

  /** Otherwise the slash divides. */
  #regexMayStart(): boolean {
    const before = this.#out
      .slice(Math.max(0, this.#at - LOOK_BACK), this.#at)
      .join('')
      .trimEnd();
    return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) || operatorWords.test(before);
  }

  #string(quote: string): void {
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== quote && this.#text[end] !== '\n')
      end += this.#text[end] === '\\' ? 2 : 1;
    this.#at += 1;
    this.#blankTo(end);
    this.#at += 1;
  }

  #regex(): void {
    let inClass = false;
    let end = this.#at + 1;
    for (; end < this.#text.length && this.#text[end] !== '\n'; end += 1) {
      const character = this.#text[end]!;
      if (character === '\\') end += 1;
      else if (character === '[') inClass = true;
      else if (character === ']') inClass = false;
      else if (character === '/' && !inClass) break;
    }
    this.#at += 1;
    this.#blankTo(end);
    this.#at += 1;
  }

  /** From a backtick, or from the brace that ends an expression, to the next expression or the closing backtick. */
  #template(): void {
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '`' && this.#text.slice(end, end + 2) !== '${')
      end += this.#text[end] === '\\' ? 2 : 1;
    const opens = this.#text[end] === '$';
    if (this.#text[this.#at] === '}') this.#out[this.#at] = ' ';
    this.#at += 1;
    this.#blankTo(end);
    if (opens) {
      this.#templates.push(0);
      this.#blankTo(end + 2);
    } else this.#at += 1;
  }

  #blankTo(end: number): void {
    for (; this.#at < Math.min(end, this.#text.length); this.#at += 1)
      if (this.#text[this.#at] !== '\n') this.#out[this.#at] = ' ';
  }

  #lineEnd(): number {
    return this.#endOf('\n', this.#at) - 1;
  }

  #endOf(end: string, from: number): number {
    const found = this.#text.indexOf(end, from);
    return found === -1 ? this.#text.length + 1 : found + end.length;
  }
}
