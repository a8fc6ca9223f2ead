/** How each step of a decision is done. One executor a kind; a missing one does not compile. */
import { asAppError, codeOf } from '../../protocol/errors.ts';
import type { Container, ContainerState, Pod } from '../../protocol/kubernetes.ts';
import { startMarks, withoutMarks } from './container-course.ts';
import { afterExit, afterFailedStart, dueAgain, type ExitCause, rfc3339 } from './container-exit.ts';
import { heapFlags, limitsOf, statedLimits } from './container-limits.ts';
import { containerOf, courseSteps, nothingSeen, placeOf, type StepExecutor, tellKilling } from './course-steps.ts';
import { ImageNeverPulled, imageFailure } from './image-choice.ts';
import { containersOf, gracePeriodMs, type ImageObservation, type PodStep } from './pod-decision.ts';
import type { PodLoop } from './pod-loop.ts';
import type { ContainerRecord, PodRecord, ProcessExit, ProcessIdentity, ResolvedCommand } from './ports.ts';
import { remembered, specHash } from './spec-hash.ts';

type Executors = {
  [Kind in PodStep['kind']]: StepExecutor<Kind>;
};

/** Rejects only for reasons of ours (a store that fails); what the pod did wrong ends up in its status. */
export async function executeStep(loop: PodLoop, step: PodStep): Promise<void> {
  const executor = executors[step.kind] as (loop: PodLoop, step: PodStep) => Promise<void>;
  await executor(loop, step);
}

const executors: Executors = {
  async accept(loop, { desired: { pod } }) {
    const { namespace = 'default', name } = pod.metadata;
    const containers = containersOf(pod);
    loop.record = {
      uid: loop.uid,
      namespace,
      name,
      specHash: specHash(pod),
      pod: remembered(pod),
      containers: containers.map((container) => newContainer(container.name)),
      ...loop.surroundings.takeAddress(loop.uid, namespace, name, pod.spec.runtimeClassName),
      ...userOf(loop, pod),
      startTime: rfc3339(loop.env.clock.now()),
      conditions: [],
    };
    loop.observeContainers(loop.record);
    await loop.save((record) => record);
  },

  async recover(loop) {
    for (const container of loop.record!.containers) await recoverContainer(loop, container);
    loop.recovered = true;
    // Tells the status anew: the outbox may have lost the last one, and keeps only the latest.
    loop.update((record) => record);
  },

  async refreshPod(loop, { pod }) {
    await loop.save((record) => ({ ...record, pod: remembered(pod) }));
    // Volumes may show labels and annotations.
    loop.filesReady = false;
  },

  async refuse(loop, { message }) {
    const state: ContainerState = { waiting: { reason: 'RunContainerError', message } };
    loop.update((record) => ({ ...record, containers: record.containers.map((own) => ({ ...own, state })) }));
    loop.event(loop.record!.pod, 'Warning', 'Failed', message);
  },

  async prepareFiles(loop, { desired }) {
    try {
      await loop.ports.files.prepare(desired, loop.record!.user);
      // News that came meanwhile are prepared in the next round.
      loop.filesReady = loop.target.kind === 'run' && loop.target.desired.files === desired.files;
    } catch (error) {
      const invalid = codeOf(error) === 'E_POD_INVALID';
      const reason = invalid ? 'CreateContainerConfigError' : 'CreateContainerError';
      loop.filesRetryAtMs = loop.env.clock.monotonic() + loop.config.filesRetryMs;
      const { message } = asAppError(error, 'E_POD_START', 'cannot write the files of the pod');
      const told = loop.record!.containers.some(({ state }) => state.waiting?.message === message);
      const state: ContainerState = { waiting: { reason, message } };
      loop.update((record) => ({ ...record, containers: record.containers.map((own) => unlessStarted(own, state)) }));
      if (!told) loop.event(loop.record!.pod, 'Warning', 'Failed', message);
    }
  },

  async joinNetwork(loop, { desired: { pod } }) {
    const { podIP, mac = '' } = loop.record!;
    try {
      const { made } = await loop.networks!.ensure(loop.uid, { podIP, mac });
      loop.networkReady = true;
      const cutOff = [...loop.containers].filter(([, { alive, end }]) => alive && end === undefined);
      if (!made || cutOff.length === 0) return;
      // Kubernetes: a pod whose sandbox changed is killed and made again.
      for (const [name] of cutOff)
        loop.observe(name, { end: { graceMs: gracePeriodMs(loop.target, pod), restart: true } });
      loop.event(pod, 'Normal', 'SandboxChanged', 'the network of the pod was lost and made again; it is restarted');
    } catch (error) {
      loop.networkRetryAtMs = loop.env.clock.monotonic() + loop.config.networkRetryMs;
      const { message } = asAppError(error, 'E_POD_START', 'cannot set up the network of the pod');
      const told = loop.record!.containers.some(({ state }) => state.waiting?.message === message);
      const state: ContainerState = { waiting: { reason: 'CreatePodSandboxError', message } };
      loop.update((record) => ({ ...record, containers: record.containers.map((own) => unlessStarted(own, state)) }));
      if (!told) loop.event(pod, 'Warning', 'FailedCreatePodSandBox', message);
    }
  },

  async imageUnknown(loop, { container, reason, message }) {
    loop.update(loop.containerChange(container.name, (own) => ({ ...own, state: { waiting: { reason, message } } })));
    loop.event(loop.record!.pod, 'Warning', 'Failed', message);
  },

  async fetchImage(loop, { container, digest, localOnly }) {
    const before = loop.containers.get(container.name)?.image;
    const attempts = before?.kind === 'failed' && before.digest === digest ? before.attempts + 1 : 1;
    loop.fetch(container.name, digest, async (signal): Promise<ImageObservation> => {
      try {
        const complete = await loop.ports.images.local(digest);
        if (complete !== undefined) return { kind: 'ready', digest, image: complete };
        if (localOnly) throw new ImageNeverPulled(container);
        loop.fetchesRemotely(container.name, digest);
        await loop.surroundings.network(signal);
        const image = await loop.ports.images.ensure(digest, signal);
        return { kind: 'ready', digest, image };
      } catch (error) {
        if (signal.aborted) return { kind: 'none' };
        const waiting = imageFailure(container, error, attempts);
        loop.update(loop.containerChange(container.name, (own) => ({ ...own, state: { waiting } })));
        if (attempts === 1) loop.event(loop.record!.pod, 'Warning', 'Failed', waiting.message);
        const pauseMs = Math.min(loop.config.imageRetryMs * 2 ** (attempts - 1), loop.config.backoffMaxMs);
        return { kind: 'failed', digest, attempts, retryAtMs: loop.env.clock.monotonic() + pauseMs };
      }
    });
  },

  async start(loop, step) {
    const { name } = step.container;
    const instanceId = loop.newInstanceId();
    let command: ResolvedCommand;
    try {
      command = await loop.ports.files.resolve(step.desired, step.container, step.image, placeOf(loop, instanceId));
    } catch (error) {
      return startFailed(loop, name, error);
    }
    await spawn(loop, step, instanceId, command);
  },

  async recordExit(loop, { name, exit, cause }) {
    const own = containerOf(loop, name);
    if (own.instanceId !== undefined) await loop.ports.processes.sweep(own.instanceId);
    await recordEnd(loop, own, exit, cause, await endGroup(loop, own.instanceId));
  },

  async beginStop(loop) {
    await loop.save((record) => ({ ...record, stoppingSinceMs: loop.env.clock.now() }));
  },

  ...courseSteps,

  /** Init containers that have completed are not run again: the pod is the same. */
  async restartContainers(loop, { graceMs }) {
    loop.restartAsked = false;
    const initial = new Set(loop.record!.pod.spec.initContainers?.map(({ name }) => name));
    for (const { name, phase } of loop.record!.containers) {
      if (loop.containers.get(name)?.alive) loop.observe(name, { end: { graceMs, restart: true } });
      else if (!initial.has(name) || phase !== 'exited') {
        await loop.save(loop.containerChange(name, dueAgain));
        const failed = loop.containers.get(name)?.image.kind === 'failed';
        loop.observe(name, { notBeforeMs: 0, ...(failed ? { image: { kind: 'none' } } : {}) });
      }
    }
  },

  async terminate(loop, { name, graceMs }) {
    const { process } = containerOf(loop, name);
    const told = loop.containers.get(name)?.preStop !== undefined;
    loop.observe(name, { terminatedAtMs: loop.env.clock.monotonic() });
    if (process !== undefined) await loop.ports.processes.signal(process, graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
    if (!told) tellKilling(loop, name, graceMs);
  },

  async kill(loop, { name }) {
    const { process } = containerOf(loop, name);
    loop.observe(name, { killedAtMs: loop.env.clock.monotonic() });
    if (process !== undefined) await loop.ports.processes.signal(process, 'SIGKILL');
  },

  async replaceSpec(loop, { desired: { pod } }) {
    const before = loop.record!;
    const containers = containersOf(pod).map(({ name }) =>
      renewed(
        name,
        before.containers.find((container) => container.name === name),
      ),
    );
    loop.containers.clear();
    loop.observeContainers({ ...before, containers });
    loop.filesReady = false;
    await loop.save((record) => ({ ...record, specHash: specHash(pod), pod: remembered(pod), containers }));
  },

  async markEvicted(loop, evicted) {
    const { message, graceMs } = evicted;
    await loop.save((record) => ({ ...record, evicted: { message, graceMs } }));
    loop.event(loop.record!.pod, 'Warning', 'Evicted', message);
  },

  async clearFiles(loop) {
    const { user } = loop.record!;
    if (user !== undefined) await loop.ports.processes.sweepUser(user);
    await loop.ports.files.remove(loop.uid);
    loop.filesCleared = true;
  },

  async finish(loop) {
    const { uid, record, target } = loop;
    if (record?.user !== undefined) await loop.ports.processes.sweepUser(record.user);
    await loop.ports.files.remove(uid);
    if (record?.mac !== undefined) await loop.networks?.remove(uid);
    await loop.ports.records.remove(uid);
    const pod = (target.kind === 'gone' ? target.pod : undefined) ?? record?.pod;
    loop.ended = 'gone';
    if (pod !== undefined) loop.ports.output.podGone(pod);
  },

  async leave(loop) {
    loop.ended = 'left';
  },
};

/** A container of class `oci` has walls of its own, and its image says who it runs as. */
function userOf(loop: PodLoop, { metadata: { namespace = 'default', name }, spec }: Pod): { user?: number } {
  if (spec.runtimeClassName === 'oci') return {};
  const user = loop.surroundings.takeUser(loop.uid, namespace, name);
  return user === undefined ? {} : { user };
}

/** The intent is durable before there is a process, the instance id is in the process before it is confirmed. */
async function spawn(
  loop: PodLoop,
  { container, desired, image: { digest: imageDigest } }: Extract<PodStep, { kind: 'start' }>,
  instanceId: string,
  command: ResolvedCommand,
): Promise<void> {
  const { name } = container;
  const logFile = loop.ports.files.logFile(desired.pod, name);
  const before = containerOf(loop, name);
  const restartCount = before.restartCount + (before.lastState === undefined ? 0 : 1);
  const intended = {
    ...withoutMarks(before),
    ...startMarks(container),
    instanceId,
    phase: 'intended' as const,
    imageDigest,
  };
  try {
    await loop.save(loop.containerChange(name, () => intended));
  } catch (error) {
    loop.update(loop.containerChange(name, () => before));
    throw error;
  }
  loop.observe(name, { ...nothingSeen, alive: true });
  let process: ProcessIdentity;
  try {
    const confined: ResolvedCommand = { ...command, ...(await confine(loop, container, instanceId)) };
    const request = { ...confined, env: { ...command.env, STILE_INSTANCE: instanceId }, instanceId, logFile };
    process = await loop.ports.processes.spawn(request, loop.exitListener(name, instanceId));
  } catch (error) {
    return startFailed(loop, name, error);
  }
  loop.observe(name, { startedAtMs: loop.env.clock.monotonic() });
  loop.event(loop.record!.pod, 'Normal', 'Started', `started container ${name}`);
  const state: ContainerState = { running: runningSince(loop) };
  await loop.save(
    loop.containerChange(name, (own) => ({ ...own, phase: 'running', process, state, restartCount, notBeforeMs: 0 })),
  );
}

/** What holds the container to its limits; the kernel where it can, for an engine also its own heap. */
async function confine(loop: PodLoop, container: Container, instanceId: string): Promise<Partial<ResolvedCommand>> {
  const { pod } = loop.record!;
  const { cgroups } = loop.ports;
  const limits = limitsOf(pod, container);
  const engine = limits.heapBytes === undefined ? {} : { engineFlags: heapFlags(limits.heapBytes) };
  if (cgroups === undefined) return engine;
  if (cgroups.fault === undefined) return { ...engine, cgroup: await cgroups.make(instanceId, limits) };
  const stated = statedLimits(container);
  const restarted = containerOf(loop, container.name).lastState !== undefined;
  if (stated.length > 0 && !restarted) {
    const what = `limits of container ${container.name} on ${stated.join(' and ')} are not enforced`;
    loop.event(pod, 'Warning', 'LimitsUnenforced', `${what}: ${cgroups.fault}`);
  }
  return engine;
}

async function startFailed(loop: PodLoop, name: string, error: unknown): Promise<void> {
  const { code, message } = asAppError(error, 'E_POD_START', `cannot start container ${name}`);
  const reason = code === 'E_POD_INVALID' ? 'CreateContainerConfigError' : 'RunContainerError';
  // The image may have been damaged meanwhile: the next try asks for it anew.
  loop.observe(name, { alive: false, image: { kind: 'none' } });
  const known = containerOf(loop, name).state.waiting?.message === message;
  const nowMs = loop.env.clock.now();
  await loop.save(
    loop.containerChange(name, (own) => afterFailedStart(own, { waiting: { reason, message } }, nowMs, loop.config)),
  );
  setNotBefore(loop, name);
  if (!known) loop.event(loop.record!.pod, 'Warning', 'Failed', message);
}

/** Finds out what became of a container's process while no runtime watched. */
async function recoverContainer(loop: PodLoop, container: ContainerRecord): Promise<void> {
  const { processes } = loop.ports;
  const { name, instanceId, phase } = container;
  if (instanceId === undefined || (phase !== 'intended' && phase !== 'running')) return;
  const listener = loop.exitListener(name, instanceId);
  const process = phase === 'running' ? container.process : await findIntended(loop, instanceId);
  if (process !== undefined && (await processes.adopt(process, listener))) {
    const state: ContainerState = container.state.running ? container.state : { running: runningSince(loop) };
    // What it had run before is not known to this life's clock; the back-off is cleared a full time from now.
    loop.observe(name, {
      alive: loop.containers.get(name)?.exit === undefined,
      startedAtMs: loop.env.clock.monotonic(),
      adopted: true,
    });
    if (phase === 'intended') {
      await loop.save(loop.containerChange(name, (own) => ({ ...own, phase: 'running', process, state })));
    }
    loop.env.log.info('container adopted', { container: name, pid: process.pid });
    return;
  }
  await processes.sweep(instanceId);
  const oomKilled = await endGroup(loop, instanceId);
  if (phase === 'running') return recordEnd(loop, container, {}, 'lost', oomKilled);
  // The spawn never came about, so nothing ended: it is simply still to be started.
  await loop.save(loop.containerChange(name, (own) => ({ ...own, phase: 'waiting' })));
}

async function findIntended(loop: PodLoop, instanceId: string) {
  const found = await loop.ports.processes.find(instanceId);
  if (found !== undefined) return found;
  await loop.env.clock.sleep(loop.config.intentSettleMs);
  return loop.ports.processes.find(instanceId);
}

function runningSince(loop: PodLoop) {
  return { startedAt: rfc3339(loop.env.clock.now()) };
}

async function endGroup(loop: PodLoop, instanceId: string | undefined): Promise<boolean> {
  const { cgroups } = loop.ports;
  if (cgroups === undefined || cgroups.fault !== undefined || instanceId === undefined) return false;
  return (await cgroups.end(instanceId)).oomKilled;
}

async function recordEnd(
  loop: PodLoop,
  own: ContainerRecord,
  exit: ProcessExit,
  cause: ExitCause,
  oomKilled: boolean,
): Promise<void> {
  const { clock } = loop.env;
  const pod = loop.record!.pod;
  const message = await lastWords(loop, pod, own.name, exit);
  const startedAtMs = loop.containers.get(own.name)?.startedAtMs;
  const ranMs = startedAtMs === undefined ? 0 : clock.monotonic() - startedAtMs;
  const facts = { exit, nowMs: clock.now(), ranMs, message, oomKilled };
  const policy = restartPolicyOf(loop.record!, own.name);
  loop.observe(own.name, { ...nothingSeen, alive: false });
  await loop.save(loop.containerChange(own.name, (current) => afterExit(current, facts, cause, policy, loop.config)));
  setNotBefore(loop, own.name);
  const waiting = containerOf(loop, own.name).state.waiting;
  if (waiting !== undefined) loop.event(pod, 'Warning', 'BackOff', waiting.message ?? waiting.reason);
}

/** The termination message; of one that failed without a word, the end of its log. */
async function lastWords(loop: PodLoop, pod: Pod, name: string, exit: ProcessExit): Promise<string> {
  const { terminationMessageBytesMax: bytesMax } = loop.config;
  const message = await loop.ports.files.terminationMessage(pod, name, bytesMax);
  if (message !== '' || exit.exitCode === 0) return message;
  return loop.ports.files.logTail(pod, name, bytesMax);
}

/** Init containers run until they complete: Always means OnFailure for them. */
function restartPolicyOf(record: PodRecord, name: string) {
  const policy = record.pod.spec.restartPolicy ?? 'Always';
  const init = record.pod.spec.initContainers?.some((container) => container.name === name) ?? false;
  return init && policy === 'Always' ? 'OnFailure' : policy;
}

function setNotBefore(loop: PodLoop, name: string): void {
  loop.observe(name, { notBeforeMs: loop.monotonicOf(containerOf(loop, name).notBeforeMs) });
}

function newContainer(name: string): ContainerRecord {
  const state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  return { name, restartCount: 0, phase: 'waiting', state, notBeforeMs: 0, backoffMs: 0 };
}

/** The container under a new spec: its history stays, its back-off does not. */
function renewed(name: string, before: ContainerRecord | undefined): ContainerRecord {
  const fresh = newContainer(name);
  if (before === undefined) return fresh;
  const lastState = before.state.terminated ? before.state : before.lastState;
  return { ...fresh, restartCount: before.restartCount, ...(lastState === undefined ? {} : { lastState }) };
}

function unlessStarted(own: ContainerRecord, state: ContainerState): ContainerRecord {
  return own.phase === 'waiting' ? { ...own, state } : own;
}
