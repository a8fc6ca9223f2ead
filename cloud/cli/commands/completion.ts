/** `stile completion`: a script for a shell, and the answers that the script asks for while somebody types. */
import type { Command } from 'commander';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { type Completion, completionOf } from '../completion.ts';
import { completionScripts, type Shell } from '../completion-scripts.ts';
import type { World } from '../ports.ts';
import { discover, pathOf, type Resource, resolveKind } from '../resources.ts';

/** What a server may take to answer; with the start of the program, a person waits two seconds at most. */
const ANSWER_MS = 1_200;
/** Names that are offered; who has more types another letter. */
const NAMES_MAX = '500';

const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';

export function printCompletion(world: World, shell: Shell): void {
  world.terminal.out(completionScripts[shell]);
}

/** One candidate a line; nothing at all when anything goes wrong, because a person is typing. */
export async function complete(world: World, program: Command, words: readonly string[]): Promise<void> {
  const over = new AbortController();
  try {
    const completion = completionOf(program, words);
    const late = world.clock.sleep(ANSWER_MS, over.signal).then(
      () => [],
      () => [],
    );
    const found = await Promise.race([candidatesOf(world, completion, over.signal), late]);
    const { prefix } = completion.wish;
    const fitting = [...new Set(found.map((word) => prefix + word))].filter((word) =>
      word.startsWith(completion.current),
    );
    world.terminal.out(fitting.map((word) => `${word}\n`).join(''));
  } catch {
    // No candidates: what is wrong is told when the command runs.
  } finally {
    over.abort();
  }
}

async function candidatesOf(
  world: World,
  { wish, connection: options }: Completion,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if ('words' in wish) return wish.words;
  const connection = await world.connect({ ...options, requestTimeoutMs: ANSWER_MS });
  signal.throwIfAborted();
  const resources = await discover(connection);
  signal.throwIfAborted();
  if ('kinds' in wish) return kindWords(resources);
  const path = pathOf(resolveKind(resources, wish.namesOf), options.namespace ?? connection.namespace);
  const query = { limit: NAMES_MAX };
  const { items } = await connection.api<{ items: KubeObject[] }>({
    method: 'GET',
    path,
    query,
    accept: metadataOnly,
    signal,
  });
  // A shell sees nothing in a name but a name.
  return items.map((item) => item.metadata.name).filter((name) => /^[\w.:-]+$/.test(name));
}

function kindWords(resources: readonly Resource[]): string[] {
  return resources
    .filter((resource) => resource.verbs.includes('list'))
    .map((resource) => resource.plural)
    .sort();
}
