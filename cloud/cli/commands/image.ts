/** `stile image`: what the hub keeps for pods to run. */
import { ageOf } from '../../kinds/columns.ts';
import type { ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines } from '../table.ts';

interface ImageFacts {
  /** `NAME:TAG` */
  reference: string;
  digest: string;
  mediaType: string;
  /** RFC 3339. */
  updated: string;
}

const path = '/stile/v1/images';

export async function listImages(world: World, options: ConnectionOptions & { output: Output }): Promise<void> {
  const connection = await world.connect(options);
  const { items } = await connection.hub<{ items: ImageFacts[] }>({ method: 'GET', path });
  if (options.output === 'json') return world.terminal.out(jsonText({ items }));
  if (options.output === 'yaml') return world.terminal.out(yamlText({ items }));
  if (options.output === 'name') return world.terminal.out(items.map(({ reference }) => `${reference}\n`).join(''));
  if (items.length === 0) return world.terminal.tell('No images found');
  const wide = options.output === 'wide';
  const rows = items.map(({ reference, digest, mediaType, updated }) => [
    reference,
    wide ? digest : digest.slice(0, 'sha256:'.length + 12),
    ageOf(updated, world.clock.now()),
    ...(wide ? [mediaType] : []),
  ]);
  const lines = alignedLines([['NAME', 'DIGEST', 'UPDATED', ...(wide ? ['MEDIA-TYPE'] : [])], ...rows]);
  world.terminal.out(`${lines.join('\n')}\n`);
}

export async function deleteImages(world: World, names: readonly string[], options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  for (const name of names) {
    try {
      await connection.hub({ method: 'DELETE', path: `${path}/${encodeURIComponent(name)}` });
      world.terminal.out(`image/${name} deleted\n`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}
