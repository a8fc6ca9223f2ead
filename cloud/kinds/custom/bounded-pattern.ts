/**
 * Patterns of users, which must not hold the hub: whoever may write an object chooses what is matched. An adapter: it
 * sets a flag of the engine and runs code with a time limit. Upstream matches in linear time always (RE2).
 */
import { setFlagsFromString } from 'node:v8';
import { createContext, Script } from 'node:vm';

/** Of one match, where the engine cannot promise linear time: bounded repetitions, look-arounds, back references. */
const MATCH_MS_MAX = 50;

export interface BoundedPattern {
  /** False too when it took too long. */
  test(text: string): boolean;
}

setFlagsFromString('--enable-experimental-regexp-engine');

/** Errors: `SyntaxError` for a pattern that is none. */
export function boundedPattern(pattern: string): BoundedPattern {
  const plain = new RegExp(pattern);
  try {
    return new RegExp(pattern, 'l');
  } catch {
    return { test: (text) => matchInTime(plain, text) };
  }
}

const context = createContext({ pattern: undefined as RegExp | undefined, text: '' });
const match = new Script('pattern.test(text)');

function matchInTime(pattern: RegExp, text: string): boolean {
  context.pattern = pattern;
  context.text = text;
  try {
    return match.runInContext(context, { timeout: MATCH_MS_MAX }) as boolean;
  } catch {
    return false;
  } finally {
    context.text = '';
  }
}
