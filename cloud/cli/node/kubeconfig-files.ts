/**
 * Which API server, as whom: kubeconfig files, found and merged as kubectl does, read by `@kubernetes/client-node`.
 * That package costs about 150 MB, so it is loaded here, on demand, and nowhere else.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { AppError, asAppError } from '../../../protocol/errors.ts';
import { validityOf } from '../../../protocol/node/pinned-tls.ts';
import type { Validity } from '../../../protocol/validity.ts';
import { hubExtension } from '../../identity/kubeconfig.ts';
import type { ConnectionOptions } from '../ports.ts';

export interface Target {
  config: KubeConfig;
  /** `https://HOST:PORT` with an optional path, no slash at its end. */
  apiServer: string;
  /** From the cluster's extension, else the API server. */
  hubServer: string;
  namespace: string;
  /** Of the user's client certificate; undefined without one, or with one that cannot be read. */
  validity: Validity | undefined;
}

const howToGetOne =
  'name the one that the hub wrote with `--kubeconfig DIR/admin.kubeconfig` (DIR is the data directory of ' +
  '`stile hub serve`), or set KUBECONFIG';

/** `E_USAGE` without any kubeconfig, `E_INPUT_INVALID` for one that cannot be used. */
export async function loadTarget(options: ConnectionOptions, env: NodeJS.ProcessEnv): Promise<Target> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const hubServers = new Map<string, string>();
  const files = await readKubeconfigs(options, env);
  for (const { path, text } of files) mergeInto(config, hubServers, path, text, new KubeConfig());
  if (files.length === 0) {
    if (env.KUBERNETES_SERVICE_HOST === undefined)
      throw new AppError('E_USAGE', `there is no kubeconfig: ${howToGetOne}`);
    config.loadFromCluster();
  }
  return selectTarget(config, hubServers, options, files.map((file) => file.path).join(', '));
}

function selectTarget(
  config: KubeConfig,
  hubServers: Map<string, string>,
  options: ConnectionOptions,
  source: string,
): Target {
  const name = options.context ?? config.currentContext;
  if (!name) throw new AppError('E_INPUT_INVALID', `${source} names no current-context: choose one with --context`);
  const context = config.getContextObject(name);
  if (context === null) {
    const known = config.contexts.map((entry) => entry.name).join(', ') || 'none';
    throw new AppError('E_INPUT_INVALID', `there is no context ${name} in ${source}; there are: ${known}`);
  }
  config.setCurrentContext(name);
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new AppError(
      'E_INPUT_INVALID',
      `the context ${name} names the cluster ${context.cluster}, which ${source} lacks`,
    );
  if (config.getCurrentUser() === null)
    throw new AppError('E_INPUT_INVALID', `the context ${name} names the user ${context.user}, which ${source} lacks`);
  return {
    config,
    apiServer: cluster.server,
    hubServer: (hubServers.get(cluster.name) ?? cluster.server).replace(/\/$/, ''),
    namespace: context.namespace || 'default',
    validity: validityOfUser(config),
  };
}

function validityOfUser(config: KubeConfig): Validity | undefined {
  const { certData, certFile } = config.getCurrentUser() ?? {};
  if (!certData && !certFile) return undefined;
  try {
    const pem = certData ? Buffer.from(certData, 'base64') : readFileSync(certFile!);
    return validityOf(new X509Certificate(pem));
  } catch {
    // Whoever sends the first request says what is wrong with it.
    return undefined;
  }
}

/** The files that count: `--kubeconfig` alone; else those of KUBECONFIG that exist; else `~/.kube/config`. */
async function readKubeconfigs(
  options: ConnectionOptions,
  env: NodeJS.ProcessEnv,
): Promise<{ path: string; text: string }[]> {
  if (options.kubeconfig !== undefined) {
    const path = options.kubeconfig;
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw asAppError(error, 'E_INPUT_INVALID', `cannot read the kubeconfig ${path}`);
    });
    return [{ path, text }];
  }
  const paths = env.KUBECONFIG
    ? env.KUBECONFIG.split(delimiter).filter((path) => path !== '')
    : [join(env.HOME ?? homedir(), '.kube', 'config')];
  const found = await Promise.all(
    paths.map(async (path) => {
      try {
        return [{ path, text: await readFile(path, 'utf8') }];
      } catch (error) {
        // kubectl's rule: a file of the list that does not exist is passed over.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw asAppError(error, 'E_INPUT_INVALID', `cannot read the kubeconfig ${path}`);
      }
    }),
  );
  const files = found.flat();
  if (files.length === 0 && env.KUBECONFIG)
    throw new AppError('E_USAGE', `no file that KUBECONFIG names exists (${env.KUBECONFIG}): ${howToGetOne}`);
  return files;
}

/** Adds what `text` has and `config` lacks: of two entries with one name the first file's wins, as with kubectl. */
function mergeInto(
  config: KubeConfig,
  hubServers: Map<string, string>,
  path: string,
  text: string,
  file: KubeConfig,
): void {
  let document: unknown;
  try {
    document = parse(text);
    // The loading also resolves certificate files relative to the folder of the kubeconfig.
    file.loadFromFile(path);
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
    throw new AppError('E_INPUT_INVALID', `${path} is not a kubeconfig: ${reason}`, { cause: error });
  }
  const lacks = (entries: readonly { name: string }[], name: string) => !entries.some((entry) => entry.name === name);
  for (const cluster of file.clusters)
    if (lacks(config.clusters, cluster.name)) {
      config.addCluster(cluster);
      const server = hubServerOf(document, cluster.name);
      if (server !== undefined) hubServers.set(cluster.name, server);
    }
  for (const user of file.users) if (lacks(config.users, user.name)) config.addUser(user);
  for (const context of file.contexts) if (lacks(config.contexts, context.name)) config.addContext(context);
  if (!config.currentContext && file.currentContext) config.setCurrentContext(file.currentContext);
}

/** client-node drops `extensions`, so they are read from the document itself. */
function hubServerOf(document: unknown, clusterName: string): string | undefined {
  interface ClusterEntry {
    name?: string;
    cluster?: { extensions?: { name?: string; extension?: { server?: unknown } }[] };
  }
  const { clusters } = document as { clusters?: ClusterEntry[] };
  const cluster = clusters?.find((entry) => entry.name === clusterName)?.cluster;
  const server = cluster?.extensions?.find((entry) => entry.name === hubExtension)?.extension?.server;
  return typeof server === 'string' ? server : undefined;
}
