/**
 * Brings what is desired of a device onto it, each resource for itself: the newest value wins over one that is being
 * written or tried again, what the device refuses for good is told, anything else is tried again with a pause.
 */
import { checkValue, type Profile, type Resource } from '../../devices/profile.ts';
import { backoffDelayMs } from '../../protocol/backoff.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf, errorBody } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import type { Scope } from '../../protocol/scope.ts';
import { type Members, sameJson } from '../../protocol/twin/merge.ts';
import { isDesirable } from './device-report.ts';

export interface WriterParts {
  profile: Profile;
  /** Owns the writes that are under way. */
  scope: Scope;
  /** Errors: `E_INPUT_INVALID` for what will never do; any other is tried again. */
  write(resource: string, value: Json, signal: AbortSignal): Promise<void>;
  /** Why the desired value of a resource is not the device's; undefined: it is, or none is desired any more. */
  fault(resource: string, message: string | undefined): void;
}

/** A value on its way, or there. */
interface Task {
  value: Json;
  cancel: AbortController;
  ended: Promise<void>;
}

export class DesiredWriter {
  readonly #env: Env;
  readonly #parts: WriterParts;
  readonly #resources: readonly Resource[];
  readonly #tasks = new Map<string, Task>();

  constructor(env: Env, parts: WriterParts) {
    this.#env = env;
    this.#parts = parts;
    this.#resources = [...parts.profile.resources.values()].filter(isDesirable);
  }

  /**
   * `readings`: what the device is known to have; a value that is there already is not written the first time.
   * Asking twice is harmless.
   */
  want(desired: Members, readings: ReadonlyMap<string, Json>): void {
    for (const resource of this.#resources) {
      const { name } = resource;
      const value = Object.hasOwn(desired, name) ? desired[name] : undefined;
      const task = this.#tasks.get(name);
      if (value === undefined) this.#drop(name);
      else if (task !== undefined && sameJson(task.value, value)) continue;
      else this.#start(resource, value, task, task === undefined && sameJson(readings.get(name), value));
    }
  }

  /** The device cannot, or may not, be written to: what is wanted next is wanted anew. */
  forget(): void {
    for (const name of [...this.#tasks.keys()]) this.#drop(name);
  }

  #drop(name: string): void {
    const task = this.#tasks.get(name);
    if (task === undefined) return;
    task.cancel.abort(new AppError('E_CANCELLED', `${name} is not desired any more`));
    this.#tasks.delete(name);
    this.#parts.fault(name, undefined);
  }

  #start(resource: Resource, value: Json, before: Task | undefined, isThere: boolean): void {
    before?.cancel.abort(new AppError('E_CANCELLED', `another ${resource.name} is desired`));
    const cancel = new AbortController();
    const task: Task = { value, cancel, ended: Promise.resolve() };
    this.#tasks.set(resource.name, task);
    this.#parts.fault(resource.name, undefined);
    if (isThere) return;
    this.#parts.scope.spawn((stop) => {
      task.ended = this.#write(resource, value, before?.ended, AbortSignal.any([stop, cancel.signal]));
      return task.ended;
    });
  }

  /** Never rejects. */
  async #write(resource: Resource, value: Json, before: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    await before;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        checkValue(resource, value);
        await this.#parts.write(resource.name, value, signal);
        if (!signal.aborted) this.#parts.fault(resource.name, undefined);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.fault(resource.name, errorBody(error).message);
        if (codeOf(error) === 'E_INPUT_INVALID') return;
        const pauseMs = backoffDelayMs(attempt, this.#env.random.next());
        await this.#env.clock.sleep(pauseMs, signal).catch(() => {});
      }
    }
  }
}
