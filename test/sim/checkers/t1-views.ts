/**
 * T1: after healing, every terminal's sections equal the hub's projection, byte for byte: those that the hub keeps,
 * and those that follow from the objects alone, in the terminal's memory and on its disk.
 */
import { placementOf, projectForNode } from '../../../cloud/hub/projection.ts';
import type { SectionHandle } from '../../../cloud/hub/views.ts';
import {
  actionKind,
  configMapKind,
  deviceKind,
  deviceProfileKind,
  nodeKind,
  nodePoolKind,
  podKind,
  secretKind,
  twinKind,
} from '../../../cloud/kinds/registry.ts';
import type { ResourceStore } from '../../../cloud/store/resource-store.ts';
import { type KubeObject, keys } from '../../../protocol/kubernetes.ts';
import { scopes } from '../../../protocol/messages.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { objectKey } from '../../../protocol/object-key.ts';
import { type Sections, sectionId } from '../../../protocol/view-replica.ts';
import type { SimNode } from '../sim-node.ts';

/** The first difference of one terminal from the hub; undefined: none. */
export function viewFault({ store, disk }: SimNode, sections: readonly SectionHandle[]): string | undefined {
  if (store === undefined || disk.live.node === undefined) return 'has no store';
  return (
    sectionFault('memory', store.state.sections, sections) ?? sectionFault('disk', disk.live.node.sections, sections)
  );
}

function sectionFault(place: string, held: Sections, expected: readonly SectionHandle[]): string | undefined {
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

/** What each terminal should hold, made from the objects without the hub's indexes. */
export class Projection {
  readonly #objects: Map<string, KubeObject>;
  readonly #placedByNode: Map<string, KubeObject[]>;

  private constructor(objects: readonly KubeObject[]) {
    this.#objects = new Map(objects.map((object) => [objectKey(object), object]));
    this.#placedByNode = Map.groupBy(objects, (object) => placementOf(object)?.node ?? '');
  }

  static async of(store: ResourceStore): Promise<Projection> {
    const kinds = [
      ...[nodeKind, nodePoolKind, podKind, configMapKind, secretKind],
      ...[twinKind, actionKind, deviceKind, deviceProfileKind],
    ];
    const lists = await Promise.all(kinds.map((kind) => store.list(kind)));
    return new Projection(lists.flatMap(({ items }) => items));
  }

  /** The first difference of what the terminal holds from this; undefined: none. */
  fault({ name, store }: SimNode): string | undefined {
    for (const [id, expected] of this.#sections(name)) {
      const held = store?.state.sections.get(id);
      if (held === undefined) return `section ${id} is missing`;
      if (held.content.size !== expected.size) return `section ${id} has ${held.content.size} of ${expected.size}`;
      for (const [key, object] of expected) {
        const bytes = held.content.get(key)?.bytes;
        if (bytes === undefined || Buffer.compare(bytes, encodeObject(projectForNode(object))) !== 0)
          return `${key} of section ${id} is not what the store says`;
      }
    }
    return undefined;
  }

  #sections(nodeName: string): Map<string, Map<string, KubeObject>> {
    const sections = new Map<string, Map<string, KubeObject>>();
    const node = this.#find('Node', nodeName);
    if (node === undefined) return sections;
    const pool = this.#find('NodePool', node.metadata.labels?.[keys.nodePool] ?? '');
    if (pool !== undefined)
      sections.set(sectionId(scopes.pool, pool.metadata.uid!), new Map([[objectKey(pool), pool]]));
    const own = new Map([[objectKey(node), node]]);
    for (const placed of this.#placedByNode.get(nodeName) ?? []) {
      own.set(objectKey(placed), placed);
      for (const key of placementOf(placed)!.names) {
        const object = this.#objects.get(key);
        if (object !== undefined) own.set(key, object);
      }
    }
    sections.set(sectionId(scopes.node, node.metadata.uid!), own);
    return sections;
  }

  #find(kind: string, name: string): KubeObject | undefined {
    for (const object of this.#objects.values())
      if (object.kind === kind && object.metadata.name === name) return object;
    return undefined;
  }
}
