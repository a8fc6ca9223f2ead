/**
 * TLS to the one hub whose authority this terminal pinned, for joining, blobs and the session. A terminal without a
 * battery wakes in 1970, and must reach the hub to learn better: so the dates of the hub's certificate are not held
 * against the terminal's clock. Everything else is: the authority's signature, the name that was dialled, and that it
 * is a server's certificate. The dates are held against the time floor here, and against the hub's time by the session.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
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

export interface PinnedConnection {
  socket: TLSSocket;
  /** Of the hub's certificate. */
  validity: Validity;
  /** By a ticket of an earlier connection, which saves both ends most of the work. */
  resumed: boolean;
}

/** A connection on which the peer showed itself to be the hub, and the TLS ticket that came with it. */
interface Ticket {
  session: Buffer;
  validity: Validity;
  /** When the certificate itself was seen. */
  verifiedMonotonicMs: number;
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
/** From dial to the end of the TLS handshake. */
const CONNECT_MS_MAX = 15_000;
const KEEP_ALIVE_MS = 60_000;
/** A ticket stands for a certificate that was seen; after so long the certificate itself is looked at again. */
const TICKET_MS_MAX = 24 * 3_600_000;
/** Addresses of the hub of which a ticket is kept. */
const TICKETS_MAX = 16;
/** Findings of Node that are decided here instead; with any other the peer is refused. */
const decidedHere: ReadonlySet<string> = new Set([
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  // Node does not know an IPv6 address in brackets; `pinnedFault` asks for the name itself.
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/**
 * Connects to the hub as `trust` says, which is asked each time because certificates are renewed. Keeps TLS tickets,
 * so that coming back costs no full handshake: on a resumed session Node shows no certificate, so a ticket is only
 * kept of a connection that passed, and stands for the certificate that was seen then. It is used until another comes:
 * over a resumed connection a server on Node sends none, and every second return would be a full handshake. RFC 8446,
 * appendix C.4, advises to use each once, lest a listener link the connections of one client; here its certificate's
 * name is the only thing that is hidden, and its address links them anyway.
 */
export class PinnedConnector {
  readonly #trust: () => PinnedTrust;
  readonly #tickets = new Map<string, Ticket>();
  #ticketsOf: string | undefined;

  constructor(trust: () => PinnedTrust) {
    this.#trust = trust;
  }

  /**
   * To `HOST:PORT`; not a byte is sent to a peer that is not the hub.
   * Errors: `E_IDENTITY_UNTRUSTED`, those of the socket, the signal's reason.
   */
  async connect(destination: string, signal?: AbortSignal): Promise<PinnedConnection> {
    signal?.throwIfAborted();
    const trust = this.#trust();
    const { hostname } = new URL(`https://${destination}`);
    const ticket = this.#ticketFor(destination, trust);
    const socket = dial(destination, trust, ticket?.session);
    let shown = false;
    socket.once('connect', () => {
      shown = true;
    });
    let verified: Omit<Ticket, 'session'> | undefined;
    socket.on('session', (session) => {
      if (verified !== undefined) this.#keep(destination, { ...verified, session });
    });
    try {
      await connected(socket, destination, signal);
    } catch (error) {
      // One that nobody saw is as good as before, however often a hub that is down is dialled in vain.
      if (shown) this.#forget(destination, ticket);
      throw error;
    }
    // Nothing came between the handshake and here: tickets are delivered by later events.
    const resumed = socket.isSessionReused() ? ticket : undefined;
    if (resumed === undefined) this.#forget(destination, ticket);
    const result = resumed ?? examined(socket, trust, hostname);
    if (typeof result === 'string') {
      socket.destroy();
      throw new AppError('E_IDENTITY_UNTRUSTED', `${destination} ${result}`);
    }
    verified = result;
    return { socket, validity: result.validity, resumed: resumed !== undefined };
  }

  /** A ticket speaks for the certificate with which it was got, so it goes with it. */
  #ticketFor(destination: string, { certificatePem = '', timeFloorMs }: PinnedTrust): Ticket | undefined {
    if (this.#ticketsOf !== certificatePem) this.#tickets.clear();
    this.#ticketsOf = certificatePem;
    const ticket = this.#tickets.get(destination);
    if (ticket === undefined || endedBefore(ticket.validity, timeFloorMs?.() ?? 0)) return undefined;
    return performance.now() - ticket.verifiedMonotonicMs < TICKET_MS_MAX ? ticket : undefined;
  }

  /** Unless a newer one took its place. */
  #forget(destination: string, ticket: Ticket | undefined): void {
    if (ticket !== undefined && this.#tickets.get(destination) === ticket) this.#tickets.delete(destination);
  }

  #keep(destination: string, ticket: Ticket): void {
    this.#tickets.delete(destination);
    this.#tickets.set(destination, ticket);
    if (this.#tickets.size > TICKETS_MAX) this.#tickets.delete(this.#tickets.keys().next().value!);
  }
}

/** The same for `undici`. */
export function pinnedConnector(trust: () => PinnedTrust): buildConnector.connector {
  const connector = new PinnedConnector(trust);
  return ({ hostname, port }, callback) => {
    connector.connect(`${hostname}:${port || '443'}`).then(
      ({ socket }) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

function dial(destination: string, trust: PinnedTrust, session: Buffer | undefined): TLSSocket {
  const { hostname, port } = new URL(`https://${destination}`);
  const host = bare(hostname);
  return connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ca: trust.caPem,
    ...(trust.certificatePem === undefined ? {} : { cert: trust.certificatePem, key: trust.keyPem }),
    ...(session === undefined ? {} : { session }),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    // Decided by `examined`, by all but the dates.
    rejectUnauthorized: false,
  })
    .setKeepAlive(true, KEEP_ALIVE_MS)
    .setNoDelay(true);
}

/** Resolves at the end of the handshake; the socket is gone when this rejects. */
function connected(socket: TLSSocket, destination: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) return resolve();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => done(signal?.reason);
    const late = () =>
      done(new AppError('E_LINK_UNREACHABLE', `${destination} did not answer within ${CONNECT_MS_MAX} ms`));
    const timer = setTimeout(late, CONNECT_MS_MAX);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('secureConnect', () => done());
    // Stays: whoever uses the socket later hears of its end by `close`.
    socket.on('error', done);
    socket.once('close', () => done(new AppError('E_LINK_UNREACHABLE', `${destination} hung up`)));
  });
}

/** From when to when `certificate` holds. */
export function validityOf(certificate: X509Certificate): Validity {
  return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime() };
}

/** What a new handshake showed, or what is wrong with it, as the end of a sentence. */
function examined(socket: TLSSocket, trust: PinnedTrust, host: string): Omit<Ticket, 'session'> | string {
  const certificate = socket.getPeerX509Certificate();
  const fault = pinnedFault(certificate, trust.caPem, host);
  if (fault !== undefined || certificate === undefined) return fault ?? 'shows no certificate';
  const finding = socket.authorizationError as unknown;
  if (typeof finding === 'string' && !decidedHere.has(finding))
    return `shows a certificate that TLS refuses (${finding})`;
  const validity = validityOf(certificate);
  if (endedBefore(validity, trust.timeFloorMs?.() ?? 0))
    return `shows a certificate that ended at ${certificate.validToDate.toISOString()}: that time has passed for certain`;
  return { validity, verifiedMonotonicMs: performance.now() };
}

/** Why `certificate` is not that of the hub at `host`; undefined when it is. Dates are not looked at. Pure. */
export function pinnedFault(certificate: X509Certificate | undefined, caPem: string, host: string): string | undefined {
  if (certificate === undefined) return 'shows no certificate';
  const authority = new X509Certificate(caPem);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    return 'is not the hub that this terminal trusts';
  if (certificate.ca || !certificate.keyUsage?.includes(SERVER_AUTHENTICATION))
    return 'shows a certificate that is not for a hub';
  const name = bare(host);
  const named = isIP(name) === 0 ? certificate.checkHost(name, { wildcards: false }) : certificate.checkIP(name);
  return named === undefined ? 'shows a certificate for another address: add this one with --advertise' : undefined;
}

/** An IPv6 address without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
