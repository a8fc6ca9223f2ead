/** One number for everything that both sides must agree on byte by byte; `version.ts` keeps its history. */
import { createHash } from 'node:crypto';
import { dictionaryHistory } from './dictionary.ts';
import { channels, messages } from './messages.ts';
import { knownKinds } from './objects/known-kinds.ts';
import { describeStructs } from './objects/object-schema.ts';

/** SHA-256 in hex over a canonical text of messages, kinds, structs and dictionaries. */
export function protocolFingerprint(): string {
  const lines = [
    ...Object.entries(messages).map(
      ([name, { channel, kind, direction, shape }]) =>
        `message ${channels[channel]}.${kind} ${direction} ${name} ${shape.description}`,
    ),
    ...knownKinds.map(({ code, apiVersion, kind, struct }) => `kind ${code} ${apiVersion} ${kind} ${struct.name}`),
    ...describeStructs(knownKinds.map(({ struct }) => struct)).map((line) => `struct ${line}`),
    ...dictionaryHistory.map(
      ({ version, bytes }) => `dictionary ${version} ${createHash('sha256').update(bytes).digest('hex')}`,
    ),
  ];
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
