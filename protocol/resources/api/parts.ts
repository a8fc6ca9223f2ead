/** What the API is put together from, and the shapes that its parts exchange. */
import type { Env } from '../../env.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';
import type { ResourceReader } from '../store/resource-reader.ts';
import type { Authorize, Identity, Verb } from './identity.ts';
import type { View } from './negotiation.ts';
import type { ResourcePath } from './route.ts';

/** The kinds that are served. They may become more or fewer: then `kinds` is another list. */
export interface KindTable<K extends ResourceKind = ResourceKind> {
  readonly kinds: readonly K[];
  kindByPlural(group: string, version: string, plural: string): K | undefined;
}

/** One attempt to change something, whether it succeeded or not. */
export interface AuditRecord {
  /** Milliseconds since 1970, when the answer was ready. */
  timeMs: number;
  user: string;
  groups: readonly string[];
  /** Of the API, or what one of the hub's own endpoints does: `revoke`. */
  verb: string;
  /** `pods`, `deployments.apps/scale` */
  resource: string;
  /** Of the resource: `v1`, `v1beta2`. */
  version: string;
  namespace?: string;
  /** Absent for a collection and for a create that failed before it had a name. */
  name?: string;
  sourceAddress: string;
  /** The program, as it calls itself; empty when it does not. */
  userAgent: string;
  dryRun: boolean;
  /** HTTP status of the answer; 0 when the connection broke before it. */
  code: number;
  /** Of the merge patch from the object before to the one after where both were at hand, else of the request body. */
  bytes: number;
}

/** The answer of `/version` (kubernetes.io, version.Info). Clients compare `major` and `minor` with their own. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  [member: string]: string;
}

/** What reading needs. */
export interface ReadParts {
  store: ResourceReader;
  /** Instead of those of `bounds.ts`, for a smaller host. */
  bounds?: Partial<HostBounds>;
}

export interface ApiParts<K extends ResourceKind = ResourceKind> extends ReadParts {
  kinds: KindTable<K>;
  authorize: Authorize;
  /**
   * Which objects there are for a caller: what it may not see is not found, not listed and not told. Absent: all. It
   * narrows reading alone, and the answer for a name never changes.
   */
  visible?(identity: Identity | undefined, kind: K, namespace: string | undefined, name: string): boolean;
  audit(record: AuditRecord): void;
  version: VersionInfo;
  /** Absent: everything that would change something is refused. */
  beyondReading?: BeyondReading<K>;
  /** Absent: no OpenAPI document is served, and `kubectl explain` knows nothing. */
  openApi?(): ReadonlyMap<string, OpenApiDocument>;
}

/** What a server does besides reading. */
export interface BeyondReading<K extends ResourceKind> {
  /** For whole objects and collections. */
  handlers: Readonly<Partial<Record<Verb, Handler<K>>>>;
  /** The parts of an object that have a path of their own, `status` among them. */
  subresourcesOf(kind: K): readonly Subresource[];
  /** By the subresource's name. */
  subresourceHandlers: Readonly<Record<string, Readonly<Partial<Record<Verb, Handler<K>>>>>>;
  /** Questions in the form of objects that are answered and not kept; everybody who has a name may ask them. */
  reviews: readonly Review[];
}

/** Part of an object as discovery describes it. */
export interface Subresource {
  name: string;
  verbs: readonly Verb[];
  /** The kind that is read and written there. */
  apiVersion: string;
  kind: string;
}

export interface Review {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  answer(
    identity: Identity,
    authorize: Authorize,
    body: () => Promise<Buffer>,
    contentType: string | undefined,
  ): Promise<Answer>;
}

/** An OpenAPI document of one group version as it is sent, and the hash by which its address changes with it. */
export interface OpenApiDocument {
  /** Below `/openapi/v3/`, e.g. `api/v1`. */
  path: string;
  text: string;
  hash: string;
}

/** The bounds that depend on how much one host can bear. */
export type HostBounds = Record<
  'requestsMax' | 'requestsPerUserMax' | 'watchesPerUserMax' | 'requestMs' | 'watchBufferBytesMax',
  number
>;

export type Handler<K extends ResourceKind> = (env: Env, parts: ReadParts, call: Call<K>) => Answer | Promise<Answer>;

/** One request for a resource, checked as far as its path, headers and query go. */
export interface Call<K extends ResourceKind = ResourceKind> {
  verb: Verb;
  kind: K;
  path: ResourcePath;
  query: URLSearchParams;
  view: View;
  identity: Identity | undefined;
  contentType: string | undefined;
  /** The program, as it calls itself; empty when it does not. */
  userAgent: string;
  /** Aborts when the client went away, the time is over or the API stops. */
  signal: AbortSignal;
  /** The body's bytes; read once, bounded. */
  body(): Promise<Buffer>;
  /** What only the handler learns, for the audit record; it fills it in. */
  facts: { name?: string; dryRun: boolean; changeBytes?: number };
}

/** What is sent back. */
export type Answer =
  | {
      type: 'json';
      code: number;
      body: unknown;
      warnings?: readonly string[];
      headers?: Readonly<Record<string, string>>;
    }
  | { type: 'text'; code: number; body: string; headers?: Readonly<Record<string, string>> }
  /** JSON in pieces, each made when the one before was taken, so that a long list never holds the event loop. */
  | { type: 'slices'; code: number; slices: Iterable<string> }
  /** A stream of lines that stays open; `run` resolves when it is over. */
  | { type: 'lines'; run(sink: LineSink): Promise<void> };

export interface LineSink {
  /** Text, or its UTF-8 that others write too. Handed to the client when the event loop turns. */
  write(line: string | Uint8Array): void;
  /** Bytes that the client has not taken yet. */
  waitingBytes(): number;
  /** Resolves when the event loop had a turn and the client has taken what was written. */
  drained(): Promise<void>;
  /** Breaks the connection and forgets what the client has not taken. */
  abandon(): void;
}

export function json(code: number, body: unknown, warnings: readonly string[] = []): Answer {
  return { type: 'json', code, body, ...(warnings.length === 0 ? {} : { warnings }) };
}
