/**
 * What a container asks its node to do beside running it: probes and lifecycle hooks, read once into types.
 * Source: kubernetes.io API reference v1.32, Probe and Lifecycle.
 */
import type { Container } from '../../protocol/kubernetes.ts';

export const probeKinds = ['startup', 'liveness', 'readiness'] as const;
export type ProbeKind = (typeof probeKinds)[number];
export type HookKind = 'postStart' | 'preStop';

export type Handler =
  | { kind: 'exec'; command: string[] }
  /** Without `host`: the pod's address. */
  | {
      kind: 'httpGet';
      scheme: 'HTTP' | 'HTTPS';
      host?: string;
      port: number;
      path: string;
      headers: [string, string][];
    }
  | { kind: 'tcpSocket'; host?: string; port: number }
  /** Hooks only. */
  | { kind: 'sleep'; ms: number };

export interface Probe {
  kind: ProbeKind;
  handler: Handler;
  initialDelayMs: number;
  periodMs: number;
  timeoutMs: number;
  successThreshold: number;
  failureThreshold: number;
  /** Between SIGTERM and SIGKILL when this probe ends the container; undefined: what the pod says. */
  graceMs?: number;
}

export interface ContainerHandlers {
  probes: Probe[];
  hooks: Partial<Record<HookKind, Handler>>;
  /** Why such a container cannot be started here. What does make sense is still kept, for one that runs already. */
  fault?: string;
}

/** Containers of a pod are replaced, never changed, and asked for at each decision. */
const known = new WeakMap<Container, ContainerHandlers>();

export function handlersOf(container: Container): ContainerHandlers {
  let handlers = known.get(container);
  if (handlers === undefined) {
    handlers = readHandlers(container);
    known.set(container, handlers);
  }
  return handlers;
}

/** In words for a message: `http-get http://:8080/healthz`. */
export function describeHandler(handler: Handler): string {
  switch (handler.kind) {
    case 'exec':
      return `exec ${JSON.stringify(handler.command)}`;
    case 'httpGet':
      return `http-get ${handler.scheme.toLowerCase()}://${handler.host ?? ''}:${handler.port}${handler.path}`;
    case 'tcpSocket':
      return `tcp-socket ${handler.host ?? ''}:${handler.port}`;
    case 'sleep':
      return `sleep ${handler.ms / 1_000} s`;
    default:
      return handler satisfies never;
  }
}

function readHandlers(container: Container): ContainerHandlers {
  const faults: string[] = [];
  const attempt = <T>(read: () => T | undefined): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof HandlerFault)) throw error;
      faults.push(`container ${container.name}: ${error.message}`);
      return undefined;
    }
  };
  const probes = probeKinds.flatMap((kind) => attempt(() => readProbe(container, kind)) ?? []);
  const hooks: ContainerHandlers['hooks'] = {};
  for (const kind of ['postStart', 'preStop'] as const) {
    const handler = attempt(() => readHook(container, kind));
    if (handler !== undefined) hooks[kind] = handler;
  }
  return { probes, hooks, ...(faults.length === 0 ? {} : { fault: faults.join('; ') }) };
}

class HandlerFault extends Error {}

type Raw = Record<string, unknown>;

function readProbe(container: Container, kind: ProbeKind): Probe | undefined {
  const name = `${kind}Probe`;
  const raw = container[name] as Raw | undefined;
  if (raw === undefined || raw === null) return undefined;
  const { grpc, exec, httpGet, tcpSocket, terminationGracePeriodSeconds: grace } = raw;
  if (grpc !== undefined) {
    throw new HandlerFault(`${name}: this node has no grpc probes; use httpGet, tcpSocket or exec`);
  }
  const handler = readHandler(container, name, { exec, httpGet, tcpSocket });
  return {
    kind,
    handler,
    initialDelayMs: 1_000 * wholeNumber(raw.initialDelaySeconds, 0, 0),
    periodMs: 1_000 * wholeNumber(raw.periodSeconds, 10, 1),
    timeoutMs: 1_000 * wholeNumber(raw.timeoutSeconds, 1, 1),
    // More than one success in a row has a meaning for readiness only.
    successThreshold: kind === 'readiness' ? wholeNumber(raw.successThreshold, 1, 1) : 1,
    failureThreshold: wholeNumber(raw.failureThreshold, 3, 1),
    ...(grace === undefined || kind === 'readiness' ? {} : { graceMs: 1_000 * wholeNumber(grace, 30, 1) }),
  };
}

function readHook(container: Container, kind: HookKind): Handler | undefined {
  const raw = (container.lifecycle as Record<string, Raw> | undefined)?.[kind];
  if (raw === undefined || raw === null) return undefined;
  const { exec, httpGet, sleep } = raw;
  if (sleep !== undefined) return { kind: 'sleep', ms: 1_000 * wholeNumber((sleep as Raw).seconds, 0, 0) };
  return readHandler(container, kind, { exec, httpGet });
}

function readHandler(container: Container, name: string, { exec, httpGet, tcpSocket }: Raw): Handler {
  if (exec !== undefined) {
    const { command } = exec as { command?: unknown };
    if (Array.isArray(command) && command.length > 0) return { kind: 'exec', command: command.map(String) };
    throw new HandlerFault(`${name}: exec names no command`);
  }
  if (tcpSocket !== undefined) return { kind: 'tcpSocket', ...readPlace(container, name, tcpSocket as Raw) };
  if (httpGet === undefined) throw new HandlerFault(`${name} says nothing to do; give it exec or httpGet`);
  const { scheme, path, httpHeaders } = httpGet as Raw;
  const headers = (Array.isArray(httpHeaders) ? httpHeaders : []) as { name: string; value?: string }[];
  const text = typeof path === 'string' && path !== '' ? path : '/';
  return {
    kind: 'httpGet',
    scheme: scheme === 'HTTPS' ? 'HTTPS' : 'HTTP',
    ...readPlace(container, name, httpGet as Raw),
    path: text.startsWith('/') ? text : `/${text}`,
    headers: headers.map(({ name: header, value = '' }) => [header, value]),
  };
}

/** A port by number, or by the name that the container's own list gives it. */
function readPlace(container: Container, name: string, { host, port }: Raw): { host?: string; port: number } {
  const named = container.ports?.find((candidate) => candidate.name !== undefined && candidate.name === port);
  const number = named?.containerPort ?? Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new HandlerFault(`${name}: the container has no port ${JSON.stringify(port)}`);
  }
  return { port: number, ...(typeof host === 'string' && host !== '' ? { host } : {}) };
}

/** Months in seconds would be a slip of the pen, and more than a timer holds. */
const secondsMax = 1_000_000;

function wholeNumber(value: unknown, otherwise: number, min: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return otherwise;
  return Math.min(secondsMax, Math.max(min, Math.floor(value)));
}
