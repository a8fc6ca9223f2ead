/** Byte for byte, what a terminal holds against what the hub would send. */
import type { SectionHandle } from '../../../cloud/hub/views.ts';
import { type Sections, sectionId } from '../../../protocol/view-replica.ts';

/** The first difference; `place` says which copy of the terminal's this is. */
export function sectionFault(place: string, held: Sections, expected: readonly SectionHandle[]): string | undefined {
  const wanted = new Map(expected.map(({ source }) => [sectionId(source.scope, source.uid), source]));
  for (const [id, { revision }] of held)
    if (!wanted.has(id)) return `${place} holds section ${id} at ${revision}, which is not the node's`;
  for (const [id, source] of wanted) {
    const section = held.get(id);
    if (section === undefined) return `${place} lacks section ${id}`;
    if (section.revision !== source.revision)
      return `${place} holds section ${id} at revision ${section.revision} instead of ${source.revision}`;
    if (section.content.size !== source.size)
      return `${place} holds ${section.content.size} instead of ${source.size} objects of section ${id}`;
    for (const entry of source.entries()) {
      const own = section.content.get(entry.key);
      if (own === undefined) return `${place} lacks ${entry.key} of section ${id}`;
      if (own.revision !== entry.revision || Buffer.compare(own.bytes, entry.bytes) !== 0)
        return `${place} holds another ${entry.key} in section ${id}`;
    }
  }
  return undefined;
}
