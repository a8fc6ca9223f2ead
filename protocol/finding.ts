/**
 * What a check thinks of one thing: a colour, the reason, and what to do. `stile-runtime check` and `stile check` look
 * alike and end alike. Pure.
 */
import { styleText } from 'node:util';

export type Colour = 'green' | 'yellow' | 'red';

export interface Finding {
  check: string;
  colour: Colour;
  reason: string;
  /** What to do; missing when nothing is to be done. */
  remedy?: string;
}

export function green(check: string, reason: string): Finding {
  return { check, colour: 'green', reason };
}

export function yellow(check: string, reason: string, remedy: string): Finding {
  return { check, colour: 'yellow', reason, remedy };
}

export function red(check: string, reason: string, remedy?: string): Finding {
  return { check, colour: 'red', reason, ...(remedy === undefined ? {} : { remedy }) };
}

/** Nothing is red. */
export function isFit(findings: readonly Finding[]): boolean {
  return findings.every(({ colour }) => colour !== 'red');
}

/** A line each, the remedy below it. Colours are words first, so that they survive a copy and a colour-blind eye. */
export function findingsText(findings: readonly Finding[], coloured: boolean): string {
  const colourWidth = widest(findings.map(({ colour }) => colour));
  const checkWidth = widest(findings.map(({ check }) => check));
  const indent = ' '.repeat('yellow'.length + 3);
  return findings
    .map(({ colour, check, reason, remedy }) => {
      const padding = ' '.repeat(colourWidth - colour.length);
      const line = `${coloured ? styleText(colour, colour) : colour}${padding}   ${check.padEnd(checkWidth)}   ${reason}`;
      return `${line.trimEnd()}\n${remedy === undefined ? '' : `${indent}-> ${remedy}\n`}`;
    })
    .join('');
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length));
}
