/**
 * How far one probe of one running container has come; pure. A result stands until the threshold of the other one is
 * reached. Source: kubernetes.io "Configure Liveness, Readiness and Startup Probes".
 */
import type { Probe } from './container-handlers.ts';

export interface ProbeProgress {
  /** Monotonic ms of the next try. */
  dueAtMs: number;
  running: boolean;
  /** In a row. */
  successes: number;
  failures: number;
  /** Undefined until a threshold was reached for the first time. */
  result?: 'success' | 'failure';
}

/**
 * Before the first try. A container that an earlier life of the runtime started has served its initial delay as far as
 * readiness goes; whatever could end it waits the full time again, for nobody knows how long it has run.
 */
export function firstProbe(probe: Probe, watchedSinceMs: number, adopted: boolean): ProbeProgress {
  const delayMs = adopted && probe.kind === 'readiness' ? 0 : probe.initialDelayMs;
  return { dueAtMs: watchedSinceMs + delayMs, running: false, successes: 0, failures: 0 };
}

export function beginProbe(before: ProbeProgress, probe: Probe, nowMs: number): ProbeProgress {
  return { ...before, running: true, dueAtMs: nowMs + probe.periodMs };
}

/** The next try comes a period after the last one began, or at once when that one took longer. */
export function afterProbe(before: ProbeProgress, probe: Probe, ok: boolean): ProbeProgress {
  const successes = ok ? before.successes + 1 : 0;
  const failures = ok ? 0 : before.failures + 1;
  const after: ProbeProgress = { ...before, running: false, successes, failures };
  if (successes >= probe.successThreshold) after.result = 'success';
  if (failures >= probe.failureThreshold) after.result = 'failure';
  return after;
}
