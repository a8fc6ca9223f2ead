/** A client that lists everything there is, again and again, whole and in chunks: what an operator's tools do to a hub. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { HubClient } from '../house/hub-client.ts';

const run = promisify(execFile);
const CHUNK = 500;
const KUBECTL_MS_MAX = 120_000;
const BUFFER_BYTES_MAX = 256 * 1024 * 1024;

/** Paths of the lists of all kinds, as discovery names them. */
export async function listPaths(client: HubClient): Promise<string[]> {
  const { groups } = await client.get<{ groups: { preferredVersion: { groupVersion: string } }[] }>('/apis');
  const roots = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const paths: string[] = [];
  for (const root of roots) {
    const { resources } = await client.get<{ resources: { name: string; verbs: string[] }[] }>(root);
    for (const { name, verbs } of resources) if (verbs.includes('list')) paths.push(`${root}/${name}`);
  }
  return paths;
}

export interface Listed {
  requests: number;
  objects: number;
}

/** One turn over HTTPS: each kind whole, then in chunks. */
export async function listOverHttps(client: HubClient, paths: readonly string[]): Promise<Listed> {
  const listed = { requests: 0, objects: 0 };
  for (const path of paths) {
    await listPart(client, path, listed);
    let rest: string | undefined = '';
    while (rest !== undefined) rest = await listPart(client, `${path}?limit=${CHUNK}${rest}`, listed);
  }
  return listed;
}

/** Resolves to what the request for the next part adds to the path; undefined when there is none. */
async function listPart(client: HubClient, path: string, listed: Listed): Promise<string | undefined> {
  const { items, metadata } = await client.get<{ items: unknown[]; metadata: { continue?: string } }>(path);
  listed.requests += 1;
  listed.objects += items.length;
  return metadata.continue ? `&continue=${encodeURIComponent(metadata.continue)}` : undefined;
}

const kubectlLists: readonly (readonly string[])[] = [
  ['get', 'nodes', '-o', 'wide'],
  ['get', 'nodes', '-o', 'json', '--chunk-size=0'],
  ['get', 'pods', '-A'],
  ['get', 'pods', '-A', '-o', 'json', '--chunk-size=0'],
  ['get', 'nodepools,twins,events', '-A'],
];

/** One turn by kubectl. Rejects when one of its commands fails. */
export async function listByKubectl(kubectl: string, kubeconfig: string): Promise<number> {
  const options = {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    timeout: KUBECTL_MS_MAX,
    maxBuffer: BUFFER_BYTES_MAX,
  };
  for (const args of kubectlLists) await run(kubectl, [...args], options);
  return kubectlLists.length;
}
