/**
 * What a terminal and the hub say to each other when the terminal joins: JSON over HTTPS, once in its life.
 * There is no certificate request (PKCS#10): possession of the key is shown by a signature over what is asked for.
 */
import { AppError } from './errors.ts';

/** What the terminal is, as its Node object shows it. */
export interface TerminalInfo {
  /** As Go and Kubernetes name it: `amd64`, `arm64`, `arm`. */
  architecture: string;
  /** `linux` */
  operatingSystem: string;
  /** Kubernetes quantities, e.g. `cpu: "4"`, `memory: "524288Ki"`, `pods: "110"`. */
  capacity: Record<string, string>;
  /** Members of a Node's status.nodeInfo, e.g. kernelVersion, osImage, bootID. */
  nodeInfo: Record<string, string>;
}

export interface EnrolRequest {
  token: string;
  name: string;
  /** SubjectPublicKeyInfo (DER) of the node's P-256 key, base64. */
  publicKey: string;
  /** ECDSA with SHA-256 (DER) over `proofText`, base64. */
  proof: string;
  info: TerminalInfo;
}

export interface EnrolAnswer {
  node: string;
  /** Empty when the hub lost its store since the node joined, and only the terminal knows. */
  pool: string;
  /** PEM. */
  certificate: string;
  /** PEM. */
  ca: string;
  /** `HOST:PORT` under which the hub is found, in the order to try. */
  destinations: string[];
}

/** Bytes of one request or answer. */
export const enrolBodyBytesMax = 64 * 1024;
const infoEntriesMax = 64;
const infoValueCharactersMax = 256;

/** The text that `proof` signs. The first line keeps the signature from meaning anything elsewhere. */
export function proofText(tokenId: string, name: string, publicKey: string): string {
  return `stile enrolment 1\n${tokenId}\n${name}\n${publicKey}\n`;
}

/** True for a DNS subdomain (RFC 1123), as Kubernetes wants a node's name; 253 characters at most. */
export function isNodeName(name: string): boolean {
  const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
  return name.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(name);
}

export function checkNodeName(name: string): void {
  if (isNodeName(name)) return;
  throw new AppError(
    'E_INPUT_INVALID',
    `${JSON.stringify(name.slice(0, 64))} cannot be a node's name: use lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit (RFC 1123)`,
  );
}

/** Errors: `E_INPUT_INVALID`. Only the shape is checked; what it means is the enrolment's business. */
export function readEnrolRequest(body: unknown): EnrolRequest {
  const { token, name, publicKey, proof, info } = asRecord(body, 'the request');
  const { architecture, operatingSystem, capacity, nodeInfo } = asRecord(info, 'info');
  return {
    token: asText(token, 'token'),
    name: asText(name, 'name'),
    publicKey: asText(publicKey, 'publicKey'),
    proof: asText(proof, 'proof'),
    info: {
      architecture: asText(architecture, 'info.architecture'),
      operatingSystem: asText(operatingSystem, 'info.operatingSystem'),
      capacity: asTexts(capacity, 'info.capacity'),
      nodeInfo: asTexts(nodeInfo, 'info.nodeInfo'),
    },
  };
}

/** Errors: `E_INPUT_INVALID`. */
export function readEnrolAnswer(body: unknown): EnrolAnswer {
  const { node, pool, certificate, ca, destinations } = asRecord(body, 'the answer');
  if (!Array.isArray(destinations) || destinations.length > infoEntriesMax) throw malformed('destinations');
  return {
    node: asText(node, 'node'),
    pool: pool === '' ? '' : asText(pool, 'pool'),
    certificate: asText(certificate, 'certificate', enrolBodyBytesMax),
    ca: asText(ca, 'ca', enrolBodyBytesMax),
    destinations: destinations.map((destination) => asText(destination, 'destinations')),
  };
}

function malformed(member: string): AppError {
  return new AppError('E_INPUT_INVALID', `enrolment: ${member} is missing or has the wrong form`);
}

function asRecord(value: unknown, member: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(member);
  return value as Record<string, unknown>;
}

function asText(value: unknown, member: string, charactersMax = 1_024): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > charactersMax) throw malformed(member);
  return value;
}

function asTexts(value: unknown, member: string): Record<string, string> {
  const entries = Object.entries(asRecord(value ?? {}, member));
  if (entries.length > infoEntriesMax) throw malformed(member);
  return Object.fromEntries(
    entries.map(([key, text]) => [key, asText(text, `${member}.${key.slice(0, 32)}`, infoValueCharactersMax)]),
  );
}
