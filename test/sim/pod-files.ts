/**
 * The pod directories of a simulated machine. Fault model: every call takes some time; a runtime that dies during one
 * has done all or nothing of it; what was done survives crashes and power cuts. Logs hold what `write` puts there.
 */
import type { Container, Pod } from '../../protocol/kubernetes.ts';
import { commandLine } from '../../runtime/workloads/container-command.ts';
import { containerEnvironment } from '../../runtime/workloads/container-environment.ts';
import type { DesiredPod, LocalImage, PodFiles, PodPlace, ResolvedCommand } from '../../runtime/workloads/ports.ts';
import { volumeContent } from '../../runtime/workloads/volume-content.ts';
import type { SimRandom } from './random.ts';
import type { Host, Life } from './world.ts';

const callMsMax = 10;

export class SimPodFiles {
  readonly #host: Host;
  readonly #random: SimRandom;
  readonly #sources = new Map<string, DesiredPod['files']>();
  readonly #logs = new Map<string, string>();

  constructor(host: Host) {
    this.#host = host;
    this.#random = host.world.random.fork(`pod files of ${host.name}`);
  }

  /** Uids of pods that have a directory. */
  pods(): string[] {
    return [...this.#sources.keys()];
  }

  /** Everything is gone, as with a new drive. */
  lose(): void {
    this.#sources.clear();
    this.#logs.clear();
  }

  /** Appends to a log as a child does. */
  write(logFile: string, text: string): void {
    this.#logs.set(logFile, (this.#logs.get(logFile) ?? '') + text);
  }

  /** The port of the life that runs now. */
  port(): PodFiles {
    const life = this.#host.life;
    if (life === undefined) throw new Error(`${this.#host.name} does not run`);
    return {
      prepare: async (desired) => {
        await this.#pass(life);
        for (const volume of desired.pod.spec.volumes ?? []) volumeContent(desired, volume, []);
        this.#sources.set(desired.pod.metadata.uid!, desired.files);
      },
      recall: async (uid) => {
        await this.#pass(life);
        return this.#sources.get(uid) ?? new Map();
      },
      logFile,
      logTail: async (pod, container, bytesMax) => {
        await this.#pass(life);
        return (this.#logs.get(logFile(pod, container)) ?? '').slice(-bytesMax);
      },
      terminationMessage: async (pod, container, bytesMax) => {
        await this.#pass(life);
        return (this.#logs.get(messageFile(pod, container)) ?? '').slice(-bytesMax);
      },
      rotateLogs: () => this.#pass(life),
      remove: async (uid) => {
        await this.#pass(life);
        this.#sources.delete(uid);
        for (const path of this.#logs.keys()) if (path.startsWith(`/pods/${uid}/`)) this.#logs.delete(path);
      },
      resolve: async (desired, container, image, place) => {
        await this.#pass(life);
        return resolve(desired, container, image, place);
      },
      resolveInside: async (desired, container, image, place, command) => {
        await this.#pass(life);
        const [file, ...args] = command;
        return { ...resolve(desired, container, image, place), file: file!, args };
      },
    };
  }

  /** Some time, after which the life may have ended: then for ever. */
  #pass(life: Life): Promise<void> {
    return new Promise((done) => void life.after(this.#random.between(0, callMsMax), done));
  }
}

function logFile(pod: Pod, container: string): string {
  return `/pods/${pod.metadata.uid}/logs/${container}.log`;
}

function messageFile(pod: Pod, container: string): string {
  return `/pods/${pod.metadata.uid}/last/${container}`;
}

function resolve(desired: DesiredPod, container: Container, image: LocalImage, place: PodPlace): ResolvedCommand {
  const { name, namespace = 'default' } = desired.pod.metadata;
  const base = { POD_NAME: name, POD_NAMESPACE: namespace, POD_IP: place.podIP, NODE_NAME: place.nodeName };
  const env = containerEnvironment(desired, container, place, base, { STILE_ROOT: image.rootDirectory });
  const [file, ...args] = commandLine(container, image, env);
  const engine = desired.pod.spec.runtimeClassName === 'js';
  const command = { engine, file: file!, args, cwd: image.rootDirectory, env };
  return place.user === undefined ? command : { ...command, user: place.user };
}
