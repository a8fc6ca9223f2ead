/**
 * A hub and a terminal with a radio between them, a name server, and somebody on the spot who keeps pods restarting so
 * that there is always something to report. Runs inside the hub's network namespace.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { askRuntime } from '../../runtime/control/control-client.ts';
import { Child } from '../house/child.ts';
import { House, runtimeCommand } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { memoryOf } from '../house/process-facts.ts';
import { type Comparison, compareEvents, EventReader } from '../house/told-events.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';
import { HUB_ADDRESS, Radio } from './radio.ts';

export const HUB_NAME = 'hub.stile.test';
export const HUB_PORT = 7443;
const NODE = 'field';
const PODS = ['one', 'two', 'three'];
/** Somebody asks for a restart so often; each is three events and two changes of a status. */
const RESTART_EVERY_MS = 500;
const LOOK_EVERY_MS = 1_000;

const nameServer = fileURLToPath(new URL('./name-server.ts', import.meta.url));

export class Field {
  readonly house: House;
  readonly radio: Radio;
  #client!: HubClient;
  readonly #events = new EventReader(() => this.#client);
  #names: Child | undefined;
  #namesStarted = 0;
  /** Restarts that the terminal has journalled. */
  asked = 0;
  /** Of the runtime: memory that is nobody else's, the most that was seen. */
  memoryMaxBytes = 0;
  readonly #timers: NodeJS.Timeout[] = [];
  #asking: Promise<void> = Promise.resolve();

  private constructor(house: House, radio: Radio) {
    this.house = house;
    this.radio = radio;
  }

  static async open(nodeNamespace: string, seed: string): Promise<Field> {
    const house = new House((each) => {
      writeFileSync(each.path('resolv.conf'), `nameserver ${HUB_ADDRESS}\n`);
      const inside = `mount --bind ${each.path('resolv.conf')} /etc/resolv.conf && exec "$@"`;
      return [
        ...['ip', 'netns', 'exec', nodeNamespace, 'unshare', '-m', 'sh', '-c', inside, 'sh'],
        ...runtimeCommand(),
      ];
    });
    const field = new Field(house, await Radio.open(nodeNamespace, seed));
    try {
      await field.#settle();
      return field;
    } catch (error) {
      await field.close();
      throw error;
    }
  }

  async #settle(): Promise<void> {
    const { house } = this;
    await this.name(HUB_ADDRESS);
    await this.startHub();
    await house.stile('pool', 'create', 'field');
    const hub = `https://${HUB_NAME}:${HUB_PORT}`;
    const { child } = await house.startRuntime(
      NODE,
      '--hub',
      hub,
      '--token',
      await house.token('field'),
      '--name',
      NODE,
    );
    await pushProgram(house, 'base:1');
    // Pods of a node that does not exist are removed.
    await house.waitFor('the node', () => child.output().includes('"link live"'));
    const container = { image: 'base:1', command: ['/bin/sleep', '1000000'] };
    for (const name of PODS)
      await create(this.#client, paths.pods, pod(name, container, { runtimeClassName: 'host', nodeName: NODE }));
    for (const name of PODS) await runningPods(house, this.#client, name, 1);
    let turn = 0;
    this.#every(RESTART_EVERY_MS, () => {
      turn += 1;
      this.#asking = this.#asking.then(() => this.#restart(PODS[turn % PODS.length]!));
    });
    this.#every(LOOK_EVERY_MS, () => void this.#lookAtMemory());
  }

  get runtime(): Child {
    return this.house.terminals.get(NODE)!.child;
  }

  /** Also an address at which nobody of the terminal's side can come: it is the first that the terminal learns. */
  async startHub(): Promise<void> {
    await this.#client?.close();
    const advertised = [`127.0.0.1:${HUB_PORT}`, `${HUB_NAME}:${HUB_PORT}`];
    const flags = advertised.flatMap((address) => ['--advertise', address]);
    await this.house.startHub('--listen', `0.0.0.0:${HUB_PORT}`, ...flags);
    this.#client = new HubClient(this.house);
  }

  /** What every name means from now on. */
  async name(address: string): Promise<void> {
    await this.#names?.stop();
    this.#namesStarted += 1;
    const log = this.house.path(`names-${this.#namesStarted}.log`);
    this.#names = new Child('names', [process.execPath, nameServer, HUB_ADDRESS, address], log);
  }

  /** Until the hub has every restart that was journalled up to now. */
  async caughtUp(withinMs: number): Promise<void> {
    await this.#asking;
    const { asked } = this;
    const came = () => this.restartsAmong(this.#events.all);
    let refusal = '';
    const look = async () => {
      refusal = '';
      // A hub that restarts does not answer.
      await this.#events.read().catch((error: unknown) => {
        refusal = String(error);
      });
      return came() >= asked;
    };
    try {
      await this.house.waitFor('all restarts to be at the hub', look, withinMs);
    } catch (error) {
      throw new Error(`${came()} of ${asked} restarts came to the hub; ${refusal}\n${(error as Error).message}`);
    }
  }

  get told(): number {
    return this.#events.all.length;
  }

  restartsAmong(events: readonly { data: unknown }[]): number {
    return events.filter(({ data }) => (data as { reason?: string }).reason === 'Restarting').length;
  }

  /** Log lines of the terminal after the first `from` characters, by message. */
  linkLines(from: number): { msg: string; time: string; code?: string; delayMs?: number }[] {
    return linesOf(this.runtime.output().slice(from)).filter(({ msg }) => msg === 'link live' || msg === 'link lost');
  }

  hubLines(from: number): { msg: string; time: string; code?: string }[] {
    return linesOf(this.house.hub!.output().slice(from));
  }

  /** Ends the terminal in order and compares its store with the hub's. */
  async compare(): Promise<Comparison> {
    this.#stopTimers();
    await this.caughtUp(60_000);
    await this.runtime.stop();
    return compareEvents(this.house.path('nodes', NODE, 'state.db'), NODE, await this.#events.read());
  }

  async close(): Promise<void> {
    this.#stopTimers();
    await this.#asking;
    await this.#client?.close();
    await this.house.close();
    await this.#names?.stop();
    await this.radio.close();
  }

  async #restart(name: string): Promise<void> {
    try {
      await askRuntime(this.house.path('nodes', NODE), { kind: 'restart', pod: name });
      this.asked += 1;
    } catch {
      // A pod that is not there yet or ends just now: nothing was journalled.
    }
  }

  async #lookAtMemory(): Promise<void> {
    // It may end at any moment.
    const memory = await memoryOf(this.runtime.pid).catch(() => undefined);
    this.memoryMaxBytes = Math.max(this.memoryMaxBytes, memory?.privateDirty ?? 0);
  }

  #every(ms: number, act: () => void): void {
    this.#timers.push(setInterval(act, ms));
  }

  #stopTimers(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }
}

function linesOf(text: string): { msg: string; time: string; code?: string }[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as { msg: string; time: string });
}
