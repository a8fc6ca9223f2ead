/** Updates as the running program sees them: takes an order, watches its own trial, tells what became of it. */
import type { KeyObject } from 'node:crypto';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Condition } from '../../protocol/kubernetes.ts';
import { confirmed, judgeTrial, type Outcome, ordered, rolledBack, type UpdateState } from './decision.ts';
import type { Launched } from './launch.ts';
import { EXECUTABLE_BYTES_MAX, machineOf, type Statement, trustedStatement } from './statement.ts';
import { firstState } from './update-state.ts';
import type { VersionFiles } from './version-files.ts';
import { compareVersions, newerVersion } from './version-order.ts';

export interface UpdateOrder {
  /** Running for so long, with its pods back, the new version is healthy. */
  settleMs: number;
  /** So much longer it may take, above all to reach the hub. */
  graceMs: number;
  /** An older version is wanted. */
  downgrade: boolean;
}

/** What is known here of updates, for people. */
export interface UpdateStatus {
  running: { version: string; digest: string | null };
  launcher: string;
  /** Keys that updates are checked with. */
  keys: number;
  floor: string;
  trial: { version: string; digest: string } | null;
  last: Outcome | null;
}

export interface UpdatesConfig {
  version: string;
  /** `linux-x64` */
  platform: string;
  launched: Launched | undefined;
  keys: readonly KeyObject[];
}

export interface UpdatesPorts {
  files: VersionFiles;
  /** Keeps the database as it is, for the case that a new version makes it unreadable for this one. */
  keepStore(): Promise<void>;
  /** A version works and its trial is over: what was kept is not needed. */
  forgetStore(): Promise<void>;
  isHubLive(): boolean;
  /** Resolves when pods are back, or nobody waits for them any more. */
  podsReturned(signal: AbortSignal): Promise<void>;
  condition(condition: Condition): void;
  /** Resolves to whether the event is durable. */
  event(type: 'Normal' | 'Warning', reason: string, message: string): Promise<boolean>;
  /** Ends the program and leaves the pods running. */
  leave(): void;
}

/** Between two attempts to write down what became of an update. */
const RETRY_MS = 5_000;
/** Between two looks at a trial. */
const LOOK_MS = 500;
/** An active version, or one that came back, is healthy when it has run for so long. */
const SETTLED_MS = 60_000;

export class Updates {
  readonly #env: Env;
  readonly #config: UpdatesConfig;
  readonly #ports: UpdatesPorts;
  #state: UpdateState;
  #ordering = false;

  private constructor(env: Env, config: UpdatesConfig, ports: UpdatesPorts, state: UpdateState) {
    this.#env = { ...env, log: env.log.child({ svc: 'updates' }) };
    this.#config = config;
    this.#ports = ports;
    this.#state = state;
  }

  /** Reads what the launcher left. Errors: `E_STORE_FAILED`. */
  static async open(env: Env, config: UpdatesConfig, ports: UpdatesPorts): Promise<Updates> {
    const state = await ports.files.readState();
    // With one that cannot be read nothing is known, and the next order begins anew.
    return new Updates(env, config, ports, typeof state === 'object' ? state : firstState(config.version));
  }

  get status(): UpdateStatus {
    const { version, launched, keys } = this.#config;
    const { floor, trial, last } = this.#state;
    return {
      running: { version, digest: launched?.digest ?? null },
      launcher: launched?.launcher ?? version,
      keys: keys.length,
      floor,
      trial: trial === null ? null : { version: trial.version, digest: trial.digest },
      last,
    };
  }

  /** This program is the one on trial. */
  get onTrial(): boolean {
    return this.#state.trial !== null && this.#state.trial.digest === this.#config.launched?.digest;
  }

  /**
   * Verifies what has arrived and lets the next start try it. Resolves when that is durable; the program is to `leave`
   * then. Errors: `E_UPDATE_UNTRUSTED`, `E_UPDATE_DAMAGED`, `E_UPDATE_OLD`, `E_UPDATE_PLATFORM`, `E_CONFLICT`,
   * `E_NOT_FOUND`, `E_STORE_FAILED`.
   */
  async order(order: UpdateOrder): Promise<Statement> {
    if (this.#ordering || this.#state.trial !== null)
      throw new AppError('E_CONFLICT', 'an update is on trial: wait for its end, which stile-runtime update shows');
    this.#ordering = true;
    try {
      const statement = await this.#verified(order.downgrade);
      const { version, bytes, digest } = statement;
      const { files, isHubLive, keepStore } = this.#ports;
      await files.accept(digest);
      await files.forgetStarts();
      await keepStore();
      const trial = { version, bytes, digest, ...order, hubNeeded: isHubLive() };
      const before = { ...this.#state, floor: this.#floor };
      this.#env.log.info('update ordered', { version, digest, ...order, hubNeeded: trial.hubNeeded });
      await this.#ports.event('Normal', 'UpdateOrdered', `version ${version} (sha256 ${digest}) is tried next`);
      await this.#keep(ordered(before, trial, this.status.launcher));
      return statement;
    } finally {
      this.#ordering = false;
    }
  }

  /**
   * Tells what became of the last update, and judges this program if it is on trial. Until `signal` aborts; whatever
   * fails is tried again, for a program whose disk is full goes on, and a trial that cannot be noted has a guard.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#insist(signal, () => this.#begin());
    await this.#insist(signal, () => this.#tell());
    if (this.onTrial) return this.#watchTrial(signal);
    await this.#env.clock.sleep(SETTLED_MS, signal);
    if (this.#state.trial === null && !this.#ordering) await this.#insist(signal, () => this.#settle());
  }

  /** Ends this program once an order is durable. */
  leave(): void {
    this.#ports.leave();
  }

  async #insist(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        this.#env.log.warn('updates cannot be looked after', { err: error, retryMs: RETRY_MS });
        await this.#env.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /** Healthy, or back for good: nothing of the last trial is needed any more. */
  async #settle(): Promise<void> {
    await this.#ports.files.forgetStarts();
    await this.#ports.forgetStore();
    await this.#tidy(false);
  }

  async #begin(): Promise<void> {
    await this.#ports.files.open();
    // Nobody on the spot can have begun to bring anything: the door for them opens later.
    await this.#tidy(true);
  }

  async #tidy(arrivals: boolean): Promise<void> {
    const { active, trial } = this.#state;
    const kept = [active, trial].flatMap((version) => version?.digest ?? []);
    await this.#ports.files.tidy(kept, arrivals);
  }

  get #floor(): string {
    const { version, launched } = this.#config;
    // Whoever asked for an older version has lowered the floor by it.
    return launched === undefined ? newerVersion(this.#state.floor, version) : this.#state.floor;
  }

  async #verified(downgrade: boolean): Promise<Statement> {
    const { keys, platform, launched } = this.#config;
    const arriving = await this.#ports.files.arriving(EXECUTABLE_BYTES_MAX);
    const statement = trustedStatement(arriving.statement, keys);
    if (statement.platform !== platform)
      throw new AppError('E_UPDATE_PLATFORM', `the update is for ${statement.platform}, this terminal is ${platform}`);
    if (!downgrade && compareVersions(statement.version, this.#floor) < 0)
      throw new AppError(
        'E_UPDATE_OLD',
        `the update has version ${statement.version}, and ${this.#floor} has run here: give --downgrade if that is meant`,
      );
    if (statement.digest === launched?.digest)
      throw new AppError('E_CONFLICT', `version ${statement.version} of that digest runs already`);
    const found = arriving.bytes === statement.bytes ? await arriving.digest() : undefined;
    if (found === undefined || found.bytes !== statement.bytes || found.digest !== statement.digest)
      throw new AppError('E_UPDATE_DAMAGED', 'the file is not the one that was signed: bring it again');
    const machine = machineOf(found.header);
    if (machine !== undefined && machine !== platform)
      throw new AppError('E_UPDATE_PLATFORM', `the file is signed for ${platform} and made for ${machine}`);
    return statement;
  }

  async #watchTrial(signal: AbortSignal): Promise<void> {
    const { trial } = this.#state;
    if (trial === null) return;
    const beganMs = this.#env.clock.monotonic();
    let podsBack = false;
    let hubSeen = false;
    void this.#ports.podsReturned(signal).then(
      () => {
        podsBack = true;
      },
      () => {},
    );
    this.#ports.condition(this.#condition('Unknown', 'OnTrial', `version ${trial.version} is on trial`));
    for (;;) {
      hubSeen ||= this.#ports.isHubLive();
      const ranMs = this.#env.clock.monotonic() - beganMs;
      const judgement = judgeTrial(trial, { ranMs, podsBack, hubSeen });
      if (judgement?.healthy === true) return this.#insist(signal, () => this.#confirm());
      if (judgement !== undefined) return this.#goBack(judgement.reason);
      await this.#env.clock.sleep(LOOK_MS, signal);
    }
  }

  async #confirm(): Promise<void> {
    if (this.#state.trial !== null) await this.#keep(confirmed(this.#state, this.#env.clock.now()));
    await this.#settle();
    await this.#tell();
  }

  /** What cannot be written down is decided again by the launcher, when it has started often enough. */
  async #goBack(reason: string): Promise<void> {
    this.#env.log.error('this version goes back to the one before it', { reason });
    try {
      await this.#keep(rolledBack(this.#state, reason, this.#env.clock.now()));
    } catch (error) {
      this.#env.log.error('the end of the trial cannot be written', { err: error });
    }
    this.#ports.leave();
  }

  /** At least once: an event that was kept and not noted is told again. */
  async #tell(): Promise<void> {
    const { last } = this.#state;
    if (last === null) return;
    const { result, version, digest, reason } = last;
    const isGood = result !== 'rolled-back';
    const word = { confirmed: 'UpdateConfirmed', 'rolled-back': 'UpdateRolledBack', superseded: 'UpdateSuperseded' }[
      result
    ];
    const message = `version ${version} (sha256 ${digest.slice(0, 12)}) ${wordsFor[result]}: ${reason}`;
    this.#ports.condition(this.#condition(isGood ? 'True' : 'False', word, message));
    if (last.told) return;
    this.#env.log[isGood ? 'info' : 'error']('update ended', { ...last });
    if (await this.#ports.event(isGood ? 'Normal' : 'Warning', word, message))
      await this.#keep({ ...this.#state, last: { ...last, told: true } });
  }

  #condition(status: 'True' | 'False' | 'Unknown', reason: string, message: string): Condition {
    const timeMs = this.#state.last?.timeMs ?? this.#env.clock.now();
    const lastTransitionTime = new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return { type: 'RuntimeUpdated', status, reason, message, lastTransitionTime };
  }

  async #keep(state: UpdateState): Promise<void> {
    await this.#ports.files.writeState(state);
    this.#state = state;
  }
}

const wordsFor = {
  confirmed: 'stays',
  'rolled-back': 'was rolled back',
  superseded: 'is not used any more',
} as const satisfies Record<Outcome['result'], string>;
