/** Probes and hooks as they are written in a manifest, and what is made of them. */
import { describe, expect, test } from 'vitest';
import type { Container } from '../../../protocol/kubernetes.ts';
import { handlersOf } from '../../../runtime/workloads/container-handlers.ts';

const base: Container = { name: 'main', ports: [{ name: 'web', containerPort: 8080 }] };

function probeOf(probe: unknown, kind: 'startup' | 'liveness' | 'readiness' = 'liveness') {
  const { probes, fault } = handlersOf({ ...base, [`${kind}Probe`]: probe });
  return fault ?? probes[0];
}

test('defaults are those of Kubernetes, and seconds become milliseconds', () => {
  expect(probeOf({ httpGet: { port: 80 } })).toEqual({
    kind: 'liveness',
    handler: { kind: 'httpGet', scheme: 'HTTP', port: 80, path: '/', headers: [] },
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1_000,
    successThreshold: 1,
    failureThreshold: 3,
  });
  expect(probeOf({ exec: { command: ['true'] }, periodSeconds: 2, terminationGracePeriodSeconds: 4 })).toMatchObject({
    handler: { kind: 'exec', command: ['true'] },
    periodMs: 2_000,
    graceMs: 4_000,
  });
});

test('a named port is the number that the container gives it', () => {
  expect(probeOf({ tcpSocket: { port: 'web' } })).toMatchObject({ handler: { kind: 'tcpSocket', port: 8080 } });
  expect(probeOf({ httpGet: { port: 'web', path: 'healthz', scheme: 'HTTPS', host: '127.0.0.1' } })).toMatchObject({
    handler: { port: 8080, path: '/healthz', scheme: 'HTTPS', host: '127.0.0.1' },
  });
});

describe('what cannot be done is said', () => {
  const rows: [string, unknown, RegExp][] = [
    ['grpc', { grpc: { port: 80 } }, /no grpc probes; use httpGet, tcpSocket or exec/],
    ['a port that the container does not name', { tcpSocket: { port: 'admin' } }, /has no port "admin"/],
    ['a port out of range', { tcpSocket: { port: 70_000 } }, /has no port 70000/],
    ['an exec without a command', { exec: { command: [] } }, /exec names no command/],
    ['nothing at all', {}, /says nothing to do/],
  ];
  test.each(rows)('%s', (_name, probe, sentence) => {
    expect(probeOf(probe)).toMatch(sentence);
  });
});

test('what makes sense is kept beside what does not, for a container that runs already', () => {
  const { probes, fault } = handlersOf({
    ...base,
    livenessProbe: { grpc: { port: 1 } },
    readinessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 },
  });
  expect(fault).toMatch(/livenessProbe/);
  expect(probes).toMatchObject([{ kind: 'readiness', successThreshold: 2 }]);
});

test('hooks are exec, httpGet or sleep', () => {
  const lifecycle = { postStart: { exec: { command: ['begin'] } }, preStop: { sleep: { seconds: 3 } } };
  expect(handlersOf({ ...base, lifecycle }).hooks).toEqual({
    postStart: { kind: 'exec', command: ['begin'] },
    preStop: { kind: 'sleep', ms: 3_000 },
  });
});
