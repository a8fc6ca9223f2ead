/** Only what a trusted key has signed is taken for true, and only whole. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { machineOf, statementText, trustedStatement, updateKeys } from '../../../runtime/update/statement.ts';

const ours = generateKeyPairSync('ed25519');
const next = generateKeyPairSync('ed25519');
const statement = { version: '0.2.0', platform: 'linux-x64', bytes: 7, digest: 'ab'.repeat(32) };
const text = statementText(statement);
const line = (key: KeyObject, content = text) =>
  `signature ${sign(null, Buffer.from(content), key).toString('base64')}\n`;

test('one signature of a trusted key is enough, among others', () => {
  const keys = [ours.publicKey, next.publicKey];
  for (const key of [ours.privateKey, next.privateKey])
    expect(trustedStatement(text + line(key), keys)).toEqual(statement);
  const stranger = generateKeyPairSync('ed25519').privateKey;
  expect(trustedStatement(text + line(stranger) + line(ours.privateKey), keys)).toEqual(statement);
});

test.each<[string, string, KeyObject[], string]>([
  ['no key', text + line(ours.privateKey), [], 'E_UPDATE_UNTRUSTED'],
  ['another key', text + line(ours.privateKey), [next.publicKey], 'E_UPDATE_UNTRUSTED'],
  ['no signature', text, [ours.publicKey], 'E_INPUT_INVALID'],
  ['a byte changed', text.replace('0.2.0', '0.2.1') + line(ours.privateKey), [ours.publicKey], 'E_UPDATE_UNTRUSTED'],
  ['text after it', `${text}${line(ours.privateKey)}version 9.9.9\n`, [ours.publicKey], 'E_INPUT_INVALID'],
  ['text before it', `version 9.9.9\n${text}${line(ours.privateKey)}`, [ours.publicKey], 'E_UPDATE_UNTRUSTED'],
  ['signed nonsense', `x\n${line(ours.privateKey, 'x\n')}`, [ours.publicKey], 'E_INPUT_INVALID'],
  ['too many', text + line(ours.privateKey).repeat(9), [ours.publicKey], 'E_INPUT_INVALID'],
  ['nothing', '', [ours.publicKey], 'E_INPUT_INVALID'],
])('%s is refused', (_, given, keys, code) => {
  expect(() => trustedStatement(given, keys)).toThrow(expect.objectContaining({ code }));
});

test('a version that is none, or too many bytes, is refused though signed', () => {
  for (const changed of [{ version: 'next' }, { bytes: 2 ** 30 }]) {
    const other = statementText({ ...statement, ...changed });
    const signed = other + line(ours.privateKey, other);
    expect(() => trustedStatement(signed, [ours.publicKey])).toThrow(
      expect.objectContaining({ code: 'E_INPUT_INVALID' }),
    );
  }
});

test('keys are public ones of Ed25519, one or several in a file', () => {
  const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
  expect(updateKeys(pem(ours.publicKey) + pem(next.publicKey), 'f')).toHaveLength(2);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  const privatePem = ours.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  for (const bad of ['', 'x', pem(rsa), privatePem, pem(ours.publicKey).replace('MC', 'XX')])
    expect(() => updateKeys(bad, 'f')).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
});

test('the machine of an executable is in its header', () => {
  const own = readFileSync(process.execPath).subarray(0, 20);
  expect(machineOf(own)).toBe(`linux-${process.arch}`);
  const arm = Buffer.from(own);
  arm.writeUInt16LE(183, 18);
  expect(machineOf(arm)).toBe('linux-arm64');
  arm.writeUInt16LE(8, 18);
  expect(machineOf(arm)).toBe('another machine');
  expect(machineOf(Buffer.from('#!/bin/sh\nexec something'))).toBeUndefined();
  expect(machineOf(Buffer.alloc(0))).toBeUndefined();
});
