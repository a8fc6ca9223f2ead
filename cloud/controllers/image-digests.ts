/** Which bytes a pod runs: a tag may move, the digest that was resolved for a pod never does. */
import type { Pod } from '../../protocol/kubernetes.ts';
import { keys } from '../../protocol/kubernetes.ts';
import { canonicalJson } from './object-hash.ts';

/** The image store, as the scheduler sees it. */
export interface ImagePort {
  /** `sha256:…` of what an image reference names now; undefined while the hub does not have it. */
  imageDigest(reference: string): string | undefined;
  /** Calls back when images came or tags moved; answers how to stop that. */
  onImagesChanged(handler: () => void): () => void;
}

/** Every container whose image is known has its digest; resolved ones stay. The same pod when nothing was missing. */
export function withImageDigests(pod: Pod, imageDigest: ImagePort['imageDigest']): Pod {
  const known = digestsOf(pod);
  const digests = { ...known };
  for (const container of containersOf(pod)) {
    if (digests[container.name] !== undefined || container.image === undefined) continue;
    const digest = pinnedDigest(container.image) ?? imageDigest(container.image);
    if (digest !== undefined) digests[container.name] = digest;
  }
  if (Object.keys(digests).length === Object.keys(known).length) return pod;
  const annotations = { ...pod.metadata.annotations, [keys.imageDigests]: canonicalJson(digests) };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

/** True while some container's image is not resolved. */
export function lacksDigests(pod: Pod): boolean {
  const known = digestsOf(pod);
  return containersOf(pod).some(({ name, image }) => image !== undefined && known[name] === undefined);
}

function containersOf(pod: Pod) {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

/** A reference may name its digest itself: `repository@sha256:…`. */
function pinnedDigest(reference: string): string | undefined {
  return /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
}

/** What is written on the pod; a value that is no JSON object of strings was not written by us and counts as none. */
function digestsOf(pod: Pod): Record<string, string> {
  try {
    const value: unknown = JSON.parse(pod.metadata.annotations?.[keys.imageDigests] ?? '{}');
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).filter(([, digest]) => typeof digest === 'string'));
  } catch {
    return {};
  }
}
