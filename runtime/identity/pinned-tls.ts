/**
 * TLS to the one hub whose authority this terminal pinned. A terminal without a battery wakes in 1970, and must reach
 * the hub to learn better: so the dates of the hub's certificate alone are not held against it. Everything else is:
 * the authority's signature, the name that was dialled, and that it is a server's certificate.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { AppError } from '../../protocol/errors.ts';

export interface PinnedTrust {
  /** The one authority that counts. */
  caPem: string;
  /** This node's own, once it has one. */
  certificatePem?: string;
  keyPem?: string;
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const CONNECT_MS_MAX = 15_000;

/** How `undici` connects; a peer that is not the hub is refused with `E_IDENTITY_UNTRUSTED` before a byte is sent. */
export function pinnedConnector(trust: PinnedTrust): buildConnector.connector {
  const connect = buildConnector({
    ca: trust.caPem,
    ...(trust.certificatePem === undefined ? {} : { cert: trust.certificatePem, key: trust.keyPem }),
    minVersion: 'TLSv1.3',
    timeout: CONNECT_MS_MAX,
    // Decided below, by all but the dates. A resumed session shows no certificate to decide by: none is kept.
    rejectUnauthorized: false,
    maxCachedSessions: 0,
  });
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      const fault = pinnedFault((socket as TLSSocket).getPeerX509Certificate(), trust.caPem, options.hostname);
      if (fault === undefined) return callback(null, socket);
      socket.destroy();
      callback(new AppError('E_IDENTITY_UNTRUSTED', `${options.host ?? options.hostname} ${fault}`), null);
    });
}

/** Why `certificate` is not that of the hub at `host`; undefined when it is. Dates are not looked at. Pure. */
export function pinnedFault(certificate: X509Certificate | undefined, caPem: string, host: string): string | undefined {
  if (certificate === undefined) return 'shows no certificate';
  const authority = new X509Certificate(caPem);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    return 'is not the hub that this terminal trusts';
  if (certificate.ca || !certificate.keyUsage?.includes(SERVER_AUTHENTICATION))
    return 'shows a certificate that is not for a hub';
  const name = host.replace(/^\[(.*)\]$/, '$1');
  const named = isIP(name) === 0 ? certificate.checkHost(name, { wildcards: false }) : certificate.checkIP(name);
  return named === undefined ? 'shows a certificate for another address: add this one with --advertise' : undefined;
}
