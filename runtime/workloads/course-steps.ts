/** How the steps of a running container's course are done: hooks, probes, what they say, and the order to end. */
import { asAppError } from '../../protocol/errors.ts';
import type { Container } from '../../protocol/kubernetes.ts';
import { describeHandler, type Handler, handlersOf, type ProbeKind } from './container-handlers.ts';
import { heapFlags, limitsOf } from './container-limits.ts';
import type { ContainerObservation, PodStep } from './pod-decision.ts';
import type { PodLoop } from './pod-loop.ts';
import type { ContainerRecord, HandlerCall, HandlerOutcome, PodPlace } from './ports.ts';
import { afterProbe, beginProbe } from './probe-progress.ts';

export type StepExecutor<Kind extends PodStep['kind']> = (
  loop: PodLoop,
  step: Extract<PodStep, { kind: Kind }>,
) => Promise<void>;

/** What is observed of a process that has just begun or just ended. */
export const nothingSeen: Partial<ContainerObservation> = {
  exit: undefined,
  adopted: undefined,
  postStart: undefined,
  probes: undefined,
  end: undefined,
  preStop: undefined,
  terminatedAtMs: undefined,
  killedAtMs: undefined,
};

type CourseKind = 'hook' | 'hookDone' | 'probe' | 'startedUp' | 'ready' | 'endContainer';

export const courseSteps: { [Kind in CourseKind]: StepExecutor<Kind> } = {
  async hook(loop, { container, hook, graceMs = loop.config.postStartMsMax }) {
    const { name } = container;
    const sinceMs = loop.env.clock.monotonic();
    loop.observe(name, hook === 'postStart' ? { postStart: 'running' } : { preStop: { sinceMs, running: true } });
    if (hook === 'preStop') tellKilling(loop, name, graceMs);
    besideInstance(loop, name, async (signal) => {
      const handler = handlersOf(container).hooks[hook]!;
      const { ok, message } = await call(loop, container, handler, graceMs, signal);
      return () => {
        const reason = hook === 'postStart' ? 'FailedPostStartHook' : 'FailedPreStopHook';
        if (!ok) loop.event(loop.record!.pod, 'Warning', reason, `${hook} hook of container ${name}: ${message}`);
        if (hook === 'preStop') loop.observe(name, { preStop: { sinceMs, running: false } });
        else loop.observe(name, { postStart: ok ? 'done' : 'failed' });
      };
    });
  },

  async hookDone(loop, { name }) {
    await loop.save(loop.containerChange(name, ({ postStartPending: _done, ...own }) => own));
  },

  async probe(loop, { container, probe, progress }) {
    const { name } = container;
    const begun = beginProbe(progress, probe, loop.env.clock.monotonic());
    loop.observe(name, { probes: { ...loop.containers.get(name)?.probes, [probe.kind]: begun } });
    besideInstance(loop, name, async (signal) => {
      const { ok, message } = await call(loop, container, probe.handler, probe.timeoutMs, signal);
      return () => {
        const after = afterProbe(begun, probe, ok);
        loop.observe(name, { probes: { ...loop.containers.get(name)?.probes, [probe.kind]: after } });
        if (!ok)
          loop.unhealthy(name, probe.kind, `${titles[probe.kind]} probe of container ${name} failed: ${message}`);
      };
    });
  },

  async startedUp(loop, { name }) {
    await loop.save(loop.containerChange(name, ({ startupPending: _done, ...own }) => own));
  },

  /** Not worth a write: the next life of the runtime asks the probe itself. */
  async ready(loop, { name, ready }) {
    loop.update(loop.containerChange(name, (own) => ({ ...own, ready })));
  },

  async endContainer(loop, { name, graceMs, why }) {
    loop.observe(name, { end: { graceMs } });
    loop.event(loop.record!.pod, 'Normal', 'Killing', `container ${name} is stopped: ${why}`);
  },
};

export function tellKilling(loop: PodLoop, name: string, graceMs: number): void {
  // Whoever asked for the end of this one container has told why.
  if (loop.containers.get(name)?.end !== undefined) return;
  loop.event(loop.record!.pod, 'Normal', 'Killing', `stopping container ${name}, grace period ${graceMs / 1_000} s`);
}

/** `instanceId`: of the start that it is about. */
export function placeOf(loop: PodLoop, instanceId: string | undefined): PodPlace {
  const { podIP, user } = loop.record!;
  const { hostIP, nodeName } = loop.config;
  const ids = { ...(user === undefined ? {} : { user }), ...(instanceId === undefined ? {} : { instanceId }) };
  return { podIP, hostIP, nodeName, ...ids };
}

export function containerOf(loop: PodLoop, name: string): ContainerRecord {
  const own = loop.record?.containers.find((container) => container.name === name);
  if (own === undefined) throw new Error(`no record of container ${name}`);
  return own;
}

const titles: Record<ProbeKind, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

/** Runs `work` beside the loop; what it found out counts only while the same instance still lives. */
function besideInstance(loop: PodLoop, name: string, work: (signal: AbortSignal) => Promise<() => void>): void {
  const { instanceId } = containerOf(loop, name);
  loop.beside(async (signal) => {
    const conclude = await work(signal);
    const own = loop.record?.containers.find((container) => container.name === name);
    if (own?.instanceId === instanceId && loop.containers.get(name)?.alive) conclude();
  });
}

/** Never rejects: a handler that cannot even be asked has failed. */
async function call(
  loop: PodLoop,
  container: Container,
  handler: Handler,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HandlerOutcome> {
  try {
    if (handler.kind === 'sleep') {
      await loop.env.clock.sleep(Math.min(handler.ms, timeoutMs), signal);
      return { ok: true, message: '' };
    }
    const resolved = await resolve(loop, container, handler);
    return await loop.ports.prober.probe(resolved, timeoutMs, signal);
  } catch (error) {
    const { message } = asAppError(error, 'E_POD_START', describeHandler(handler));
    return { ok: false, message };
  }
}

async function resolve(loop: PodLoop, container: Container, handler: Exclude<Handler, { kind: 'sleep' }>) {
  const { podIP, pod } = loop.record!;
  if (handler.kind !== 'exec') return { ...handler, host: handler.host ?? podIP } satisfies HandlerCall;
  const { instanceId, imageDigest = '' } = containerOf(loop, container.name);
  const image = await loop.ports.images.local(imageDigest);
  if (image === undefined) throw new Error(`the image ${imageDigest} of container ${container.name} is gone`);
  const files = loop.target.kind === 'run' ? loop.target.desired.files : await loop.ports.files.recall(loop.uid);
  const place = placeOf(loop, instanceId);
  const command = await loop.ports.files.resolveInside({ pod, files }, container, image, place, handler.command);
  // Not STILE_INSTANCE: who looks for the instance must not find one of its probes.
  const env = { ...command.env, STILE_INSIDE: instanceId ?? '' };
  // A record of before there were groups has a process in none, and so would its probes.
  const { cgroups } = loop.ports;
  const cgroup = cgroups?.fault === undefined ? await cgroups?.find(instanceId ?? '') : undefined;
  const { heapBytes } = limitsOf(pod, container);
  const confined = {
    ...(heapBytes === undefined ? {} : { engineFlags: heapFlags(heapBytes) }),
    ...(cgroup === undefined ? {} : { cgroup }),
  };
  return { kind: 'exec', command: { ...command, ...confined, env } } satisfies HandlerCall;
}
