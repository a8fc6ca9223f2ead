/** The tables of protocol/README.md, as the code has them. They are the decoder's only source, so they must not age. */
import { type ErrorCode, errorTable } from '../../protocol/errors.ts';
import { messages } from '../../protocol/messages.ts';
import { knownKinds } from '../../protocol/objects/known-kinds.ts';
import { describeStructs } from '../../protocol/objects/object-schema.ts';

const lineWidth = 118;

/** Content of the fenced block ```NAME of the wire document. */
export const wireTables: Record<string, () => string> = {
  messages: () =>
    Object.entries(messages)
      .map(([name, { channel, kind, direction, shape }]) => {
        const description = shape.description.replaceAll(`uint<=${Number.MAX_SAFE_INTEGER}`, 'uint');
        return wrap(`${channel}.${kind} ${direction} ${name} ${description.replaceAll(',', ', ')}`);
      })
      .join('\n'),
  kinds: () =>
    knownKinds.map(({ code, apiVersion, kind, struct }) => `${code} ${apiVersion} ${kind} ${struct.name}`).join('\n'),
  structs: () =>
    describeStructs(knownKinds.map(({ struct }) => struct))
      .map(wrap)
      .join('\n'),
  errors: () => travellingErrors.map((code) => `${errorTable[code].wire} ${code}`).join('\n'),
};

/** Codes that `refuse` and `bye` carry; all others stay on their side. */
const travellingErrors = [
  'E_REMOTE',
  'E_INTERNAL',
  'E_WIRE_MALFORMED',
  'E_WIRE_TOO_LARGE',
  'E_WIRE_UNEXPECTED',
  'E_VERSION_UNSUPPORTED',
  'E_LINK_SILENT',
  'E_LINK_BUSY',
  'E_LINK_REPLACED',
  'E_IDENTITY_REFUSED',
  'E_IDENTITY_CONFLICT',
  'E_CANCELLED',
] as const satisfies readonly ErrorCode[];

/** `document` with the content of each table's block replaced. */
export function withWireTables(document: string): string {
  return Object.entries(wireTables).reduce(
    (text, [name, table]) =>
      text.replace(new RegExp(`(\`\`\`${name}\\n)[^\`]*(\`\`\`)`), (_, head, tail) => `${head}${table()}\n${tail}`),
    document,
  );
}

/** A line goes on in the next one when that begins with blanks. */
function wrap(line: string): string {
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > lineWidth) {
      lines.push(current);
      current = `   ${word}`;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current].join('\n');
}
