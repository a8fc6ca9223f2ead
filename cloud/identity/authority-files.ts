/**
 * `DIR/pki`: the authority, the hub's own certificate and the first administrator's, each key and certificate in
 * one file, so that the two can never be torn apart. The authority is kept twice: without it no terminal in the
 * field would trust the hub again.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  privateDirectory,
  readCopies,
  readIfPresent,
  writeDurably,
  writeTwice,
} from '../../protocol/node/durable-file.ts';
import { Authority, createAuthorityMaterial, type KeyedCertificate } from './authority.ts';

/** A certificate with less time left is issued anew. */
const RENEW_BEFORE_MS = 60 * 24 * 3_600_000;

/**
 * The authority in `dataDir/pki`, made there at the first start.
 * Errors: `E_STORE_FAILED` when files are there but neither copy can be read: a new authority would shut out every
 * node, so that is never done silently.
 */
export async function openAuthority(env: Env, dataDir: string): Promise<Authority> {
  await privateDirectory(dataDir);
  await privateDirectory(join(dataDir, 'pki'));
  const path = join(dataDir, 'pki', 'authority.pem');
  const copies = await readCopies(path);
  const kept = copies.map(split).find((pair) => pair !== undefined);
  if (kept === undefined && copies.length > 0)
    throw new AppError(
      'E_STORE_FAILED',
      `the hub's authority ${path} and its copy are damaged: restore one of them from a backup; a new authority would shut out every enrolled node`,
    );
  const material = kept ?? (await createAuthorityMaterial(env));
  if (copies.length < 2 || copies.some((copy) => copy !== joined(material))) await writeTwice(path, joined(material));
  return Authority.from(env, material);
}

/** The hub's own certificate for `names`: the kept one while it names the same hosts and has time left. */
export async function serverCertificate(
  env: Env,
  authority: Authority,
  dataDir: string,
  names: readonly string[],
): Promise<KeyedCertificate> {
  const wanted = [...new Set(['127.0.0.1', '::1', 'localhost', ...names])].sort();
  return kept(env, authority, join(dataDir, 'pki', 'server.pem'), {
    fits: (certificate) => sameNames(certificate, wanted),
    issue: (notAfterMsMin) => authority.issueServer(wanted, notAfterMsMin),
  });
}

/** The first administrator's certificate, `O=system:masters`. */
export function administratorCertificate(env: Env, authority: Authority, dataDir: string): Promise<KeyedCertificate> {
  return kept(env, authority, join(dataDir, 'pki', 'administrator.pem'), {
    fits: () => true,
    issue: () => authority.issueAdministrator('stile-admin'),
  });
}

interface Wanted {
  fits(certificate: X509Certificate): boolean;
  /** `notAfterMsMin`: when the one before ends. */
  issue(notAfterMsMin: number): Promise<KeyedCertificate>;
}

/**
 * A new certificate never ends before the one that it replaces: while the hub's clock was ahead, terminals learned a
 * time floor of that time, and would take a hub that ends earlier for one that is over.
 */
async function kept(env: Env, authority: Authority, path: string, wanted: Wanted): Promise<KeyedCertificate> {
  const pair = split((await readIfPresent(path)) ?? '');
  let notAfterMsMin = 0;
  if (pair !== undefined) {
    const certificate = new X509Certificate(pair.certificatePem);
    const leftMs = certificate.validToDate.getTime() - env.clock.now();
    const begun = certificate.validFromDate.getTime() <= env.clock.now();
    const ours = certificate.verify(new X509Certificate(authority.certificatePem).publicKey);
    if (ours && begun && leftMs > RENEW_BEFORE_MS && wanted.fits(certificate)) return pair;
    if (ours) notAfterMsMin = certificate.validToDate.getTime();
  }
  const issued = await wanted.issue(notAfterMsMin);
  await writeDurably(path, joined(issued));
  return issued;
}

/** Compares the certificate's alternative names with `wanted`, addresses in whatever way they are written. */
function sameNames(certificate: X509Certificate, wanted: readonly string[]): boolean {
  const count = (certificate.subjectAltName ?? '').split(', ').length;
  const named = (name: string) =>
    isIP(name) === 0 ? certificate.checkHost(name, { wildcards: false }) : certificate.checkIP(name);
  return count === wanted.length && wanted.every((name) => named(name) !== undefined);
}

function joined(pair: KeyedCertificate): string {
  return pair.keyPem + pair.certificatePem;
}

/** Undefined unless both parts are there, whole, and belong together. */
function split(text: string): KeyedCertificate | undefined {
  const keyPem = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(text)?.[0];
  const certificatePem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(text)?.[0];
  if (keyPem === undefined || certificatePem === undefined) return undefined;
  try {
    const fits = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
    return fits ? { keyPem, certificatePem } : undefined;
  } catch {
    return undefined;
  }
}
