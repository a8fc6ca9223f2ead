/**
 * The watches of a store. Each has a place in the change log and no buffer of its own: the log is the buffer, and a
 * watch that the log has left behind ends with `E_REVISION_EXPIRED`. Events are told one change after the other, to
 * all watches of the kind, also when a handler writes.
 */
import type { Log } from '../../env.ts';
import { asAppError } from '../../errors.ts';
import type { KubeObject } from '../../kubernetes.ts';
import { type Change, type ChangeLog, stamped } from './change-log.ts';
import type { Watch, WatchEvent, WatchHandler } from './resource-reader.ts';

interface Watcher {
  kindKey: string;
  matches(object: KubeObject): boolean;
  handler: WatchHandler;
  /** Everything up to here has been told. */
  told: number;
  /** False while it still replays the log. */
  live: boolean;
  closed: boolean;
}

export class Watchers {
  readonly #log: Log;
  readonly #changes: ChangeLog;
  readonly #byKind = new Map<string, Set<Watcher>>();
  /** Everything up to here has been told to the live ones. */
  #told: number;
  #telling = false;

  constructor(log: Log, changes: ChangeLog, revision: number) {
    this.#log = log;
    this.#changes = changes;
    this.#told = revision;
  }

  /** Replays what came after `from`, tells a bookmark, then goes on live. Nothing is told before this returns. */
  add(kindKey: string, from: number, matches: Watcher['matches'], handler: WatchHandler): Watch {
    const watcher: Watcher = { kindKey, matches, handler, told: from, live: false, closed: false };
    const watchers = this.#byKind.get(kindKey) ?? new Set();
    this.#byKind.set(kindKey, watchers.add(watcher));
    queueMicrotask(() => this.#replay(watcher));
    return { close: () => this.#remove(watcher) };
  }

  /** Everything up to this revision has been told to the watches that are not replaying. */
  get told(): number {
    return this.#told;
  }

  /** Tells the changes that were appended to the log since the last call. */
  tell(): void {
    // A handler that writes comes back here; the loop that is running takes its change in turn.
    if (this.#telling) return;
    this.#telling = true;
    for (let change = this.#changes.after(this.#told); change; change = this.#changes.after(this.#told)) {
      this.#told = change.revision;
      for (const watcher of [...(this.#byKind.get(change.kindKey) ?? [])])
        if (watcher.live) this.#tellOne(watcher, change);
    }
    this.#telling = false;
  }

  /** Lets every watch know how far it is, so that a quiet one can resume after the log has been cut. */
  bookmark(): void {
    for (const watchers of this.#byKind.values())
      for (const watcher of [...watchers]) if (watcher.live) this.#bookmarkOne(watcher, this.#told);
  }

  endAll(error: unknown): void {
    for (const watchers of this.#byKind.values()) for (const watcher of [...watchers]) this.#end(watcher, error);
  }

  #replay(watcher: Watcher): void {
    while (!watcher.closed) {
      try {
        this.#changes.assertReaches(watcher.told);
      } catch (error) {
        this.#end(watcher, error);
        return;
      }
      const change = watcher.told < this.#told ? this.#changes.after(watcher.told) : undefined;
      if (change === undefined) break;
      if (change.kindKey === watcher.kindKey) this.#tellOne(watcher, change);
      watcher.told = change.revision;
    }
    if (watcher.closed) return;
    watcher.told = Math.max(watcher.told, this.#told);
    watcher.live = true;
    this.#bookmarkOne(watcher, watcher.told);
  }

  #tellOne(watcher: Watcher, change: Change): void {
    // A watch may begin at a revision that the log has not reached; it hears nothing older.
    if (change.revision <= watcher.told) return;
    watcher.told = change.revision;
    const event = eventOf(change, watcher.matches);
    if (event !== undefined) this.#deliver(watcher, event);
  }

  #bookmarkOne(watcher: Watcher, revision: number): void {
    this.#deliver(watcher, { type: 'BOOKMARK', revision: String(revision) });
  }

  #deliver(watcher: Watcher, event: WatchEvent): void {
    if (watcher.closed) return;
    try {
      watcher.handler.onEvent(event);
    } catch (error) {
      // A handler's fault is its own: the other watches and the writer must not feel it.
      this.#log.error('watch handler failed', { kind: watcher.kindKey, err: error });
      this.#end(watcher, asAppError(error, 'E_INTERNAL', 'the watch handler failed'));
    }
  }

  #end(watcher: Watcher, error: unknown): void {
    if (watcher.closed) return;
    this.#remove(watcher);
    try {
      watcher.handler.onEnd(error);
    } catch (failure) {
      this.#log.error('watch end handler failed', { kind: watcher.kindKey, err: failure });
    }
  }

  #remove(watcher: Watcher): void {
    watcher.closed = true;
    const watchers = this.#byKind.get(watcher.kindKey);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byKind.delete(watcher.kindKey);
  }
}

/** The change as a watch sees it whose selector `matches`: an object that stops matching is gone for it. */
function eventOf(change: Change, matches: Watcher['matches']): WatchEvent | undefined {
  const { previous, next, object } = change;
  const before = previous !== undefined && matches(previous);
  const after = next !== undefined && matches(next);
  const revision = String(change.revision);
  if (after) return { type: before ? 'MODIFIED' : 'ADDED', object, revision };
  if (!before) return undefined;
  // What left the selection is told as it was when it still belonged to it.
  return { type: 'DELETED', object: next === undefined ? object : stamped(previous, change.revision), revision };
}
