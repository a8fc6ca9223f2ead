/**
 * The older OpenAPI document, of which clients read only the protobuf form (gnostic's openapi.v2.Document). It describes
 * nothing: kubectl turns to it for a kind that version 3 does not know, and without an answer would tell its user to
 * switch the validation off instead of which kind is missing. Pure.
 */
import type { Answer } from './parts.ts';

const mediaType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** `Document {1: swagger, 2: info {1: title, 2: version}}`; `title` is short and ASCII. */
export function openApiV2(title: string, version: string): Answer {
  const info = text(1, title) + text(2, version);
  return { type: 'text', code: 200, body: text(1, '2.0') + text(2, info), headers: { 'content-type': mediaType } };
}

/** A field of wire type 2. Tag and length are one byte each: below 128 they are the same in UTF-8. */
function text(field: number, content: string): string {
  return String.fromCharCode((field << 3) | 2, content.length) + content;
}
