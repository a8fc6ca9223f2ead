/** A kubeconfig, the administrator's or a user's: what `kubectl` and `stile` need to reach this hub, in one file. */
import { stringify } from 'yaml';
import { readIfPresent, writeDurably } from '../../protocol/node/durable-file.ts';
import type { KeyedCertificate } from './authority.ts';

/** The cluster extension by which the CLI finds the hub's own endpoints (tokens, images) beside the API server. */
export const hubExtension = 'stile.dev/hub';

export interface KubeconfigParts {
  /** `https://HOST:PORT` of the API server. */
  server: string;
  /** `https://HOST:PORT` of the hub, when the API server is another (a real cluster's). */
  hubServer?: string;
  caPem: string;
  administrator: KeyedCertificate;
  /** Whose certificate it is. */
  user?: string;
}

/** Errors: `E_STORE_FAILED`. A file that says so already is left alone: a hub starts on a full disk too. */
export async function writeKubeconfig(path: string, parts: KubeconfigParts): Promise<void> {
  const text = kubeconfig(parts);
  if ((await readIfPresent(path)) !== text) await writeDurably(path, text, 0o600);
}

/** The text of the file (kubectl's Config v1). */
export function kubeconfig(parts: KubeconfigParts): string {
  const { server, hubServer = server, caPem, administrator, user = 'stile-admin' } = parts;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'stile',
    contexts: [{ name: 'stile', context: { cluster: 'stile', user } }],
    clusters: [
      {
        name: 'stile',
        cluster: {
          server,
          'certificate-authority-data': base64(caPem),
          extensions: [{ name: hubExtension, extension: { server: hubServer } }],
        },
      },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(administrator.certificatePem),
          'client-key-data': base64(administrator.keyPem),
        },
      },
    ],
    preferences: {},
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
