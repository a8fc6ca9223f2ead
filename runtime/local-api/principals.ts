/**
 * Who calls the local API. The owner of the data directory has a token of its own; an app's token is computed from
 * its pod's uid, so that it needs no row, is the same after any restart, and ends with the pod. Pure.
 *
 *   owner.SECRET            the owner
 *   app.UID.MAC             a pod
 *   read.WHO.ID.MAC         a ticket in a URL: reads one twin, for clients that cannot send a header
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../protocol/errors.ts';
import { annotations, mayTwin, ownerRights, type Rights, rightsOf, type TwinVerb } from './rights.ts';

export interface Principal {
  /** `owner`, or `NAMESPACE/NAME` of the pod. */
  name: string;
  /** The pod's uid; undefined: the owner. */
  uid?: string;
  namespace?: string;
  rights: Rights;
  /** What its pod's annotations said; undefined: the owner. */
  grant?: string;
  /** Came by a ticket: only reads this twin. */
  ticketFor?: string;
}

export interface AppPod {
  namespace: string;
  name: string;
  annotations?: Readonly<Record<string, string>>;
}

export interface PrincipalParts {
  nodeName: string;
  /** Part of the owner's token. */
  ownerSecret: string;
  /** Signs what apps and tickets show; never leaves the process. */
  key: Uint8Array;
  /** A pod that this terminal keeps; undefined when it is none of its own any more. */
  pod(uid: string): AppPod | undefined;
  /** An annotation that cannot be read was met. */
  onFault(pod: AppPod, fault: string): void;
}

const OWNER = 'owner';
/** Headers that were found right, remembered because each look costs several hashes: more than most answers. */
const KNOWN_MAX = 256;

export class Principals {
  readonly #parts: PrincipalParts;
  /** Whose token a header shows, by the header. A pod is looked up each time, for it may be gone. */
  readonly #known = new Map<string, { uid: string | undefined }>();
  readonly #rights = new WeakMap<object, ReturnType<typeof rightsOf>>();

  constructor(parts: PrincipalParts) {
    this.#parts = parts;
  }

  get nodeName(): string {
    return this.#parts.nodeName;
  }

  get ownerToken(): string {
    return `${OWNER}.${this.#parts.ownerSecret}`;
  }

  /** The token of a pod's apps. */
  tokenOf(uid: string): string {
    return `app.${uid}.${this.#mac('app', uid)}`;
  }

  /** A ticket that reads the twin `id` for as long as `principal` may. */
  ticketOf(principal: Principal, id: string): string {
    const who = principal.uid ?? OWNER;
    return `read.${who}.${encode(id)}.${this.#mac('read', who, id)}`;
  }

  /** By the header `Authorization`. Errors: `E_UNAUTHORIZED`. */
  identify(authorization: string | undefined): Principal {
    const { uid } = this.#known.get(authorization ?? '') ?? this.#verified(authorization ?? '');
    return uid === undefined ? { name: OWNER, rights: ownerRights } : this.#app(uid);
  }

  /** Errors: `E_UNAUTHORIZED`. */
  #verified(authorization: string): { uid: string | undefined } {
    const holder = { uid: this.#holderOf(authorization) };
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(authorization, holder);
    return holder;
  }

  /** The pod's uid; undefined: the owner. Errors: `E_UNAUTHORIZED`. */
  #holderOf(authorization: string): string | undefined {
    const token = tokenIn(authorization);
    if (token === undefined)
      throw new AppError('E_UNAUTHORIZED', 'show who you are: Authorization: Bearer TOKEN, with STILE_API_TOKEN');
    const [kind, who = '', mac = '', ...rest] = token.split('.');
    if (rest.length > 0) throw unknownToken();
    if (kind === OWNER && mac === '' && same(who, this.#parts.ownerSecret)) return undefined;
    if (kind === 'app' && same(mac, this.#mac('app', who))) return who;
    throw unknownToken();
  }

  /** By the query's `ticket`. Errors: `E_UNAUTHORIZED`. */
  identifyTicket(ticket: string): Principal {
    const [kind, who = '', encoded = '', mac = '', ...rest] = ticket.split('.');
    const id = Buffer.from(encoded, 'base64url').toString('utf8');
    if (kind !== 'read' || rest.length > 0 || !same(mac, this.#mac('read', who, id))) throw unknownToken();
    const holder = who === OWNER ? { name: OWNER, rights: ownerRights } : this.#app(who);
    return { ...holder, ticketFor: id };
  }

  may(principal: Principal, id: string, verb: TwinVerb): boolean {
    const { ticketFor, rights } = principal;
    if (ticketFor !== undefined && (ticketFor !== id || verb !== 'get')) return false;
    return mayTwin(rights, this.#parts.nodeName, id, verb);
  }

  /** Whether it is still who it was, with the rights that it had. */
  holds({ uid, grant }: Principal): boolean {
    if (uid === undefined) return true;
    const pod = this.#parts.pod(uid);
    return pod !== undefined && grantOf(pod) === grant;
  }

  #app(uid: string): Principal {
    const pod = this.#parts.pod(uid);
    if (pod === undefined) throw new AppError('E_UNAUTHORIZED', 'the pod of this token is no pod of this terminal');
    const { rights, faults } = this.#rightsOf(pod);
    for (const fault of faults) this.#parts.onFault(pod, fault);
    const { namespace, name } = pod;
    return { name: `${namespace}/${name}`, uid, namespace, rights, grant: grantOf(pod) };
  }

  /** Objects of the view are replaced, never changed. */
  #rightsOf({ annotations: given }: AppPod): ReturnType<typeof rightsOf> {
    if (given === undefined) return rightsOf(undefined);
    const read = this.#rights.get(given) ?? rightsOf(given);
    this.#rights.set(given, read);
    return read;
  }

  #mac(...parts: string[]): string {
    return createHmac('sha256', this.#parts.key).update(JSON.stringify(parts)).digest('base64url');
  }
}

function grantOf({ annotations: given = {} }: AppPod): string {
  return JSON.stringify(Object.values(annotations).map((key) => given[key] ?? null));
}

/** kubectl shows a token over TLS only, but the password of a URL everywhere: that may be the token too (RFC 7617). */
function tokenIn(authorization: string): string | undefined {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (value === undefined || scheme?.toLowerCase() === 'bearer') return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function unknownToken(): AppError {
  return new AppError('E_UNAUTHORIZED', 'the token is none of this terminal: take STILE_API_TOKEN as the pod gets it');
}

/** Compares in a time that tells nothing about where two texts differ. */
function same(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(one!, other!);
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
