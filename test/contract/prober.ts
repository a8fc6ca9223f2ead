/** What every `Prober` must do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HandlerCall, HandlerOutcome, Prober } from '../../runtime/workloads/ports.ts';

export interface ProberHarness {
  prober: Prober;
  /** What a container says that is well, that is not, and that does not answer. */
  calls: Record<'well' | 'unwell' | 'silent', HandlerCall>;
  /** Clock of the harness, ms. */
  now(): number;
  after(ms: number, callback: () => void): void;
  settle<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function describeProber(name: string, open: () => Promise<ProberHarness>): void {
  describe(`prober: ${name}`, () => {
    let harness: ProberHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    const probe = (call: HandlerCall, timeoutMs: number, signal = new AbortController().signal) =>
      harness.settle<HandlerOutcome>(harness.prober.probe(call, timeoutMs, signal));

    test('an answer is told, good or bad with its reason', async () => {
      expect(await probe(harness.calls.well, 2_000)).toMatchObject({ ok: true });
      const outcome = await probe(harness.calls.unwell, 2_000);
      expect(outcome.ok).toBe(false);
      expect(outcome.message).not.toBe('');
    });

    test('silence is a failure when its time is over', async () => {
      const startMs = harness.now();
      expect(await probe(harness.calls.silent, 200)).toEqual({ ok: false, message: 'no answer within 200 ms' });
      expect(harness.now() - startMs).toBeGreaterThan(190);
      expect(harness.now() - startMs).toBeLessThan(3_000);
    });

    test('who is told to stop asking stops at once, and does not reject', async () => {
      const abort = new AbortController();
      harness.after(50, () => abort.abort());
      const startMs = harness.now();
      expect((await probe(harness.calls.silent, 60_000, abort.signal)).ok).toBe(false);
      expect(harness.now() - startMs).toBeLessThan(3_000);
    });
  });
}
