/**
 * Captive portals: what answers at the hub's name in a foreign network. `http` redirects whatever it is told, `tls`
 * does so under a certificate of another authority, for the very name that was asked.
 */
import { createServer as createHttpServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { openAuthority, serverCertificate } from '../../cloud/identity/authority-files.ts';
import type { Env } from '../../protocol/env.ts';

export class Portal {
  readonly #server: Server;
  /** Connections that came. */
  visits = 0;
  /** Requests that it could read. */
  requests = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', () => {
      this.visits += 1;
    });
    server.on('request', (_request, response: ServerResponse) => {
      this.requests += 1;
      response.writeHead(302, { location: 'http://portal.example/login' }).end('<html>Please accept our terms</html>');
    });
  }

  /** What TLS says to it is no HTTP: it answers 400 and hangs up. */
  static http(host: string, port: number): Promise<Portal> {
    return Portal.#listen(new Portal(createHttpServer()), host, port);
  }

  /** `directory` gets the foreign authority. */
  static async tls(env: Env, directory: string, name: string, host: string, port: number): Promise<Portal> {
    const authority = await openAuthority(env, directory);
    const { certificatePem, keyPem } = await serverCertificate(env, authority, directory, [name]);
    const server = createHttpsServer({ cert: certificatePem, key: keyPem });
    server.on('tlsClientError', () => {});
    return Portal.#listen(new Portal(server as unknown as Server), host, port);
  }

  static async #listen(portal: Portal, host: string, port: number): Promise<Portal> {
    await new Promise<void>((resolve, reject) => {
      portal.#server.once('error', reject);
      portal.#server.listen(port, host, resolve);
    });
    return portal;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
