/** The course of a running container as a table: from what is, to the steps. All times in ms. */
import { describe, expect, test } from 'vitest';
import type { Container } from '../../../protocol/kubernetes.ts';
import { decideCourse, decideEnd, isReady } from '../../../runtime/workloads/container-course.ts';
import type { Probe } from '../../../runtime/workloads/container-handlers.ts';
import type { ContainerObservation } from '../../../runtime/workloads/pod-decision.ts';
import type { ContainerRecord } from '../../../runtime/workloads/ports.ts';
import { afterProbe, beginProbe, firstProbe } from '../../../runtime/workloads/probe-progress.ts';

const now = 1_000_000;
const graceMs = 30_000;
const tcp = { tcpSocket: { port: 80 } };
const container: Container = {
  name: 'main',
  startupProbe: { ...tcp, failureThreshold: 2 },
  livenessProbe: { ...tcp, initialDelaySeconds: 5, terminationGracePeriodSeconds: 4 },
  readinessProbe: tcp,
  lifecycle: { postStart: { sleep: { seconds: 1 } }, preStop: { sleep: { seconds: 1 } } },
};
const running: ContainerRecord = {
  name: 'main',
  restartCount: 0,
  phase: 'running',
  state: { running: { startedAt: '' } },
  notBeforeMs: 0,
  backoffMs: 0,
};
const alive: ContainerObservation = { alive: true, image: { kind: 'none' }, notBeforeMs: 0, startedAtMs: now };
const result = (value: 'success' | 'failure') => ({
  dueAtMs: now + 7,
  running: false,
  successes: 0,
  failures: 0,
  result: value,
});

describe('course', () => {
  const rows: [string, Partial<ContainerRecord>, Partial<ContainerObservation>, string[], number?][] = [
    ['the postStart hook comes first', { postStartPending: true, startupPending: true }, {}, ['hook']],
    ['everything waits for it', { postStartPending: true }, { postStart: 'running' }, []],
    ['its end is made durable', { postStartPending: true }, { postStart: 'done' }, ['hookDone']],
    ['its failure ends the container', { postStartPending: true }, { postStart: 'failed' }, ['endContainer']],
    ['a startup probe gates the others', { startupPending: true }, {}, ['probe']],
    [
      'its success is made durable',
      { startupPending: true },
      { probes: { startup: result('success') } },
      ['startedUp'],
    ],
    [
      'its failure ends the container',
      { startupPending: true },
      { probes: { startup: result('failure') } },
      ['endContainer'],
    ],
    ['an initial delay is waited for', {}, {}, ['probe'], now + 5_000],
    ['an adopted container waits for liveness again, not for readiness', {}, { adopted: true }, ['probe'], now + 5_000],
    ['a liveness failure ends the container', {}, { probes: { liveness: result('failure') } }, ['endContainer']],
    [
      'readiness is told when it changes',
      { ready: false },
      { probes: { liveness: result('success'), readiness: result('success') } },
      ['ready'],
      now + 7,
    ],
    [
      'and not again',
      { ready: true },
      { probes: { liveness: result('success'), readiness: result('success') } },
      [],
      now + 7,
    ],
    [
      'a probe under way is waited for',
      { startupPending: true },
      { probes: { startup: { ...result('success'), running: true, result: undefined } } },
      [],
    ],
  ];
  test.each(rows)('%s', (_name, own, seen, steps, wakeAtMs) => {
    const decision = decideCourse(container, { ...running, ...own }, { ...alive, ...seen }, graceMs, now);
    expect(decision.steps.map(({ kind }) => kind)).toEqual(steps);
    expect(decision.wakeAtMs).toBe(wakeAtMs);
  });

  test("a probe's own grace period goes before the pod's", () => {
    const probes = { liveness: result('failure') };
    const { steps } = decideCourse(container, running, { ...alive, probes }, graceMs, now);
    expect(steps).toMatchObject([{ graceMs: 4_000 }]);
  });
});

describe('end', () => {
  const rows: [string, Partial<ContainerObservation>, number, string[], number?][] = [
    ['the preStop hook comes first', {}, graceMs, ['hook']],
    ['but not without time for it', {}, 0, ['terminate']],
    ['SIGTERM waits for it', { preStop: { sinceMs: now - 1_000, running: true } }, graceMs, [], now + 29_000],
    ['no longer than the grace period', { preStop: { sinceMs: now - graceMs, running: true } }, graceMs, ['terminate']],
    ['SIGTERM follows it', { preStop: { sinceMs: now - 1_000, running: false } }, graceMs, ['terminate']],
    [
      'its time is a part of the grace period',
      { preStop: { sinceMs: now - 1_000, running: false }, terminatedAtMs: now },
      graceMs,
      [],
      now + 29_000,
    ],
    [
      'a hook that took it all leaves two seconds',
      { preStop: { sinceMs: now - graceMs, running: true }, terminatedAtMs: now },
      graceMs,
      [],
      now + 2_000,
    ],
    ['then SIGKILL', { terminatedAtMs: now - graceMs }, graceMs, ['kill']],
    ['which is repeated', { terminatedAtMs: 0, killedAtMs: now - 10_000 }, graceMs, ['kill']],
    ['nothing is left to do for the dead', { alive: false }, graceMs, []],
  ];
  test.each(rows)('%s', (_name, seen, grace, steps, wakeAtMs) => {
    const clock = { nowMs: now, killRepeatMs: 10_000 };
    const decision = decideEnd(container, 'main', { ...alive, ...seen }, grace, clock);
    expect(decision.steps.map(({ kind }) => kind)).toEqual(steps);
    expect(decision.wakeAtMs).toBe(wakeAtMs);
  });
});

test('a result stands until the threshold of the other one is reached', () => {
  const probe = {
    kind: 'readiness',
    periodMs: 10,
    initialDelayMs: 3,
    successThreshold: 2,
    failureThreshold: 2,
  } as Probe;
  let progress = firstProbe(probe, now, false);
  expect(progress.dueAtMs).toBe(now + 3);
  const seen: (string | undefined)[] = [];
  for (const ok of [true, true, false, true, false, false, true, true]) {
    progress = afterProbe(beginProbe(progress, probe, progress.dueAtMs), probe, ok);
    seen.push(progress.result);
  }
  const [good, bad] = ['success', 'failure'];
  expect(seen).toEqual([undefined, good, good, good, good, bad, bad, good]);
  expect(progress.dueAtMs).toBe(now + 3 + 8 * 10);
});

test('ready: running, nothing pending, and no probe against it; a record of before there were probes is ready', () => {
  expect(isReady(running)).toBe(true);
  expect(isReady({ ...running, ready: true })).toBe(true);
  expect(isReady({ ...running, ready: false })).toBe(false);
  expect(isReady({ ...running, startupPending: true })).toBe(false);
  expect(isReady({ ...running, postStartPending: true })).toBe(false);
  expect(isReady({ ...running, phase: 'exited' })).toBe(false);
});
