/** `stile wait`: until objects fulfil a condition, or are gone, or the time is over. */
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { type Listed, listObjects, type Selection, watchSelection } from '../listing.ts';
import type { Connection, ConnectionOptions, World } from '../ports.ts';
import { discover, qualifiedName, type Resource } from '../resources.ts';
import { parseSubjects, type Subject } from '../subjects.ts';
import { isMet, standingOf, type WaitCondition } from '../wait-condition.ts';

export interface WaitOptions extends ConnectionOptions {
  for: WaitCondition;
  all?: boolean;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  /** 0: look once. */
  timeoutMs: number;
}

const forever = new Promise<never>(() => {});
/** Objects that the sentence of a timeout names; the others are counted. */
const NAMED_MAX = 10;

/**
 * Prints `kind/name condition met` for each object. `E_TIMEOUT` tells how those stand that are missing; `E_NOT_FOUND`
 * for one that does not exist or goes while something else than its going is waited for.
 */
export async function wait(world: World, args: readonly string[], options: WaitOptions): Promise<void> {
  const connection = await world.connect(options);
  const over = new AbortController();
  const deadline =
    options.timeoutMs === 0 ? forever : world.clock.sleep(options.timeoutMs, over.signal).catch(() => {});
  const waits: KindWait[] = [];
  const work = async () => {
    const subjects = parseSubjects(await discover(connection), args);
    for (const group of groupsOf(subjects)) {
      checkSubject(group, options);
      waits.push(new KindWait(world, connection, group, options));
    }
    await Promise.all(waits.map((one) => one.run(over.signal)));
  };
  try {
    await Promise.race([work(), deadline]);
    conclude(world, waits, options);
  } finally {
    over.abort();
  }
}

/** One kind's objects: named ones, or those that a selection finds at the beginning. */
class KindWait {
  /** Whether the objects have been listed. */
  known = false;
  count = 0;
  readonly failures: AppError[] = [];
  readonly #world: World;
  readonly #connection: Connection;
  readonly #resource: Resource;
  readonly #names: readonly string[];
  readonly #options: WaitOptions;
  /** What is waited for still, by namespace and name, as it was seen last. */
  readonly #pending = new Map<string, KubeObject>();
  readonly #done = new AbortController();

  constructor(world: World, connection: Connection, { resource, names }: Subject, options: WaitOptions) {
    this.#world = world;
    this.#connection = connection;
    this.#resource = resource;
    this.#names = names;
    this.#options = options;
  }

  /** In words. */
  get sought(): string {
    const { selector, fieldSelector } = this.#options;
    const by = [selector && `-l ${selector}`, fieldSelector && `--field-selector ${fieldSelector}`].filter(Boolean);
    return [this.#resource.plural, ...(by.length === 0 ? [] : ['that match', ...by])].join(' ');
  }

  /** How each of the missing ones stands. */
  pending(): string[] {
    return [...this.#pending.values()].map(
      (object) => `${this.#nameOf(object.metadata.name)} ${standingOf(this.#options.for, object)}`,
    );
  }

  /** Until nothing is missing, or `over` aborts. */
  async run(over: AbortSignal): Promise<void> {
    const selection = this.#selection();
    const first = await listObjects(this.#connection, { ...selection, ...this.#chosen() });
    this.#begin(first.items);
    if (this.#pending.size === 0 || this.#options.timeoutMs === 0) return;
    let listed: Listed | undefined = first;
    const view = {
      accept: 'application/json',
      list: async () => {
        const list = listed ?? (await listObjects(this.#connection, selection));
        listed = undefined;
        return list;
      },
      revisionOf: (list: Listed) => list.revision,
      onListed: (list: Listed) => this.#compare(list.items),
      onEvent: (type: string, object: never) => this.#take(object, type === 'DELETED'),
    };
    const signal = AbortSignal.any([over, this.#done.signal]);
    await watchSelection(this.#world, this.#connection, selection, view, signal);
  }

  /**
   * Watched without the labels: an object that loses one has not gone, but would be told as deleted. Likewise several
   * names are picked from all of the kind.
   */
  #selection(): Selection {
    const { allNamespaces, namespace } = this.#options;
    const [name, ...more] = this.#names;
    return {
      resource: this.#resource,
      namespace: allNamespaces ? undefined : (namespace ?? this.#connection.namespace),
      ...(name === undefined || more.length > 0 ? {} : { fields: `metadata.name=${name}` }),
    };
  }

  #chosen(): Partial<Selection> {
    const { selector, fieldSelector } = this.#options;
    return {
      ...(selector === undefined ? {} : { labels: selector }),
      ...(fieldSelector === undefined ? {} : { fields: fieldSelector }),
    };
  }

  #begin(items: readonly KubeObject[]): void {
    this.known = true;
    const wanted = this.#names.length === 0 ? items : items.filter((item) => this.#names.includes(item.metadata.name));
    this.count = this.#names.length || wanted.length;
    for (const item of wanted) this.#pending.set(keyOf(item), item);
    for (const item of wanted) this.#take(item, false);
    const found = new Set(wanted.map((item) => item.metadata.name));
    for (const name of new Set(this.#names)) if (!found.has(name)) this.#conclude(name, 'does not exist');
  }

  /** A list tells by its gaps what has gone; the first one leaves none. */
  #compare(items: readonly KubeObject[]): void {
    const present = new Set(items.map(keyOf));
    // With labels the first list has only what they choose, which is all that is waited for.
    for (const [key, object] of this.#pending) if (!present.has(key)) this.#take(object, true);
    for (const item of items) this.#take(item, false);
  }

  #take(object: KubeObject, gone: boolean): void {
    const known = this.#pending.get(keyOf(object));
    if (known === undefined) return;
    const { name, uid } = object.metadata;
    // One of the same name with another uid is another object: what was waited for has gone.
    const replaced = this.#options.for.kind === 'delete' && uid !== known.metadata.uid;
    if (!gone && !replaced) {
      this.#pending.set(keyOf(object), object);
      if (!isMet(this.#options.for, object)) return;
    }
    this.#pending.delete(keyOf(object));
    this.#conclude(name, gone || replaced ? 'was deleted meanwhile' : undefined);
    if (this.#pending.size === 0) this.#done.abort();
  }

  #conclude(name: string, absence: string | undefined): void {
    if (absence === undefined || this.#options.for.kind === 'delete')
      this.#world.terminal.out(`${this.#nameOf(name)} condition met\n`);
    else this.failures.push(new AppError('E_NOT_FOUND', `${this.#nameOf(name)} ${absence}`));
  }

  #nameOf(name: string): string {
    return qualifiedName(this.#resource, name);
  }
}

function checkSubject({ resource, names }: Subject, options: WaitOptions): void {
  const { all, selector, fieldSelector, allNamespaces } = options;
  const selects = all || selector !== undefined || fieldSelector !== undefined;
  if (names.length > 0 && (selects || allNamespaces))
    throw new AppError('E_USAGE', 'give names, or a selection of a kind, not both');
  if (names.length === 0 && !selects)
    throw new AppError('E_USAGE', `name the ${resource.plural} to wait for, or say -l SELECTOR or --all`);
}

/** `pod/a pod/b` are watched together. */
function groupsOf(subjects: readonly Subject[]): Subject[] {
  const groups = new Map<Resource, Subject>();
  for (const { resource, names } of subjects)
    groups.set(resource, { resource, names: [...(groups.get(resource)?.names ?? []), ...names] });
  return [...groups.values()];
}

function conclude(world: World, waits: readonly KindWait[], options: WaitOptions): void {
  const failures = waits.flatMap((one) => one.failures);
  const pending = waits.flatMap((one) => one.pending());
  if (pending.length > 0 || waits.length === 0 || waits.some((one) => !one.known)) failures.push(tooLate(pending));
  else if (options.for.kind !== 'delete' && waits.every((one) => one.count === 0))
    failures.push(new AppError('E_NOT_FOUND', `there are no ${waits.map((one) => one.sought).join(' and no ')}`));
  for (const failure of failures) world.report(failure);
}

function tooLate(pending: readonly string[]): AppError {
  if (pending.length === 0)
    return new AppError('E_TIMEOUT', 'the server did not tell in time what there is to wait for');
  const named = pending.slice(0, NAMED_MAX).join('; ');
  const more = pending.length - NAMED_MAX;
  return new AppError('E_TIMEOUT', `the time is over: ${named}${more > 0 ? `; and ${more} more` : ''}`);
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
