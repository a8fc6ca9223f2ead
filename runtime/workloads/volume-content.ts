/**
 * What is in each volume of a pod, as data; writing it is the adapter's work.
 * Source: kubernetes.io API reference, Volume; file modes as there, except that secrets are 0600 unless told.
 */
import type { Pod, Volume } from '../../protocol/kubernetes.ts';
import { fieldValue, filesOf, invalid } from './container-environment.ts';
import type { DesiredPod } from './ports.ts';

export type VolumeContent =
  /** Empty at first, written by the pod. */
  | { kind: 'empty' }
  /** Replaced as a whole when its content changes. Keys are relative paths with `/`. */
  | { kind: 'files'; files: Map<string, { mode: number; bytes: Uint8Array }> }
  /** A directory or file of the host. */
  | { kind: 'host'; path: string };

const configMapMode = 0o644;
const secretMode = 0o600;

/** `hostPaths`: absolute directories below which `hostPath` volumes are allowed. Errors: `E_POD_INVALID`. */
export function volumeContent(desired: DesiredPod, volume: Volume, hostPaths: readonly string[]): VolumeContent {
  const { name, configMap, secret } = volume;
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) throw invalid(`"${name}" is no name of a volume`);
  if (volume.emptyDir !== undefined) return { kind: 'empty' };
  if (configMap !== undefined) return files(configMapFiles(desired, configMap, configMap.defaultMode ?? configMapMode));
  if (secret !== undefined) {
    const source = { ...secret, name: secret.secretName };
    return files(secretFiles(desired, source, secret.defaultMode ?? secretMode));
  }
  if (volume.downwardAPI !== undefined) return files(downwardFiles(desired.pod, volume.downwardAPI as DownwardSource));
  if (volume.projected !== undefined) return files(projectedFiles(desired, volume.projected as ProjectedSource));
  if (volume.hostPath !== undefined) return hostVolume(name, volume.hostPath as { path?: string }, hostPaths);
  const kind = Object.keys(volume).find((member) => member !== 'name') ?? 'nothing';
  throw invalid(`volume ${name}: this node has no volumes of kind ${kind}`);
}

interface KeySource {
  name: string;
  items?: { key: string; path: string; mode?: number }[];
  optional?: boolean;
}

interface DownwardSource {
  items?: { path: string; fieldRef?: { fieldPath: string }; mode?: number }[];
  defaultMode?: number;
}

interface ProjectedSource {
  sources?: { configMap?: KeySource; secret?: KeySource; downwardAPI?: DownwardSource }[];
  defaultMode?: number;
}

type FileEntry = [path: string, file: { mode: number; bytes: Uint8Array }];

function files(entries: FileEntry[]): VolumeContent {
  return { kind: 'files', files: new Map(entries.map(([path, file]) => [checkedPath(path), file])) };
}

function configMapFiles(desired: DesiredPod, source: KeySource, mode: number): FileEntry[] {
  return keyedFiles(desired, 'ConfigMap', source, mode);
}

function secretFiles(desired: DesiredPod, source: KeySource, mode: number): FileEntry[] {
  return keyedFiles(desired, 'Secret', source, mode);
}

function keyedFiles(desired: DesiredPod, kind: string, source: KeySource, mode: number): FileEntry[] {
  const entries = filesOf(desired, `${kind}/${source.name}`, source.optional);
  if (entries === undefined) return [];
  if (source.items === undefined) return [...entries].map(([key, bytes]) => [key, { mode, bytes }]);
  return source.items.flatMap((item): FileEntry[] => {
    const bytes = entries.get(item.key);
    if (bytes !== undefined) return [[item.path, { mode: item.mode ?? mode, bytes }]];
    if (source.optional === true) return [];
    throw invalid(`${kind} ${source.name} has no key ${item.key}`);
  });
}

function downwardFiles(pod: Pod, source: DownwardSource, defaultMode = source.defaultMode): FileEntry[] {
  return (source.items ?? []).map(({ path, fieldRef, mode }) => {
    const value = fieldValue(pod, undefined, fieldRef?.fieldPath ?? '');
    if (value === undefined) throw invalid(`volume file ${path}: this node cannot tell "${fieldRef?.fieldPath ?? ''}"`);
    return [path, { mode: mode ?? defaultMode ?? configMapMode, bytes: Buffer.from(value) }];
  });
}

/** Service account tokens are left out: pods here talk to the node's own API, with a token of that. */
function projectedFiles(desired: DesiredPod, { sources = [], defaultMode }: ProjectedSource): FileEntry[] {
  return sources.flatMap(({ configMap, secret, downwardAPI }) => [
    ...(configMap ? configMapFiles(desired, configMap, defaultMode ?? configMapMode) : []),
    ...(secret ? secretFiles(desired, secret, defaultMode ?? secretMode) : []),
    ...(downwardAPI ? downwardFiles(desired.pod, downwardAPI, defaultMode) : []),
  ]);
}

function hostVolume(name: string, { path = '' }: { path?: string }, allowed: readonly string[]): VolumeContent {
  const plain = path.startsWith('/') && !path.split('/').some((part) => part === '..' || part === '.');
  if (plain && allowed.some((root) => path === root || path.startsWith(`${root.replace(/\/$/, '')}/`))) {
    return { kind: 'host', path };
  }
  throw invalid(`volume ${name}: hostPath ${path} is not allowed on this node; its operator must allow it first`);
}

/** Kubernetes' rule for item paths; `..` at the start of a first component is the atomic writer's own. */
function checkedPath(path: string): string {
  const parts = path.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || parts[0]!.startsWith('..');
  if (bad || path.includes('\0')) throw invalid(`"${path}" cannot be the path of a file in a volume`);
  return path;
}
