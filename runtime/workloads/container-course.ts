/**
 * What to do for a container that runs: hooks, probes, and its end in order. Pure.
 *
 *   spawned --postStart--> started up --startup probe--> probed for liveness and readiness --> end
 *   end:  preStop hook --> SIGTERM --> SIGKILL when the grace period is over
 */
import type { Container } from '../../protocol/kubernetes.ts';
import { type HookKind, handlersOf, type Probe, type ProbeKind } from './container-handlers.ts';
import type { ContainerObservation, PodDecision, PodStep } from './pod-decision.ts';
import type { ContainerRecord } from './ports.ts';
import { firstProbe } from './probe-progress.ts';

/** A SIGTERM that had to wait for its hook is followed by SIGKILL no sooner than this (kubelet: 2 s). */
export const termAfterHookMs = 2_000;

/** Of a container whose process lives and that is not asked to end. */
export function decideCourse(
  container: Container,
  own: ContainerRecord,
  seen: ContainerObservation,
  podGraceMs: number,
  nowMs: number,
): PodDecision {
  const { name } = container;
  const { probes, hooks } = handlersOf(container);
  if (own.postStartPending && hooks.postStart !== undefined) {
    if (seen.postStart === undefined) return one({ kind: 'hook', container, hook: 'postStart' });
    if (seen.postStart === 'running') return { steps: [] };
    if (seen.postStart === 'done') return one({ kind: 'hookDone', name });
    return one({ kind: 'endContainer', name, graceMs: podGraceMs, why: 'its postStart hook failed' });
  }
  const startup = probes.find(({ kind }) => kind === 'startup');
  if (own.startupPending && startup !== undefined) {
    const result = seen.probes?.startup?.result;
    if (result === 'success') return one({ kind: 'startedUp', name });
    return failedProbe(name, startup, result, podGraceMs) ?? decideProbe(container, startup, seen, nowMs);
  }
  const decisions: PodDecision[] = [];
  for (const probe of probes) {
    if (probe.kind === 'startup') continue;
    const result = seen.probes?.[probe.kind]?.result;
    if (probe.kind === 'readiness' && result !== undefined && own.ready !== (result === 'success')) {
      decisions.push(one({ kind: 'ready', name, ready: result === 'success' }));
    }
    if (probe.kind === 'liveness') {
      const ended = failedProbe(name, probe, result, podGraceMs);
      if (ended !== undefined) return ended;
    }
    decisions.push(decideProbe(container, probe, seen, nowMs));
  }
  return merge(decisions);
}

/** The way down of one container; nothing once its process is gone. `hook`: it has a preStop hook. */
export function decideEnd(
  container: Container | undefined,
  name: string,
  seen: ContainerObservation,
  graceMs: number,
  clock: { nowMs: number; killRepeatMs: number },
): PodDecision {
  const { alive, preStop, terminatedAtMs, killedAtMs } = seen;
  const { nowMs, killRepeatMs } = clock;
  if (!alive) return { steps: [] };
  if (terminatedAtMs === undefined) {
    const hooked = container !== undefined && handlersOf(container).hooks.preStop !== undefined && graceMs > 0;
    if (!hooked) return one({ kind: 'terminate', name, graceMs });
    if (preStop === undefined) return one({ kind: 'hook', container, hook: 'preStop', graceMs });
    const waiting = preStop.running && nowMs < preStop.sinceMs + graceMs;
    if (waiting) return { steps: [], wakeAtMs: preStop.sinceMs + graceMs };
    return one({ kind: 'terminate', name, graceMs });
  }
  const endAtMs =
    preStop === undefined
      ? terminatedAtMs + graceMs
      : Math.max(preStop.sinceMs + graceMs, terminatedAtMs + termAfterHookMs);
  const killAtMs = killedAtMs === undefined ? endAtMs : killedAtMs + killRepeatMs;
  return nowMs >= killAtMs ? one({ kind: 'kill', name }) : { steps: [], wakeAtMs: killAtMs };
}

/** Marks of a container that is about to be started: what has to happen before it counts as started and ready. */
export function startMarks(container: Container): Pick<ContainerRecord, MarkName> {
  const { probes, hooks } = handlersOf(container);
  const has = (kind: ProbeKind) => probes.some((probe) => probe.kind === kind);
  return {
    ...(hooks.postStart === undefined ? {} : { postStartPending: true as const }),
    ...(has('startup') ? { startupPending: true as const } : {}),
    ...(has('readiness') ? { ready: false } : {}),
  };
}

/** The record without the marks of an earlier start. */
export function withoutMarks(record: ContainerRecord): ContainerRecord {
  const { postStartPending: _hook, startupPending: _startup, ready: _ready, ...rest } = record;
  return rest;
}

type MarkName = 'postStartPending' | 'startupPending' | 'ready';

/** It runs, and nothing that it must pass first is left. */
export function hasStarted(record: ContainerRecord | undefined): boolean {
  return record?.phase === 'running' && !record.postStartPending && !record.startupPending;
}

/** Without a readiness probe a container is ready once it has started. */
export function isReady(record: ContainerRecord | undefined): boolean {
  return hasStarted(record) && record!.ready !== false;
}

export type HookStep = { kind: 'hook'; container: Container; hook: HookKind; graceMs?: number };

function failedProbe(
  name: string,
  { kind, graceMs }: Probe,
  result: 'success' | 'failure' | undefined,
  podGraceMs: number,
): PodDecision | undefined {
  if (result !== 'failure') return undefined;
  return one({ kind: 'endContainer', name, graceMs: graceMs ?? podGraceMs, why: `it failed its ${kind} probe` });
}

function decideProbe(
  container: Container,
  probe: Probe,
  { probes, startedAtMs = 0, adopted = false }: ContainerObservation,
  nowMs: number,
): PodDecision {
  const progress = probes?.[probe.kind] ?? firstProbe(probe, startedAtMs, adopted);
  if (progress.running) return { steps: [] };
  if (nowMs < progress.dueAtMs) return { steps: [], wakeAtMs: progress.dueAtMs };
  return one({ kind: 'probe', container, probe, progress });
}

function one(step: PodStep): PodDecision {
  return { steps: [step] };
}

/** All steps, and the earliest time to look again. */
export function merge(decisions: readonly PodDecision[]): PodDecision {
  const wakes = decisions.flatMap(({ wakeAtMs }) => (wakeAtMs === undefined ? [] : [wakeAtMs]));
  const steps = decisions.flatMap(({ steps }) => steps);
  return wakes.length === 0 ? { steps } : { steps, wakeAtMs: Math.min(...wakes) };
}
