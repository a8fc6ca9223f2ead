/** How a command that must fail has to fail: one sentence with a code on stderr, and its exit code. */
import { expect } from 'vitest';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Outcome } from './house.ts';

export interface Expected {
  code: ErrorCode;
  /** What the sentence has to name. */
  says: string | RegExp;
  exit?: number;
}

export function expectSentence(outcome: Outcome, { code, says, exit = 1 }: Expected): void {
  const sentences = outcome.stderr.trimEnd().split('\n');
  expect(sentences, outcome.stderr).toHaveLength(1);
  expect(sentences[0]).toMatch(new RegExp(`^error: .+ \\(${code}\\)$`));
  if (typeof says === 'string') expect(sentences[0]).toContain(says);
  else expect(sentences[0]).toMatch(says);
  expect(outcome.code).toBe(exit);
}
