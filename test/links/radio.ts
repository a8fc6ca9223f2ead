/**
 * The radio between a hub and a terminal: `radio.py` as a child. Made inside the hub's network namespace; the other
 * device is moved to the terminal's.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Profile {
  /** Each way. */
  delayMs: number;
  /** Share of packets, each way. */
  loss: number;
  /** Each way; 0: as fast as the machine. */
  bitsPerSecond: number;
  /** Nothing passes, and nobody is told. */
  down: boolean;
  /** Questions to name servers do not pass. */
  withoutDns: boolean;
}

export const clearRadio: Profile = { delayMs: 0, loss: 0, bitsPerSecond: 0, down: false, withoutDns: false };

export interface WayCounters {
  bytes: number;
  packets: number;
  lost: number;
  /** TCP connections that were begun. */
  dials: number;
  lookUps: number;
}

/** `up`: from the terminal to the hub. */
export type Counters = Record<'up' | 'down', WayCounters>;

export const HUB_ADDRESS = '10.77.0.1';
/** Addresses of the hub's side at which something else may listen. */
export const PORTAL_ADDRESSES = ['10.77.0.5', '10.77.0.6'] as const;
const NODE_ADDRESS = '10.77.0.2';

export class Radio {
  readonly #process: ChildProcess;
  readonly #answers: Interface;
  readonly #nodeNamespace: string;
  readonly #device: string;
  #waiting: ((line: string) => void)[] = [];

  private constructor(process: ChildProcess, nodeNamespace: string, device: string) {
    this.#process = process;
    this.#nodeNamespace = nodeNamespace;
    this.#device = device;
    this.#answers = createInterface(process.stdout!);
    this.#answers.on('line', (line) => this.#waiting.shift()?.(line));
  }

  static async open(nodeNamespace: string, seed: string): Promise<Radio> {
    const [near, far] = [`stl${process.pid}h`, `stl${process.pid}n`];
    const program = fileURLToPath(new URL('./radio.py', import.meta.url));
    const child = spawn('python3', [program, near, far, seed], { stdio: ['pipe', 'pipe', 'inherit'] });
    const radio = new Radio(child, nodeNamespace, far);
    await radio.#line();
    ip('link', 'set', 'lo', 'up');
    for (const address of [HUB_ADDRESS, ...PORTAL_ADDRESSES]) ip('addr', 'add', `${address}/24`, 'dev', near);
    ip('link', 'set', near, 'up');
    ip('link', 'set', far, 'netns', nodeNamespace);
    ip('-n', nodeNamespace, 'link', 'set', 'lo', 'up');
    ip('-n', nodeNamespace, 'addr', 'add', `${NODE_ADDRESS}/24`, 'dev', far);
    ip('-n', nodeNamespace, 'link', 'set', far, 'up');
    return radio;
  }

  /** Sets the whole profile: what `profile` does not say is as on a clear day. Resolves to the counters until then. */
  async set(profile: Partial<Profile>): Promise<Counters> {
    const answer = this.#line();
    this.#process.stdin!.write(`${JSON.stringify({ ...clearRadio, ...profile })}\n`);
    return JSON.parse(await answer) as Counters;
  }

  async counters(): Promise<Counters> {
    const answer = this.#line();
    this.#process.stdin!.write('{}\n');
    return JSON.parse(await answer) as Counters;
  }

  /** Takes the terminal's device away, or gives it back: the terminal is told at once, its connections are not. */
  plug(isIn: boolean): void {
    ip('-n', this.#nodeNamespace, 'link', 'set', this.#device, isIn ? 'up' : 'down');
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin!.end();
    await ended;
    this.#answers.close();
  }

  #line(): Promise<string> {
    return new Promise((resolve, reject) => {
      const onEnd = () => reject(new Error('the radio ended by itself'));
      this.#process.once('close', onEnd);
      this.#waiting.push((line) => {
        this.#process.off('close', onEnd);
        resolve(line);
      });
    });
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
