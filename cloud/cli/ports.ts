/** What a command needs from the world, as parameters: a terminal, a clock, files and a connection to the API. */
import type { Clock } from '../../protocol/env.ts';
import type { Validity } from '../../protocol/validity.ts';
import type { HubHttp } from '../images/hub-http.ts';
import type { ManifestText } from './manifest.ts';

export interface Terminal {
  /** Machine output: stdout, written as it is. */
  out(text: string): void;
  /** One line for a person: stderr. */
  tell(line: string): void;
  /** Overwrites the last progress line on stderr; an empty text clears it. Does nothing unless `interactive`. */
  progress(text: string): void;
  /** stderr is a terminal that a person looks at. */
  readonly interactive: boolean;
  /** Asks a person a question that is answered by yes or no; undefined when nobody is there to ask. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Takes Ctrl-C and SIGTERM over from now on: the signal aborts instead of the process ending. */
  interruption(): AbortSignal;
}

export interface ManifestFiles {
  /** The texts of a file, of a folder's `*.yaml *.yml *.json` sorted by name, or of standard input (`-`). */
  read(path: string, recursive: boolean): Promise<ManifestText[]>;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Begins with a slash; its parts are already escaped. */
  path: string;
  /** Absent values are left out. */
  query?: Record<string, string | undefined>;
  /** Default `application/json`. */
  accept?: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Default `application/json`. */
  contentType?: string;
  signal?: AbortSignal;
}

/**
 * An authenticated way to one API server and to the hub beside it. Every call rejects with `AppError`: what a Status
 * or an error body says, `E_LINK_UNREACHABLE` or `E_TIMEOUT` when nobody answers, `E_IDENTITY_UNTRUSTED` when the
 * server's certificate does not fit.
 */
export interface Connection {
  /** The context's namespace, `default` without one. */
  readonly namespace: string;
  /** `https://HOST:PORT` of the hub's own endpoints. */
  readonly hubServer: string;
  /** Of the client certificate that proves who we are; undefined without one. */
  readonly validity: Validity | undefined;
  /** A JSON answer of the Kubernetes API. */
  api<T>(request: ApiRequest): Promise<T>;
  /** Parsed lines of an answer that lasts: a watch. `onOpen` when it begins; ends when the server ends it. */
  lines(request: ApiRequest, onOpen: () => void): AsyncIterable<unknown>;
  /** The hub's own endpoints: tokens, images, blobs. */
  hub: Pick<HubHttp, 'send'>;
  /** The bytes of one of the hub's own endpoints, as they come. */
  download(path: string): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

export interface OutputFiles {
  /** Writes a new file durably, in a folder that is made when missing; resolves to its path. */
  write(folder: string, name: string, content: AsyncIterable<Uint8Array>): Promise<string>;
  /** Errors: `E_INPUT_INVALID` when something is at `path`. */
  expectFree(path: string): Promise<void>;
  /** Writes a file, mode 0600, durably. Errors: `E_STORE_FAILED`. */
  writePrivate(path: string, text: string): Promise<void>;
}

/** A new private key on P-256. */
export interface UserKey {
  /** PKCS#8. */
  keyPem: string;
  /** SubjectPublicKeyInfo (DER), base64. */
  publicKey: string;
  /** ECDSA with SHA-256 (DER), base64. */
  sign(text: string): string;
}

export interface Editor {
  /** A private place for a text; nothing is there yet. */
  open(name: string): Promise<Draft>;
}

/** A text that a person changes. */
export interface Draft {
  /** How a person finds it. */
  readonly path: string;
  /** A person has saved something else than was shown. */
  readonly changed: boolean;
  /** Shows `text`; resolves to what was saved when the person leaves. `E_INPUT_INVALID` when the editor fails. */
  revise(text: string): Promise<string>;
  discard(): Promise<void>;
}

/** The world of one command. */
export interface World {
  terminal: Terminal;
  /** Of the Node that runs this program, e.g. `v24.21.0`. */
  engineVersion: string;
  clock: Clock;
  files: ManifestFiles;
  outputs: OutputFiles;
  editor: Editor;
  makeUserKey(): Promise<UserKey>;
  /** Opens the connection that the options name; loads the Kubernetes client only then. Closed by `main`. */
  connect(options: ConnectionOptions): Promise<Connection>;
  /** Tells of one fault among several objects; the command goes on and ends with the first one's exit code. */
  report(error: unknown): void;
  /** The command did what it was asked, and the answer is bad: it ends with this exit code, without a sentence. */
  endWith(exitCode: number): void;
}

/** The options that every command takes. */
export interface ConnectionOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  /** Milliseconds until an answer must have begun. */
  requestTimeoutMs: number;
}
