/** What the API is put together from, and the shapes that its parts exchange. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { FieldFault, Kind } from '../kinds/kind.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import type { Authorize, Identity, Verb } from './identity.ts';
import type { View } from './negotiation.ts';
import type { ResourcePath } from './route.ts';

/** The kinds that are served, and what their schemas say. */
export interface KindTable {
  kinds: readonly Kind[];
  kindByPlural(group: string, version: string, plural: string): Kind | undefined;
  /** JSON schemas by the key that `Kind.schema` names, referring to each other as `#/components/schemas/KEY`. */
  schemas: Readonly<Record<string, unknown>>;
  /** Paths of members that the schema does not know, e.g. `spec.replica`. */
  unknownFields(object: KubeObject, kind: Kind): string[];
  /** Members of the wrong type, and required ones that are missing. */
  structuralFaults(object: KubeObject, kind: Kind): FieldFault[];
}

/** One attempt to change something, whether it succeeded or not. */
export interface AuditRecord {
  /** Milliseconds since 1970, when the answer was ready. */
  timeMs: number;
  user: string;
  verb: Verb;
  /** `pods`, `deployments.apps/scale` */
  resource: string;
  kind: string;
  namespace?: string;
  /** Absent for a collection and for a create that failed before it had a name. */
  name?: string;
  sourceAddress: string;
  dryRun: boolean;
  /** HTTP status of the answer. */
  code: number;
  /** Size of the request body. */
  bytes: number;
}

/** The answer of `/version` (kubernetes.io, version.Info). Clients compare `major` and `minor` with their own. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  [member: string]: string;
}

export interface ApiParts {
  store: ResourceStore;
  kinds: KindTable;
  authorize: Authorize;
  audit(record: AuditRecord): void;
  version: VersionInfo;
  /** Everything that would change something is refused. */
  readOnly?: boolean;
  /** Instead of those of `bounds.ts`, for a smaller host. */
  bounds?: Partial<HostBounds>;
}

/** The bounds that depend on how much one host can bear. */
export type HostBounds = Record<'requestsMax' | 'watchesPerUserMax' | 'requestMs' | 'watchBufferBytesMax', number>;

/** One request for a resource, checked as far as its path, headers and query go. */
export interface Call {
  verb: Verb;
  kind: Kind;
  path: ResourcePath;
  query: URLSearchParams;
  view: View;
  identity: Identity | undefined;
  contentType: string | undefined;
  /** Aborts when the client went away, the time is over or the API stops. */
  signal: AbortSignal;
  /** The body's bytes; read once, bounded. */
  body(): Promise<Buffer>;
  /** What only the body tells, for the audit record; the handler fills it in. */
  facts: { name?: string; dryRun: boolean };
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
  write(line: string): void;
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
