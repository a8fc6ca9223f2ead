import { expect, it } from 'vitest';
import { AppError } from '../../protocol/errors.ts';
import { canonical, Trace, traceLog } from './trace.ts';

it('equal lines give equal hashes, and each line changes the hash', () => {
  const one = new Trace();
  const other = new Trace();
  const seen = new Set([one.hash()]);
  for (let index = 0; index < 3_000; index += 1) {
    one.line(index, 'node', 'info', `line ${index} ${'x'.repeat(100)}`);
    other.line(index, 'node', 'info', `line ${index} ${'x'.repeat(100)}`);
    if (index % 500 === 0) seen.add(one.hash());
  }
  expect(one.hash()).toBe(other.hash());
  expect(seen.size).toBe(7);
  other.line(1, 'node', 'info', 'more');
  expect(one.hash()).not.toBe(other.hash());
});

it('keeps the last lines, oldest first, and counts all', () => {
  const trace = new Trace({ keptLines: 3 });
  trace.line(0, 'node', 'info', 'a');
  expect(trace.tail()).toEqual(['0.000 node info a']);
  for (const text of ['b', 'c', 'd', 'e']) trace.line(1.5, 'node', 'warn', text);
  expect(trace.tail()).toEqual(['1.500 node warn c', '1.500 node warn d', '1.500 node warn e']);
  expect(trace.lines).toBe(5);
});

it('prints from the level asked for; the hash has every level', () => {
  const printed: string[] = [];
  const trace = new Trace({ print: { level: 'info', write: (line) => printed.push(line) } });
  const before = trace.hash();
  trace.line(0, 'node', 'wire', 'chatter');
  expect(trace.hash()).not.toBe(before);
  trace.line(0, 'node', 'info', 'fact');
  trace.line(0, 'node', 'error', 'fault');
  expect(printed).toEqual(['0.000 node info fact', '0.000 node error fault']);
});

it('a value has one spelling', () => {
  expect(canonical({ b: [1, undefined, null], a: new Map([['k', new Set([2n])]]) })).toBe(
    canonical({ a: new Map([['k', new Set([2n])]]), b: [1, undefined, null] }),
  );
  expect(canonical(Uint8Array.of(1, 2))).not.toBe(canonical(Uint8Array.of(1, 3)));
  const error = new AppError('E_TIMEOUT', 'too late', { cause: new Error('slow') });
  expect(canonical({ err: error })).toBe('{"err":error(E_TIMEOUT too late < error(slow))}');
});

it('a log line carries the fields of its parents, and the dead say nothing', () => {
  const lines: string[] = [];
  let alive = true;
  const log = traceLog(
    (level, text) => lines.push(`${level} ${text}`),
    () => alive,
  ).child({ svc: 'link' });
  log.info('connected', { afterMs: 5 });
  alive = false;
  log.error('lost');
  expect(lines).toEqual(['info connected {"afterMs":5,"svc":"link"}']);
});
