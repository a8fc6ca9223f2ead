/** Short names for contents: equal contents give equal names, on every hub and after every restart. */
import { createHash } from 'node:crypto';

/** Consonants and digits that form no words and cannot be mistaken for each other. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `length` characters, at most 32, that stand for any JSON `value`; the order of its keys does not matter. */
export function objectHash(value: unknown, length: number): string {
  const digest = createHash('sha256').update(canonicalJson(value)).digest();
  return Array.from(digest.subarray(0, length), (byte) => alphabet[byte % alphabet.length]).join('');
}

/** JSON with sorted keys; members that are undefined do not exist. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}
