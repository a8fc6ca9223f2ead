/**
 * The actions of this terminal, the hub's and those asked for on the spot, in one table. That an action begins is
 * durable before its driver hears of it, so it happens at most once, and its result is durable before it is told.
 */
import type { Env } from '../../protocol/env.ts';
import { randomUuid } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import type { Action, Json } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { sameJson } from '../../protocol/twin/merge.ts';
import type { NodeChange } from '../store/node-state.ts';
import type { AppendedEvent, NewEvent, NodeStore } from '../store/node-store.ts';
import {
  ACTION_LIFE_MS_MAX,
  type ActionRecord,
  actionEvent,
  afterCrash,
  arrivedAction,
  begun,
  checkInputSize,
  forgettable,
  isFinal,
  type Outcome,
  settled,
} from './action-record.ts';
import type { Devices, PreparedAction } from './devices.ts';

/** Records that are kept, each with up to 16 KiB of input and output. */
export const ACTIONS_MAX = 1_000;
/** A driver that does not answer for so long is given up; what it did is not known then. */
export const ACTION_RUN_MS_MAX = 300_000;
/** Between two attempts to write, or to tell, what could not be. */
const RETRY_MS = 10_000;
/** Between two looks at a device that the hub's action waits for. */
const DEVICE_LOOK_MS = 1_000;

export interface ActionsPorts {
  store: Pick<NodeStore, 'state' | 'commit'>;
  /** Resolves when the event is durable; the same id means the same event. */
  append(event: NewEvent): Promise<AppendedEvent>;
  devices: Pick<Devices, 'prepare' | 'get'>;
  /** Wall-clock ms that have certainly come. */
  nowMs(): number;
}

export interface LocalAction {
  twin: string;
  name: string;
  input?: Json;
  /** The caller's name for it (`Idempotency-Key`): the same action under the same name happens once. */
  key?: string;
}

export class Actions {
  readonly #env: Env;
  readonly #ports: ActionsPorts;
  readonly #scope: Scope;
  /** On their way to their first durable record. */
  readonly #arriving = new Map<string, Promise<ActionRecord>>();
  /** Local actions by what their callers call them. */
  readonly #named = new Map<string, Promise<ActionRecord>>();
  /** Of the hub's actions on one twin the next begins when the one before is over. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #settling = new Set<() => void>();
  /** Results that are in the outbox, by uid and the hub that asked. */
  readonly #told = new Set<string>();
  #view: ReadonlyMap<string, Action> = new Map();
  #incarnation = '';
  #started = false;

  /** `onFailure` hears of what only a bug can break. */
  constructor(env: Env, ports: ActionsPorts, onFailure: (error: unknown) => void) {
    this.#env = { ...env, log: env.log.child({ svc: 'actions' }) };
    this.#ports = ports;
    this.#scope = new Scope(env.clock, onFailure);
  }

  /** Whatever ran when the last life ended is not known, and stays so. */
  async start(): Promise<void> {
    const nowMs = this.#ports.nowMs();
    const cut = this.#records().filter(({ status }) => !isFinal(status));
    const changes = cut.map((record): NodeChange => ({ kind: 'action', record: afterCrash(record, nowMs) }));
    // A terminal starts on a disk that cannot be written too.
    if (changes.length > 0)
      await this.#ports.store.commit(changes).catch((error: unknown) => {
        this.#env.log.warn('actions not written at the start', { err: error });
        this.#scope.spawn((signal) => this.#keep(changes, signal).then(() => this.#look()));
      });
    for (const record of this.#records())
      if (record.key !== undefined) this.#named.set(nameOf(record, record.key), Promise.resolve(record));
    this.#started = true;
    this.#look();
  }

  /** Resolves when nothing runs any more; what did is `Unknown` then. */
  async stop(): Promise<void> {
    await this.#scope.stop();
  }

  /** The Actions of the view, and the hub that told them; undefined: none was told yet. */
  apply(actions: readonly Action[] | undefined, incarnation: string | undefined): void {
    this.#view = new Map((actions ?? []).map((action) => [uidOf(action), action]));
    // Whoever asks now was told nothing yet.
    if (this.#incarnation !== incarnation) this.#told.clear();
    this.#incarnation = incarnation ?? '';
    if (this.#started) this.#look();
  }

  get(id: string): ActionRecord | undefined {
    return this.#ports.store.state.actions.get(id);
  }

  /** Those of one twin, newest last. */
  list(twin: string): ActionRecord[] {
    return this.#records().filter((record) => record.twin === twin);
  }

  /**
   * Resolves when the intent is durable and the driver has been told, not when it is over.
   * Errors: those of `Devices.prepare`, `E_CONFLICT` for a key that was another action, `E_TOO_MANY`, `E_STORE_FAILED`.
   */
  async invoke(asked: LocalAction): Promise<ActionRecord> {
    const { key } = asked;
    if (key === undefined) return this.#invoke(asked);
    const name = nameOf(asked, key);
    const known = this.#named.get(name);
    if (known !== undefined) return this.#same(await known, asked);
    const record = this.#invoke(asked);
    this.#named.set(name, record);
    record.catch(() => this.#named.delete(name));
    return record;
  }

  /** The record when it is final, or as it is after `waitMs`; undefined: not known here. */
  async settled(id: string, waitMs: number, signal: AbortSignal): Promise<ActionRecord | undefined> {
    const isOver = () => {
      const record = this.get(id);
      return record === undefined || isFinal(record.status);
    };
    if (isOver()) return this.get(id);
    const over = new AbortController();
    const look = () => {
      if (isOver()) over.abort();
    };
    this.#settling.add(look);
    const ends = AbortSignal.any([signal, over.signal, this.#scope.signal]);
    await this.#env.clock.sleep(waitMs, ends).catch(() => {});
    this.#settling.delete(look);
    return this.get(id);
  }

  // --- asked for here

  async #invoke({ twin, name, input, key }: LocalAction): Promise<ActionRecord> {
    checkInputSize(input);
    if (this.#scope.stopped || !this.#started) throw new AppError('E_CANCELLED', 'the terminal starts or stops');
    const prepared = this.#ports.devices.prepare(twin, name, input);
    const nowMs = this.#ports.nowMs();
    const record: ActionRecord = {
      id: randomUuid(this.#env.random),
      from: 'local',
      twin,
      name,
      ...(input === undefined ? {} : { input }),
      acceptedMs: nowMs,
      expiresMs: nowMs + ACTION_LIFE_MS_MAX,
      ...(key === undefined ? {} : { key }),
      status: { phase: 'Pending' },
    };
    const running = await this.#begin(record);
    this.#scope.spawn(async (signal) => {
      await this.#run(running, prepared, signal);
    });
    return running;
  }

  #same(known: ActionRecord, { twin, name, input }: LocalAction): ActionRecord {
    const record = this.get(known.id) ?? known;
    if (record.twin === twin && record.name === name && sameJson(record.input, input)) return record;
    throw new AppError('E_CONFLICT', `this Idempotency-Key was used for ${name} of ${twin} with another input`);
  }

  // --- asked for by the hub

  #look(): void {
    for (const [uid, action] of this.#view) {
      if (action.status !== undefined && isFinal(action.status)) continue;
      const record = this.get(uid);
      if (record !== undefined && isFinal(record.status)) this.#tell(record);
      else if (record === undefined && !this.#arriving.has(uid)) this.#arrive(uid, action);
    }
  }

  #arrive(uid: string, action: Action): void {
    const { twin } = action.spec;
    const before = this.#queues.get(twin) ?? Promise.resolve();
    const arriving = before.then(() => this.#take(action));
    this.#arriving.set(uid, arriving);
    const done = arriving.then(
      () => {},
      (error: unknown) => this.#env.log.warn('action not taken', { action: uid, err: error }),
    );
    this.#queues.set(twin, done);
    this.#scope.spawn(async () => {
      await done;
      this.#arriving.delete(uid);
      if (this.#queues.get(twin) === done) this.#queues.delete(twin);
      if (this.get(uid) === undefined && this.#view.has(uid) && !this.#scope.stopped) this.#lookLater();
    });
  }

  /** Resolves when it is over. Errors: `E_CANCELLED` when it was not begun and shall not be, `E_TOO_MANY`, `E_STORE_FAILED`. */
  async #take(action: Action): Promise<ActionRecord> {
    const { store, nowMs } = this.#ports;
    const { signal } = this.#scope;
    for (;;) {
      if (signal.aborted || !this.#view.has(uidOf(action)))
        throw new AppError('E_CANCELLED', 'it is not asked for any more, or the terminal stops');
      const record = arrivedAction(action, store.state.epoch, nowMs());
      if (isFinal(record.status)) return this.#end(record, signal);
      const prepared = this.#prepared(record);
      if (prepared instanceof Error) return this.#end(settled(record, { error: prepared }, nowMs()), signal);
      if (prepared !== undefined) return this.#run(await this.#begin(record), prepared, signal);
      await this.#env.clock.sleep(DEVICE_LOOK_MS, signal).catch(() => {});
    }
  }

  /** Undefined while the device is not there, or cannot be told anything: it has time until the action expires. */
  #prepared({ twin, name, input }: ActionRecord): PreparedAction | Error | undefined {
    const { devices } = this.#ports;
    try {
      checkInputSize(input);
      return devices.prepare(twin, name, input);
    } catch (error) {
      const isThere = devices.get(twin)?.profile !== undefined;
      return isThere && codeOf(error) !== 'E_DEVICE_FAILED' ? (error as Error) : undefined;
    }
  }

  /** A result is told until the outbox has it; that an action runs, once if at all. */
  #tell(record: ActionRecord): void {
    const { id, status } = record;
    const over = isFinal(status);
    const name = over ? `${id}@${this.#incarnation}` : `${id}@${this.#incarnation}/begun`;
    if (record.from !== 'hub' || this.#told.has(name)) return;
    if (over) this.#told.add(name);
    this.#ports.append({ ...actionEvent(record), id: name }).catch((error: unknown) => {
      this.#env.log.warn('action not told', { action: id, phase: status.phase, err: error });
      if (!over) return;
      this.#told.delete(name);
      this.#lookLater();
    });
  }

  #lookLater(): void {
    this.#scope.spawn((signal) =>
      untilAborted(signal, async () => {
        await this.#env.clock.sleep(RETRY_MS, signal);
        this.#look();
      }),
    );
  }

  // --- both

  /** The intent, durable. Errors: `E_TOO_MANY`, `E_STORE_FAILED`. */
  async #begin(record: ActionRecord): Promise<ActionRecord> {
    const running = begun(record, this.#ports.nowMs());
    await this.#ports.store.commit([...this.#room(), { kind: 'action', record: running }]);
    this.#tell(running);
    this.#env.log.info('action begins', { action: record.id, twin: record.twin, name: record.name, from: record.from });
    return running;
  }

  async #run(running: ActionRecord, prepared: PreparedAction, stop: AbortSignal): Promise<ActionRecord> {
    const done = new AbortController();
    const tooLong = new AbortController();
    const limit = this.#env.clock.sleep(ACTION_RUN_MS_MAX, AbortSignal.any([stop, done.signal])).then(
      () => tooLong.abort(new AppError('E_TIMEOUT', `it took longer than ${ACTION_RUN_MS_MAX} ms`)),
      () => {},
    );
    const signal = AbortSignal.any([stop, tooLong.signal]);
    const outcome = await prepared.run(signal).then(
      (output): Outcome => ({ output }),
      (error: unknown): Outcome => ({ error: tooLong.signal.aborted ? tooLong.signal.reason : error }),
    );
    done.abort();
    await limit;
    return this.#end(settled(running, outcome, this.#ports.nowMs()), stop);
  }

  /** The result, durable as soon as the disk takes it, and told. */
  async #end(record: ActionRecord, stop: AbortSignal): Promise<ActionRecord> {
    const isNew = this.get(record.id) === undefined;
    await this.#keep([...(isNew ? this.#room() : []), { kind: 'action', record }], stop);
    const { phase } = record.status;
    this.#env.log.info('action over', { action: record.id, twin: record.twin, name: record.name, phase });
    for (const look of [...this.#settling]) look();
    if (this.get(record.id) === record) this.#tell(record);
    return record;
  }

  /** Until it is durable, or the terminal stops. */
  async #keep(changes: readonly NodeChange[], stop: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#ports.store.commit(changes);
        return;
      } catch (error) {
        this.#env.log.warn('action not written', { err: error });
        if (stop.aborted) return;
        await this.#env.clock.sleep(RETRY_MS, stop).catch(() => {});
      }
    }
  }

  /** Errors: `E_TOO_MANY` when there is no room and cannot be. */
  #room(): NodeChange[] {
    const wanted = new Set(this.#view.keys());
    const nowMs = this.#ports.nowMs();
    const ids = forgettable(this.#records(), { wanted, nowMs, countMax: ACTIONS_MAX });
    if (this.#ports.store.state.actions.size - ids.length >= ACTIONS_MAX)
      throw new AppError('E_TOO_MANY', `${ACTIONS_MAX} actions are under way or remembered, which is the limit`);
    for (const id of ids) {
      const record = this.get(id);
      if (record?.key !== undefined) this.#named.delete(nameOf(record, record.key));
      this.#told.delete(`${id}@${this.#incarnation}`);
    }
    return ids.map((id): NodeChange => ({ kind: 'action.gone', id }));
  }

  #records(): ActionRecord[] {
    return [...this.#ports.store.state.actions.values()];
  }
}

const uidOf = ({ metadata }: Action): string => metadata.uid ?? metadata.name;

/** Apps that come back after an update have another name: what they ask for tells them apart, as with events. */
const nameOf = ({ twin, name }: { twin: string; name: string }, key: string): string =>
  JSON.stringify([twin, name, key]);
