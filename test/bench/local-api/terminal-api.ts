/** Terminals whose hub is away, and a caller of their local APIs that keeps its connections. */
import { readFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Stage } from '../bench.ts';
import { type JoinedTerminal, joinedTerminals } from '../terminal/joined-terminal.ts';

const READY_MS_MAX = 30_000;

export interface TerminalApi {
  /** Of the runtime. */
  name: string;
  node: string;
  socket: string;
  token: string;
}

export async function terminalApis(stage: Stage): Promise<TerminalApi[]> {
  const { house, all } = await joinedTerminals(stage, 0);
  await house.hub!.stop();
  const apis: TerminalApi[] = [];
  for (const terminal of all) {
    await terminal.start().line(/"msg":"started"/);
    apis.push(await terminalApi(terminal));
  }
  return apis;
}

/** Of a terminal that runs, once it answers. */
export async function terminalApi({ name, dataDir }: JoinedTerminal): Promise<TerminalApi> {
  const note = JSON.parse(await readFile(`${dataDir}/local-api.json`, 'utf8')) as TerminalApi;
  const api = { name, node: name, socket: note.socket, token: note.token };
  const caller = new Caller(api.socket, api.token, 1);
  const endMs = performance.now() + READY_MS_MAX;
  while ((await caller.call('GET', `/twins/${api.node}`)) !== 200)
    if (performance.now() > endMs) throw new Error(`the local API of ${name} is not ready`);
  caller.close();
  return api;
}

export class Caller {
  readonly #socket: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(socket: string, token: string, connections: number) {
    this.#socket = socket;
    this.#token = token;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves to the status when the whole answer is here. */
  call(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<number> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${this.#token}`,
      ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
      ...more,
    };
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socket, agent: this.#agent, method, path, headers };
      const sent = request(options, (response) => {
        response.resume().once('error', reject);
        response.once('end', () => resolve(response.statusCode!));
      });
      sent.once('error', reject).end(text);
    });
  }

  /** The same, and anything but a success rejects. */
  async succeed(...args: Parameters<Caller['call']>): Promise<void> {
    const status = await this.call(...args);
    if (status >= 400) throw new Error(`${args[0]} ${args[1]} answered ${status}`);
  }

  /** The document at `path`. */
  async read<T>(path: string): Promise<T> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const options = { socketPath: this.#socket, agent: this.#agent, path, headers };
    const chunks: Buffer[] = [];
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(options, resolve).once('error', reject).end();
    });
    for await (const chunk of response) chunks.push(chunk as Buffer);
    if (response.statusCode !== 200) throw new Error(`GET ${path} answered ${response.statusCode}`);
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Ms of each of `count` times of `work`, one after the other. */
export async function eachMs(count: number, work: (number: number) => Promise<void>): Promise<number[]> {
  const taken: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const beganMs = performance.now();
    await work(number);
    taken.push(performance.now() - beganMs);
  }
  return taken;
}

/** Times a second that `lanes` do `work` at the same time, `count` in all. */
export async function ratePerSecond(count: number, lanes: number, work: (number: number) => Promise<void>) {
  let next = 0;
  const beganMs = performance.now();
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (count * 1_000) / (performance.now() - beganMs);
}
