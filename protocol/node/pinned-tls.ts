/**
 * TLS to the one hub whose authority this terminal pinned, for joining, blobs and the session. A terminal without a
 * battery wakes in 1970, and must reach the hub to learn better: so the dates of the hub's certificate are not held
 * against the terminal's clock. Everything else is: the authority's signature, the name that was dialled, and that it
 * is a server's certificate. The dates are held against the time floor here, and against the hub's time by the session.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { AppError } from '../errors.ts';
import { endedBefore, type Validity } from '../validity.ts';

export interface PinnedTrust {
  /** The one authority that counts. */
  caPem: string;
  /** This node's own, once it has one. */
  certificatePem?: string;
  keyPem?: string;
  /** Wall-clock ms that have certainly passed; absent: nothing is known of the time. */
  timeFloorMs?(): number;
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const CONNECT_MS_MAX = 15_000;
/** Findings of Node that are decided here instead; with any other the peer is refused. */
const decidedHere: ReadonlySet<string> = new Set([
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  // Node does not know an IPv6 address in brackets; `pinnedFault` asks for the name itself.
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/**
 * How `undici` connects; a peer that is not the hub is refused with `E_IDENTITY_UNTRUSTED` before a byte is sent.
 * One connector keeps its TLS tickets, so that coming back to the hub costs no full handshake.
 */
export function pinnedConnector(trust: PinnedTrust): buildConnector.connector {
  const connect = buildConnector({
    ca: trust.caPem,
    ...(trust.certificatePem === undefined ? {} : { cert: trust.certificatePem, key: trust.keyPem }),
    minVersion: 'TLSv1.3',
    timeout: CONNECT_MS_MAX,
    // Decided below, by all but the dates.
    rejectUnauthorized: false,
  });
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      const fault = socketFault(socket as TLSSocket, trust, options.hostname);
      if (fault === undefined) return callback(null, socket);
      socket.destroy();
      callback(new AppError('E_IDENTITY_UNTRUSTED', `${options.host ?? options.hostname} ${fault}`), null);
    });
}

/** As `pinnedConnector`, for a node whose certificate is renewed: `trust` is asked at each connection. */
export function renewableConnector(trust: () => PinnedTrust): buildConnector.connector {
  let current: { certificatePem: string | undefined; connector: buildConnector.connector } | undefined;
  return (options, callback) => {
    const wanted = trust();
    // TLS tickets speak for the certificate with which they were got, so they go with it.
    if (current === undefined || current.certificatePem !== wanted.certificatePem)
      current = { certificatePem: wanted.certificatePem, connector: pinnedConnector(wanted) };
    return current.connector(options, callback);
  };
}

/** Connects to `HOST:PORT` with `connector`; resolves when the peer has shown itself to be the hub. */
export function connectPinned(
  connector: buildConnector.connector,
  destination: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { hostname, host, port } = new URL(`https://${destination}`);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const options = { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), host, port, protocol: 'https:' };
    // `connect` of undici hands out the socket at once, whatever its type says.
    const socket = connector(options, (error, connected) => {
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) connected?.destroy();
      if (error === null && !signal.aborted) resolve(connected as TLSSocket);
      else reject(signal.aborted ? signal.reason : error);
    }) as unknown as TLSSocket;
    const onAbort = () => socket.destroy(new Error('no longer wanted'));
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** From when to when the peer's certificate holds; undefined when it shows none. */
export function peerValidity(socket: TLSSocket): Validity | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : validityOf(certificate);
}

export function validityOf(certificate: X509Certificate): Validity {
  return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime() };
}

function socketFault(socket: TLSSocket, trust: PinnedTrust, host: string): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  const fault = pinnedFault(certificate, trust.caPem, host);
  if (fault !== undefined || certificate === undefined) return fault;
  const finding = socket.authorizationError as unknown as string | null | undefined;
  if (typeof finding === 'string' && !decidedHere.has(finding))
    return `shows a certificate that TLS refuses (${finding})`;
  return endedBefore(validityOf(certificate), trust.timeFloorMs?.() ?? 0)
    ? `shows a certificate that ended at ${certificate.validToDate.toISOString()}: that time has passed for certain`
    : undefined;
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
