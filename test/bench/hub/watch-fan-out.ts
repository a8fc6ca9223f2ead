/** A change, and a burst of them, told to a hundred clients that watch pods. */
import { performance } from 'node:perf_hooks';
import type { Bench, Contestant } from '../bench.ts';
import { startReadyHttpsServer } from '../peers/ready-https-server.ts';
import { median } from '../statistics.ts';
import { HttpsCaller } from './https-caller.ts';
import { HubWithPods, podName, together } from './hub-with-pods.ts';

const LANES = 32;
const NEWLINE = 10;
const mergePatch = { 'content-type': 'application/merge-patch+json' };

interface Size {
  pods: number;
  watchers: number;
  /** Changes one after the other. */
  singles: number;
  burst: number;
}
const usual: Size = { pods: 200, watchers: 100, singles: 40, burst: 1_000 };
const small: Size = { pods: 20, watchers: 20, singles: 5, burst: 100 };

export const watchFanOut: Bench = {
  name: 'watch-fan-out',
  part: 'hub',
  title: 'A hundred watchers',
  method:
    'A label of a pod is changed by a merge patch, which is on the disk before anybody hears of it, until the last of 100 watches, each on a ' +
    'TLS connection of its own, has the line: one change at a time (the median of 40), and 1 000 changes on 32 connections. The peer is bare ' +
    '`node:https`, which writes the same line to 100 open answers for each request and keeps nothing.',
  figures: [
    { name: 'one change', unit: 'ms', better: 'less' },
    { name: '1 000 changes', unit: 'ms', better: 'less' },
    { name: 'CPU of 1 000 changes', unit: 'ms', better: 'less' },
    { name: 'longest block', unit: 'ms', better: 'less', aim: { of: 'median', bound: 14 } },
  ],
  async open(stage) {
    const size = stage.quick ? small : usual;
    const hub = await HubWithPods.start(stage, size.pods);
    const caller = new HttpsCaller(hub.house, hub.house.url, size.watchers + LANES);
    const bare = new HttpsCaller(hub.house, await startReadyHttpsServer(stage, hub.house), size.watchers + LANES);
    stage.later(async () => [caller, bare].map((each) => each.close()));
    const change = (number: number) => changePod(caller, number % size.pods);
    const line = await lineOf(caller, () => change(0));
    const atHub = await watchersOf(caller, '/api/v1/pods?watch=true&resourceVersion=0', size);
    const atBare = await watchersOf(bare, '/watch', size);
    return {
      subjects: [hubContestant(hub, atHub, change, size)],
      peer: {
        name: 'bare node:https',
        measure: () => times(atBare, () => bare.count('/watch', { method: 'POST', body: line }), size),
      },
    };
  },
};

let changes = 0;
function changePod(caller: HttpsCaller, number: number): Promise<number> {
  const body = JSON.stringify({ metadata: { labels: { change: String(++changes) } } });
  return caller.count(`/api/v1/namespaces/default/pods/${podName(number)}`, {
    method: 'PATCH',
    body,
    headers: mergePatch,
  });
}

/** What a watch hears of one change. */
async function lineOf(caller: HttpsCaller, change: () => Promise<unknown>): Promise<Buffer> {
  const list = (await caller.read('/api/v1/pods?limit=1')).toString('latin1', 0, 1_024);
  const from = /"resourceVersion":"(\d+)"/.exec(list)![1]!;
  const answer = await caller.open(`/api/v1/pods?watch=true&resourceVersion=${from}`);
  const heard = new Promise<Buffer>((resolve) => {
    let text = Buffer.alloc(0);
    answer
      .on('error', () => {})
      .on('data', (part: Buffer) => {
        text = Buffer.concat([text, part]);
        const end = text.indexOf(NEWLINE);
        if (end >= 0) resolve(text.subarray(0, end + 1));
      });
  });
  await change();
  const line = await heard;
  answer.destroy();
  return line;
}

/** Counts lines; a watch has heard all when it has as many as were expected. */
class Watchers {
  #left = 0;
  #done = () => {};

  heard(lines: number): void {
    this.#left -= lines;
    if (this.#left <= 0) this.#done();
  }

  /** Resolves when `lines` more have come to all watches together. */
  lines(lines: number): Promise<void> {
    this.#left = lines;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}

async function watchersOf(caller: HttpsCaller, path: string, size: Size): Promise<Watchers> {
  const watchers = new Watchers();
  // The hub tells what is there first; bare Node has nothing to tell.
  const first = path === '/watch' ? undefined : watchers.lines(size.watchers * size.pods);
  await together(size.watchers, size.watchers, async () => {
    const answer = await caller.open(path);
    answer.on('error', () => {}).on('data', (part: Buffer) => watchers.heard(linesIn(part)));
  });
  await first;
  return watchers;
}

function linesIn(part: Buffer): number {
  let lines = 0;
  for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

function hubContestant(
  hub: HubWithPods,
  watchers: Watchers,
  change: (number: number) => Promise<unknown>,
  size: Size,
): Contestant {
  return {
    name: 'the hub',
    measure: async () => {
      await hub.longestBlockMs();
      const one = await oneChange(watchers, change, size);
      const cpuBefore = await hub.cpuMs();
      const burst = await burstOf(watchers, change, size);
      const cpu = (await hub.cpuMs()) - cpuBefore;
      return {
        'one change': one,
        '1 000 changes': burst,
        'CPU of 1 000 changes': cpu,
        'longest block': await hub.longestBlockMs(),
      };
    },
  };
}

async function times(watchers: Watchers, change: (number: number) => Promise<unknown>, size: Size) {
  return {
    'one change': await oneChange(watchers, change, size),
    '1 000 changes': await burstOf(watchers, change, size),
  };
}

async function oneChange(
  watchers: Watchers,
  change: (number: number) => Promise<unknown>,
  size: Size,
): Promise<number> {
  const taken: number[] = [];
  for (let number = 0; number < size.singles; number += 1) {
    const beganMs = performance.now();
    const all = watchers.lines(size.watchers);
    const changed = change(number);
    await all;
    taken.push(performance.now() - beganMs);
    await changed;
  }
  return median(taken);
}

async function burstOf(watchers: Watchers, change: (number: number) => Promise<unknown>, size: Size): Promise<number> {
  const beganMs = performance.now();
  const all = watchers.lines(size.watchers * size.burst);
  await together(size.burst, LANES, change);
  await all;
  return performance.now() - beganMs;
}
