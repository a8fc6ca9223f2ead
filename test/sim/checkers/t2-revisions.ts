/**
 * T2: within an incarnation no section's durable revision goes back, neither at the hub nor at a terminal, over any
 * restart; and no terminal returns to an earlier incarnation. A terminal with a new disk or
 * a restored store starts anew, under a new epoch.
 */
import type { HubChange } from '../../../cloud/hub/hub-state.ts';
import { type Sections, sectionId } from '../../../protocol/view-replica.ts';
import type { NodeChange, NodeState } from '../../../runtime/store/node-state.ts';
import type { HubDiskState } from '../hub-disk.ts';
import type { Observer } from '../observer.ts';
import type { Verdicts } from './verdicts.ts';

interface Mark {
  incarnation: string;
  revision: number;
}

export class T2Revisions implements Observer {
  readonly #verdicts: Verdicts;
  /** Owner (a terminal, or the hub) to section to the highest that was durable. */
  readonly #marks = new Map<string, Map<string, Mark>>();
  /** In the order in which the hub had them. */
  readonly #incarnations: string[] = [];

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  nodeOpened(node: string, { sections }: NodeState): void {
    this.#seeAll(node, sections);
  }

  nodeCommitted(node: string, changes: readonly NodeChange[]): void {
    for (const change of changes) {
      if (change.kind !== 'view.flip' && change.kind !== 'view.delta') continue;
      const id = sectionId(change.scope, change.uid);
      const incarnation = change.kind === 'view.flip' ? change.incarnation : this.#marksOf(node).get(id)?.incarnation;
      this.#see(node, id, { incarnation: incarnation ?? '', revision: change.to });
    }
  }

  nodeDiskLost(node: string): void {
    this.#marks.delete(node);
  }

  nodeStoreReplaced(node: string): void {
    this.#marks.delete(node);
  }

  hubOpened({ hub }: HubDiskState): void {
    if (!this.#incarnations.includes(hub.incarnation)) this.#incarnations.push(hub.incarnation);
    for (const [id, { revision }] of hub.sections) this.#see('hub', id, { incarnation: hub.incarnation, revision });
  }

  hubCommitted(changes: readonly HubChange[]): void {
    const incarnation = this.#incarnations.at(-1)!;
    for (const change of changes)
      if (change.kind === 'section.changed')
        this.#see('hub', sectionId(change.scope, change.uid), { incarnation, revision: change.to });
  }

  #seeAll(node: string, sections: Sections): void {
    for (const [id, { incarnation, revision }] of sections)
      if (incarnation !== '') this.#see(node, id, { incarnation, revision });
  }

  #see(owner: string, id: string, mark: Mark): void {
    const marks = this.#marksOf(owner);
    const before = marks.get(id);
    const [earlier, now] = [before?.incarnation, mark.incarnation].map((each) =>
      this.#incarnations.indexOf(each ?? ''),
    );
    const holds = before === undefined || now! > earlier! || (now === earlier && mark.revision >= before.revision);
    this.#verdicts.check(
      'T2',
      holds,
      () => `${owner}: section ${id} went from ${describe(before)} back to ${describe(mark)}`,
    );
    marks.set(id, mark);
  }

  #marksOf(owner: string): Map<string, Mark> {
    const marks = this.#marks.get(owner) ?? new Map<string, Mark>();
    this.#marks.set(owner, marks);
    return marks;
  }
}

function describe(mark: Mark | undefined): string {
  return `${mark?.revision} of ${mark?.incarnation.slice(0, 8)}`;
}
