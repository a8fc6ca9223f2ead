/** The local API as a whole: secrets, doors, and who stands behind them. Opened before the pods, which are told of it. */
import { isIPv6 } from 'node:net';
import type { Env } from '../../protocol/env.ts';
import type { PodAccess } from '../workloads/pod-access.ts';
import { type Access, apiSocketPath, loadAccess, saveAccess, writeNote } from './access-files.ts';
import type { LocalHandler, Upgrade } from './exchange.ts';
import { type AppPod, Principals } from './principals.ts';
import { LocalServer, type LocalServerOptions } from './server.ts';

export interface LocalApiOptions {
  dataDir: string;
  nodeName: string;
  /** Pods have users of their own. */
  openToUsers: boolean;
  /** Where to listen besides the socket; port 0: one that is chosen once and kept, for pods are told of it. */
  tcp?: { host: string; port: number };
}

/** What the API offers; there once the terminal is. */
export interface LocalService {
  handlers: readonly LocalHandler[];
  upgrade?(upgrade: Upgrade): void;
  /** What is not yet well, one line each. */
  unready(): string[];
}

export class LocalApi {
  readonly #principals: Principals;
  readonly #server: LocalServer;
  readonly #access: PodAccess;
  readonly #handlers: LocalHandler[];
  readonly #service: { current: LocalService | undefined };

  private constructor(parts: {
    principals: Principals;
    server: LocalServer;
    access: PodAccess;
    handlers: LocalHandler[];
    service: { current: LocalService | undefined };
  }) {
    this.#principals = parts.principals;
    this.#server = parts.server;
    this.#access = parts.access;
    this.#handlers = parts.handlers;
    this.#service = parts.service;
  }

  /**
   * `pod`: a pod that this terminal keeps. A TCP address that cannot be had is logged, and the socket serves alone.
   * Errors: `E_STORE_FAILED`, `E_INPUT_INVALID` when there can be no socket.
   */
  static async open(env: Env, options: LocalApiOptions, pod: (uid: string) => AppPod | undefined): Promise<LocalApi> {
    const log = env.log.child({ svc: 'local-api' });
    const socket = apiSocketPath(options.dataDir);
    const access = await loadAccess(env.random, options.dataDir);
    const principals = new Principals({
      nodeName: options.nodeName,
      ownerSecret: access.ownerSecret,
      key: Buffer.from(access.key, 'hex'),
      pod,
      onFault: ({ namespace, name }, fault) => log.warn('annotation refused', { pod: `${namespace}/${name}`, fault }),
    });
    const handlers: LocalHandler[] = [];
    const service: { current: LocalService | undefined } = { current: undefined };
    const parts = {
      principals,
      handlers,
      upgrade: (upgrade: Upgrade) =>
        service.current?.upgrade === undefined ? upgrade.socket.destroy() : service.current.upgrade(upgrade),
      started: () => service.current !== undefined,
      unready: () => service.current?.unready() ?? ['the terminal starts'],
    };
    const server = await openDoors(env, { socketPath: socket, openToUsers: options.openToUsers }, parts, {
      wanted: options.tcp,
      access,
      keep: (port) => saveAccess(options.dataDir, { ...access, port }),
    });
    const url = urlOf(options.tcp?.host, server.port);
    await writeNote(options.dataDir, { ...url, socket, token: principals.ownerToken });
    log.info('local api listens', { socket, ...url });
    const podAccess: PodAccess = { socket, ...url, tokenOf: (uid) => principals.tokenOf(uid) };
    return new LocalApi({ principals, server, access: podAccess, handlers, service });
  }

  /** What pods are told. */
  get access(): PodAccess {
    return this.#access;
  }

  get principals(): Principals {
    return this.#principals;
  }

  /** Refused calls since the start, by code. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#server.refusals.counts;
  }

  /** Before it, callers hear `E_STARTING`. */
  serve(service: LocalService): void {
    this.#service.current = service;
    this.#handlers.push(...service.handlers);
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

interface TcpWish {
  wanted: { host: string; port: number } | undefined;
  access: Access;
  keep(port: number): Promise<void>;
}

/** The port that was kept may be another's by now: then a free one, which running pods do not know. */
async function openDoors(
  env: Env,
  options: Omit<LocalServerOptions, 'tcp'>,
  parts: Parameters<typeof LocalServer.open>[2],
  { wanted, access, keep }: TcpWish,
): Promise<LocalServer> {
  if (wanted === undefined) return LocalServer.open(env, options, parts);
  const { host } = wanted;
  const ports = wanted.port !== 0 ? [wanted.port] : access.port === undefined ? [0] : [access.port, 0];
  for (const port of ports) {
    try {
      const server = await LocalServer.open(env, { ...options, tcp: { host, port } }, parts);
      if (wanted.port === 0 && server.port !== access.port) await keep(server.port!);
      return server;
    } catch (error) {
      env.log.warn('local api cannot have its address', { host, port, err: error });
    }
  }
  return LocalServer.open(env, options, parts);
}

function urlOf(host: string | undefined, port: number | undefined): { url?: string } {
  if (host === undefined || port === undefined) return {};
  return { url: `http://${isIPv6(host) ? `[${host}]` : host}:${port}` };
}
