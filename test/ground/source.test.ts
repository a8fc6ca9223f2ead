import { describe, expect, it } from 'vitest';
import { functionsOf, importsOf, maskSource } from './source.ts';

describe('masking', () => {
  const cases: [source: string, code: string][] = [
    ['a(); // Date.now()', 'a();'],
    ['a(); /* Date.now()\n */ b();', 'a(); \n b();'],
    ["f('Date.now()')", "f('          ')"],
    ["f('it\\'s', x)", "f('     ', x)"],
    ['f("a", "//")', 'f(" ", "  ")'],
    ['const r = /["/\\]/]+/g; x', 'const r = /        /g; x'],
    ['a / b / c', 'a / b / c'],
    ['(a) / b; g(/x/)', '(a) / b; g(/ /)'],
    ["return /'/.test(x);", 'return / /.test(x);'],
    [`\`a \${b} c\`; d`, '`     b    `; d'],
    [`\`a \${f({ k: \`\${deep}\` })} c\` + e`, '`     f({ k: `  deep ` })    ` + e'],
    ['#!/usr/bin/env node\nrun();', '\nrun();'],
  ];

  it.each(cases)('of %j leaves the code alone, in place', (source, code) => {
    const masked = maskSource(source);
    expect(masked.length).toBe(source.length);
    expect(squeeze(masked)).toBe(squeeze(code));
    for (const [index, character] of [...masked].entries())
      if (character !== ' ') expect(character).toBe(source[index]);
  });

  it('keeps lines, also in long comments and templates', () => {
    const source = `/*\n*\n*/\n\`\n\${a}\n\`\nb`;
    expect(maskSource(source).split('\n')).toHaveLength(source.split('\n').length);
  });
});

describe('imports', () => {
  const read = (source: string) => importsOf(source, maskSource(source));

  it('of every form are found with their names and lines', () => {
    const source = [
      "import a from 'one';",
      "import * as b from 'two';",
      "import c, { type D, e as f } from 'three';",
      "import type { G } from 'four';",
      "import { type H, type I } from 'five';",
      "import 'six';",
      "export * from 'seven';",
      "export type { J } from 'eight';",
      'export { k,\n  l } from "nine";',
      "const m = await import('ten');",
      'const n = await import(path);',
    ].join('\n');
    expect(read(source)).toEqual([
      { specifier: 'one', line: 1, typeOnly: false, names: ['*'] },
      { specifier: 'two', line: 2, typeOnly: false, names: ['*'] },
      { specifier: 'three', line: 3, typeOnly: false, names: ['*', 'e'] },
      { specifier: 'four', line: 4, typeOnly: true, names: ['G'] },
      { specifier: 'five', line: 5, typeOnly: true, names: [] },
      { specifier: 'six', line: 6, typeOnly: false, names: [] },
      { specifier: 'seven', line: 7, typeOnly: false, names: ['*'] },
      { specifier: 'eight', line: 8, typeOnly: true, names: ['J'] },
      { specifier: 'nine', line: 9, typeOnly: false, names: ['k', 'l'] },
      { specifier: 'ten', line: 11, typeOnly: false, names: ['*'] },
      { specifier: undefined, line: 12, typeOnly: false, names: ['*'] },
    ]);
  });

  it('in strings, comments and member names are none', () => {
    expect(read("f(\"import x from 'y'\"); // import 'z'\nobject.import('w'); export const from = 'v';")).toEqual([]);
  });
});

describe('functions', () => {
  const read = (source: string) => functionsOf(maskSource(source)).map(({ name, line, lines }) => [name, line, lines]);

  it('of every form are measured from their parameters to their last brace', () => {
    const source = `
function plain() {
}
async function typed<T>(a: { b: T }): Promise<{ c: string } | undefined> {
  if (a) {
  }
}
class Thing {
  constructor(readonly x = {}) {
  }
  get value(): { d: number } {
    return { d: 1 };
  }
  async #hidden(
    a: string,
  ): Promise<void> {
    for (const b of a) {
    }
  }
}
const arrow = (a: string): { e: number } => {
  return { e: 1 };
};
const expression = (a: string) => ({ a });
it('text', async () => {
  while (true) {
  }
});
const choice = test(a) ? call(b) : { c };
const callback: (a: string) => void = (a) => {
};
interface Port { open(a: string): void; close(): { f: string } }
`;
    expect(read(source)).toEqual([
      ['plain', 2, 2],
      ['typed', 4, 4],
      ['constructor', 9, 2],
      ['value', 11, 3],
      ['#hidden', 14, 6],
      ['arrow function', 21, 3],
      ['arrow function', 25, 4],
      ['arrow function', 30, 2],
    ]);
  });
});

function squeeze(text: string): string {
  return text.replace(/ +/g, ' ').trim();
}
