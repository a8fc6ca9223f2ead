/**
 * How things are named (RFC 1123 names, qualified names, label values).
 * Source: kubernetes.io "Object Names and IDs", "Labels and Selectors".
 */
import { type FieldFault, invalid } from './faults.ts';

/** Says what is wrong with a name, or nothing. */
export type NameRule = (name: string) => string | undefined;

const NAME_CHARS_MAX = 253;
const LABEL_CHARS_MAX = 63;

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** RFC 1123 label: a namespace, a container, a volume. */
export const isDnsLabel: NameRule = (name) =>
  name.length <= LABEL_CHARS_MAX && dnsLabel.test(name)
    ? undefined
    : "must be an RFC 1123 label: at most 63 lower case letters, digits or '-', and start and end with a letter or digit";

/** RFC 1123 subdomain: the name of most objects. */
export const isDnsSubdomain: NameRule = (name) =>
  name.length <= NAME_CHARS_MAX && dnsSubdomain.test(name)
    ? undefined
    : "must be an RFC 1123 subdomain: at most 253 lower case letters, digits, '-' or '.', and start and end with a letter or digit";

export function labelValueFaults(value: string, field: string): FieldFault[] {
  if (value === '' || (value.length <= LABEL_CHARS_MAX && qualifiedPart.test(value))) return [];
  return [
    invalid(
      field,
      value,
      "a label value must be empty or at most 63 letters, digits, '-', '_' or '.', and start and end with a letter or digit",
    ),
  ];
}

/** A qualified name: `name` or `prefix/name`. */
export function keyFaults(key: string, field: string): FieldFault[] {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const prefixWrong = slash >= 0 && isDnsSubdomain(key.slice(0, slash)) !== undefined;
  if (!prefixWrong && name.length <= LABEL_CHARS_MAX && qualifiedPart.test(name)) return [];
  return [
    invalid(
      field,
      key,
      "must be a name of at most 63 letters, digits, '-', '_' or '.', with an optional DNS subdomain and '/' before it",
    ),
  ];
}
