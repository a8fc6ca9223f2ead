/** Where a consumer of events goes on, also after the hub was restored from a backup. */
import { expect, test } from 'vitest';
import { formatCursor, parseCursor } from '../../../cloud/hub/event-cursor.ts';

const now = 'b'.repeat(32);
const before = { incarnation: 'a'.repeat(32), cursor: 40 };

test('a cursor means its place in the life that told it', () => {
  expect(parseCursor(formatCursor(now, 57), now, undefined)).toBe(57);
  expect(parseCursor('0', now, before)).toBe(0);
});

test('a cursor of the life before means the same up to the backup', () => {
  expect(parseCursor(formatCursor(before.incarnation, 40), now, before)).toBe(40);
  const lost = () => parseCursor(formatCursor(before.incarnation, 41), now, before);
  expect(lost).toThrow(expect.objectContaining({ code: 'E_REVISION_EXPIRED', details: { resume: '40-bbbbbbbbbbbb' } }));
});

test('a cursor of a life that nobody remembers begins anew', () => {
  const lost = () => parseCursor('7-cccccccccccc', now, before);
  expect(lost).toThrow(expect.objectContaining({ code: 'E_REVISION_EXPIRED', details: { resume: '0-bbbbbbbbbbbb' } }));
});

test.each(['', '-1', 'x', '7', '7-', '7-XYZ', '1e3-bbbb'])('%j is no cursor', (text) => {
  expect(() => parseCursor(text, now, before)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
});
