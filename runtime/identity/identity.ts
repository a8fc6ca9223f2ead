/**
 * Who this terminal is: its key, made here and never sent anywhere, the hub's certificate for it, the authority that
 * it trusts, and where the hub is found. In `DATA_DIR/identity`, each file written atomically and kept twice.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPair, sign, X509Certificate } from 'node:crypto';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import {
  checkNodeName,
  type EnrolAnswer,
  type EnrolRequest,
  proofText,
  type TerminalInfo,
} from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { type JoinToken, parseJoinToken } from '../../protocol/join-token.ts';
import { privateDirectory, readCopies, removeTwice, writeTwice } from '../../protocol/node/durable-file.ts';

export interface Identity {
  name: string;
  pool: string;
  /** `HOST:PORT` of the hub, in the order to try. */
  destinations: string[];
  keyPem: string;
  certificatePem: string;
  caPem: string;
}

/** Where an identity lies and where its keys come from. `realGround` is files and the machine's own chance. */
export interface IdentityGround {
  /** Makes `path` and what is above it, for its owner alone. */
  privateDirectory(path: string): Promise<void>;
  /** The copies of a file that can be read. Errors: `E_STORE_FAILED` when there are some and none can be read. */
  readCopies(path: string): Promise<string[]>;
  /** One copy after the other, each atomic and durable. Errors: `E_STORE_FAILED`. */
  writeTwice(path: string, content: string): Promise<void>;
  removeTwice(path: string): Promise<void>;
  /** A private key on P-256, PKCS#8 in PEM. */
  makeKey(): Promise<string>;
}

export const realGround: IdentityGround = {
  privateDirectory,
  readCopies,
  writeTwice,
  removeTwice,
  makeKey: async () => {
    const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  },
};

export interface EnrolOptions {
  /** `https://HOST:PORT` */
  hubUrl: string;
  token: string;
  name: string;
  dataDir: string;
  info: TerminalInfo;
  ground?: IdentityGround;
}

/** How the terminal reaches the hub before it has an identity. */
export interface EnrolFetcher {
  /** The authority that the hub names, trusted by nobody yet. Errors: `E_LINK_UNREACHABLE`. */
  authority(hubUrl: string): Promise<string>;
  /** Over TLS verified against `caPem`. Errors: the hub's own by code, `E_LINK_UNREACHABLE`, `E_IDENTITY_UNTRUSTED`. */
  enrol(hubUrl: string, caPem: string, request: EnrolRequest): Promise<EnrolAnswer>;
}

/**
 * The identity kept in `dataDir`, or undefined when this terminal never joined. Of several whole pairs of key and
 * certificate, as a power cut in the middle of a renewal leaves them, the latest counts.
 * Errors: `E_STORE_FAILED` when there is one and neither copy of some part can be read.
 */
export async function loadIdentity(
  dataDir: string,
  { readCopies }: Pick<IdentityGround, 'readCopies'> = realGround,
): Promise<Identity | undefined> {
  const files = filesOf(dataDir);
  const [keys, nextKeys, certificates, authorities, facts] = await Promise.all([
    readCopies(files.key),
    readCopies(files.nextKey),
    readCopies(files.certificate),
    readCopies(files.authority),
    readCopies(files.facts),
  ]);
  // The facts are written last: without them the joining was not finished.
  if (facts.length === 0) return undefined;
  const fact = facts.map(parseFacts).find((candidate) => candidate !== undefined);
  const pairs: Pick<Identity, 'keyPem' | 'certificatePem' | 'caPem'>[] = [];
  for (const certificatePem of certificates)
    for (const keyPem of [...keys, ...nextKeys])
      for (const caPem of authorities)
        if (belongTogether(keyPem, certificatePem, caPem)) pairs.push({ keyPem, certificatePem, caPem });
  const [latest] = pairs.sort((one, other) => beginMs(other.certificatePem) - beginMs(one.certificatePem));
  if (fact !== undefined && latest !== undefined) return { ...fact, ...latest };
  throw new AppError(
    'E_STORE_FAILED',
    `the identity in ${join(dataDir, 'identity')} is damaged, both copies: remove that directory and join again with a token made by "stile token create --pool POOL --node NAME --replace"`,
  );
}

/**
 * Joins: checks the hub against the token's fingerprint, shows the key, stores what comes back. When an answer is
 * lost, calling it again with the same data directory asks with the same key, which costs no further use.
 * Errors: `E_TOKEN_INVALID`, `E_TOKEN_EXPIRED`, `E_NAME_TAKEN`, `E_INPUT_INVALID`, `E_NOT_FOUND` (pool),
 * `E_IDENTITY_UNTRUSTED`, `E_LINK_UNREACHABLE`, `E_LINK_BUSY`, `E_STORE_FAILED`.
 */
export async function enrol(env: Env, options: EnrolOptions, fetcher: EnrolFetcher): Promise<Identity> {
  checkNodeName(options.name);
  const token = parseJoinToken(options.token);
  const hubUrl = checkHubUrl(options.hubUrl);
  const ground = options.ground ?? realGround;
  const keyPem = await ownKey(options.dataDir, ground);
  const caPem = await fetcher.authority(hubUrl);
  checkFingerprint(caPem, token, hubUrl);
  const request = enrolRequest(options, token, keyPem);
  const answer = await fetcher.enrol(hubUrl, caPem, request);
  if (answer.node !== options.name || !belongTogether(keyPem, answer.certificate, caPem))
    throw new AppError(
      'E_IDENTITY_UNTRUSTED',
      `the hub at ${hubUrl} answered with a certificate that is not this node's`,
    );
  const own = new URL(hubUrl).host;
  const identity: Identity = {
    name: answer.node,
    pool: answer.pool,
    destinations: [...new Set([...answer.destinations, own])],
    keyPem,
    certificatePem: answer.certificate,
    caPem,
  };
  await saveIdentity(options.dataDir, identity, ground);
  env.log.info('joined', { node: identity.name, pool: identity.pool, destinations: identity.destinations });
  return identity;
}

/**
 * The key of the next certificate: made and stored before it is first used, and the same one as long as it is not in
 * use, so that asking again after a lost answer is harmless. Errors: `E_STORE_FAILED`.
 */
export async function nextKey(dataDir: string, identity: Identity, ground = realGround): Promise<string> {
  // The key in use may lie in this very file still.
  await finishSwitch(dataDir, identity, ground);
  const path = filesOf(dataDir).nextKey;
  const kept = (await ground.readCopies(path)).find(isKey);
  // The old one, when the power went before it could be put away.
  if (kept !== undefined && kept !== identity.keyPem) return kept;
  return newKey(path, ground);
}

/** Whether `certificatePem` was made by the authority of `identity` for the key. */
export function isOurs(identity: Identity, keyPem: string, certificatePem: string): boolean {
  return belongTogether(keyPem, certificatePem, identity.caPem);
}

/**
 * Puts `identity` in the place of the one that is kept, as `loadIdentity` gives it after a power cut at any moment: its
 * key is kept as the next one, so the writing of the certificate is what switches. Asking twice is harmless.
 */
export async function switchIdentity(
  dataDir: string,
  identity: Identity,
  { writeTwice, removeTwice }: IdentityGround = realGround,
): Promise<void> {
  const files = filesOf(dataDir);
  await writeTwice(files.certificate, identity.certificatePem);
  await writeTwice(files.key, identity.keyPem);
  await writeTwice(files.facts, factsText(identity));
  await removeTwice(files.nextKey);
}

/**
 * Writes again what is not there twice as `identity` has it: finishes a switch that the power cut short, and replaces
 * what the flash lost while the other copy is still there. No write when all is whole. Resolves to the names of the
 * files that were not. Errors: `E_STORE_FAILED`.
 */
export async function finishSwitch(
  dataDir: string,
  identity: Identity,
  { readCopies, writeTwice }: IdentityGround = realGround,
): Promise<string[]> {
  const files = filesOf(dataDir);
  // The certificate first: with it, either key is good.
  const wanted = [
    [files.certificate, identity.certificatePem],
    [files.key, identity.keyPem],
    [files.authority, identity.caPem],
    [files.facts, factsText(identity)],
  ] as const;
  const mended: string[] = [];
  for (const [path, content] of wanted) {
    const copies = await readCopies(path).catch(() => []);
    if (copies.length === 2 && copies.every((copy) => copy === content)) continue;
    await writeTwice(path, content);
    mended.push(basename(path));
  }
  return mended;
}

/** Keeps a new list of where the hub is found, as the hub advertises it; an empty one is ignored. */
export async function saveDestinations(
  dataDir: string,
  identity: Identity,
  destinations: readonly string[],
  { writeTwice }: IdentityGround = realGround,
): Promise<Identity> {
  if (destinations.length === 0) return identity;
  const moved = { ...identity, destinations: [...destinations] };
  await writeTwice(filesOf(dataDir).facts, factsText(moved));
  return moved;
}

async function saveIdentity(dataDir: string, identity: Identity, { writeTwice }: IdentityGround): Promise<void> {
  const files = filesOf(dataDir);
  await writeTwice(files.certificate, identity.certificatePem);
  await writeTwice(files.authority, identity.caPem);
  await writeTwice(files.facts, factsText(identity));
}

function factsText({ name, pool, destinations }: Identity): string {
  return `${JSON.stringify({ name, pool, destinations })}\n`;
}

/** The key of this terminal; made and stored before it is first used. */
async function ownKey(dataDir: string, ground: IdentityGround): Promise<string> {
  await ground.privateDirectory(dataDir);
  await ground.privateDirectory(join(dataDir, 'identity'));
  const path = filesOf(dataDir).key;
  const kept = (await ground.readCopies(path)).find(isKey);
  return kept ?? newKey(path, ground);
}

async function newKey(path: string, { makeKey, writeTwice }: IdentityGround): Promise<string> {
  const keyPem = await makeKey();
  await writeTwice(path, keyPem);
  return keyPem;
}

function enrolRequest(options: EnrolOptions, token: JoinToken, keyPem: string): EnrolRequest {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  const text = Buffer.from(proofText(token.id, options.name, publicKey));
  const proof = sign('sha256', text, key).toString('base64');
  return { token: options.token.trim(), name: options.name, publicKey, proof, info: options.info };
}

/** Whatever stands at that address must show the very authority that the token was made by. */
function checkFingerprint(caPem: string, token: JoinToken, hubUrl: string): void {
  let fingerprint: string;
  try {
    fingerprint = createHash('sha256').update(new X509Certificate(caPem).raw).digest('base64url');
  } catch (error) {
    throw asAppError(error, 'E_IDENTITY_UNTRUSTED', `what answers at ${hubUrl} is no hub`);
  }
  if (fingerprint !== token.caFingerprint)
    throw new AppError(
      'E_IDENTITY_UNTRUSTED',
      `the hub at ${hubUrl} is not the one that made this join token: check --hub, or make a token at that hub`,
    );
}

function checkHubUrl(text: string): string {
  try {
    const url = new URL(text);
    if (url.protocol === 'https:' && url.hostname !== '' && url.pathname === '/') return url.origin;
  } catch {
    // Reported below, together with what parses and still is no hub.
  }
  throw new AppError('E_INPUT_INVALID', `${JSON.stringify(text)} is no address of a hub: use https://HOST:PORT`);
}

function belongTogether(keyPem: string, certificatePem: string, caPem: string): boolean {
  try {
    const certificate = new X509Certificate(certificatePem);
    return (
      certificate.checkPrivateKey(createPrivateKey(keyPem)) && certificate.verify(new X509Certificate(caPem).publicKey)
    );
  } catch {
    return false;
  }
}

function beginMs(certificatePem: string): number {
  return new X509Certificate(certificatePem).validFromDate.getTime();
}

function isKey(keyPem: string): boolean {
  try {
    return createPrivateKey(keyPem).asymmetricKeyType === 'ec';
  } catch {
    return false;
  }
}

function parseFacts(text: string): Pick<Identity, 'name' | 'pool' | 'destinations'> | undefined {
  try {
    const { name, pool, destinations } = JSON.parse(text) as Record<string, unknown>;
    const right = typeof name === 'string' && typeof pool === 'string' && Array.isArray(destinations);
    return right ? { name, pool, destinations: destinations.map(String) } : undefined;
  } catch {
    return undefined;
  }
}

function filesOf(dataDir: string) {
  const directory = join(dataDir, 'identity');
  return {
    key: join(directory, 'key.pem'),
    nextKey: join(directory, 'next-key.pem'),
    certificate: join(directory, 'cert.pem'),
    authority: join(directory, 'ca.pem'),
    facts: join(directory, 'node.json'),
  };
}
