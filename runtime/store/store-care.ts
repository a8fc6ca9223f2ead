/**
 * Looks after the store while pods run: checks of its file and the last good copy. What is due is decided here in
 * pure code; the file is behind a port. Damage that a check finds ends the program, and the next start restores.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { untilAborted } from '../../protocol/scope.ts';

/** The store as a file. */
export interface Upkeep {
  /** The program that used it before this one did not end in order. */
  readonly unclean: boolean;
  /** Something was committed since the last good copy. */
  readonly changed: boolean;
  /** Wall-clock ms of the last full check and of the last good copy; undefined: never. */
  readonly checkedMs: number | undefined;
  readonly copiedMs: number | undefined;
  /** What is wrong with it; empty when nothing is. Writers wait meanwhile. */
  faults(depth: 'quick' | 'full'): Promise<string[]>;
  /** Remembers that a full check passed at `nowMs`. */
  checked(nowMs: number): Promise<void>;
  /** Makes the last good copy, in place of the one before. Errors: `E_STORE_FAILED`. */
  copy(nowMs: number): Promise<void>;
}

export interface CareConfig {
  /** From the start of pods to the first look: they come first. */
  firstLookMs: number;
  /** Between two looks at what is due. */
  lookMs: number;
  /** Between two full checks, and between two copies at least. */
  intervalMs: number;
}

export const careDefaults: CareConfig = { firstLookMs: 60_000, lookMs: 3_600_000, intervalMs: 24 * 3_600_000 };

export interface DueCare {
  check: 'none' | 'quick' | 'full';
  /** After a check that passed. */
  copy: boolean;
}

/** A clock that went back makes things due, for nobody knows how long ago they were done. */
export function dueCare(
  { unclean, changed, checkedMs, copiedMs }: Pick<Upkeep, 'unclean' | 'changed' | 'checkedMs' | 'copiedMs'>,
  nowMs: number,
  intervalMs: number,
): DueCare {
  const isDue = (doneMs: number | undefined) => doneMs === undefined || Math.abs(nowMs - doneMs) >= intervalMs;
  const copy = changed && isDue(copiedMs);
  if (copy || isDue(checkedMs)) return { check: 'full', copy };
  return { check: unclean ? 'quick' : 'none', copy };
}

/**
 * Runs until `signal` aborts. `nowMs`: the time as far as this terminal knows it.
 * Errors: `E_STORE_DAMAGED` when a check finds faults.
 */
export async function careForStore(
  env: Env,
  store: Upkeep,
  { config, nowMs, signal }: { config: CareConfig; nowMs(): number; signal: AbortSignal },
): Promise<void> {
  const log = env.log.child({ svc: 'store' });
  await untilAborted(signal, async () => {
    let { unclean } = store;
    for (let pauseMs = config.firstLookMs; ; pauseMs = config.lookMs) {
      await env.clock.sleep(pauseMs, signal);
      const { changed, checkedMs, copiedMs } = store;
      const due = dueCare({ unclean, changed, checkedMs, copiedMs }, nowMs(), config.intervalMs);
      try {
        await perform({ ...env, log }, store, due, nowMs());
        unclean = false;
      } catch (error) {
        if (codeOf(error) === 'E_STORE_DAMAGED') throw error;
        log.warn('care of the store failed', { err: error });
      }
    }
  });
}

async function perform({ clock, log }: Env, store: Upkeep, { check, copy }: DueCare, nowMs: number): Promise<void> {
  if (check === 'none') return;
  const beganMs = clock.monotonic();
  const faults = await store.faults(check);
  if (faults.length > 0) throw new AppError('E_STORE_DAMAGED', `the check of the store found: ${faults[0]}`);
  log.info('store checked', { depth: check, tookMs: Math.round(clock.monotonic() - beganMs) });
  if (check === 'full') await store.checked(nowMs);
  if (!copy) return;
  await store.copy(nowMs);
  log.info('store copied', { tookMs: Math.round(clock.monotonic() - beganMs) });
}
