/**
 * The faults of links, one after another, on one field. Each trial does its fault, mends it and waits until the hub has
 * all that was journalled meanwhile; what it cost is then held against bounds.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { heartbeatProfiles, limits } from '../../protocol/limits.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { dialsMax } from './dials.ts';
import { type Field, HUB_NAME, HUB_PORT } from './field.ts';
import { Portal } from './portal.ts';
import { HUB_ADDRESS, PORTAL_ADDRESSES, type Profile } from './radio.ts';

export interface Trial {
  name: string;
  /** Does the fault and mends it. Resolves to what there is to tell, and rejects when something took too long. */
  run(field: Field): Promise<string>;
  /** The session must last. */
  keepsSession?: true;
}

export interface TrialReport {
  name: string;
  seconds: number;
  /** That came to the hub. */
  events: number;
  dials: number;
  lookUps: number;
  bytesUp: number;
  bytesDown: number;
  note: string;
  /** Bounds that did not hold. */
  faults: string[];
}

/** A full handshake with a certificate each way, the greeting and what the retransmissions of a bad link add. */
const BYTES_PER_DIAL = 16 * 1024;
/** An event of 400 bytes, its share of the statuses, acknowledgements, and headers: and half of it again. */
const BYTES_PER_EVENT = 3 * 1024;
const BYTES_BESIDE = 16 * 1024;
/** From the mended link to the last event: the longest pause, a dial that hangs, and the backlog. */
const CATCH_UP_MS = limits.backoffMaxMs + 45_000;
/** Beyond the heartbeat profile: a watch looks again every five seconds. */
const WATCH_MS = 8_000;

export async function judge(field: Field, trial: Trial): Promise<TrialReport> {
  const began = performance.now();
  const before = await field.radio.counters();
  const toldBefore = field.told;
  const note = await trial.run(field);
  await field.caughtUp(CATCH_UP_MS);
  const after = await field.radio.counters();
  const ms = performance.now() - began;
  const report = {
    name: trial.name,
    seconds: ms / 1_000,
    events: field.told - toldBefore,
    dials: after.up.dials - before.up.dials,
    lookUps: after.up.lookUps - before.up.lookUps,
    bytesUp: after.up.bytes - before.up.bytes,
    bytesDown: after.down.bytes - before.down.bytes,
    note,
  };
  return { ...report, faults: faultsOf(report, trial, ms) };
}

function faultsOf(report: Omit<TrialReport, 'faults'>, trial: Trial, ms: number): string[] {
  const { dials, bytesUp, bytesDown, events } = report;
  const bytes = bytesUp + bytesDown;
  const bytesMax = BYTES_BESIDE + dials * BYTES_PER_DIAL + events * BYTES_PER_EVENT;
  return [
    ...(trial.keepsSession && dials > 0 ? [`${dials} dials where the session should have lasted`] : []),
    ...(dials > dialsMax(ms) ? [`${dials} dials in ${Math.round(ms)} ms, ${dialsMax(ms)} may be`] : []),
    ...(bytes > bytesMax ? [`${bytes} bytes on the wire, ${bytesMax} may be`] : []),
    ...(events === 0 ? ['no event came'] : []),
  ];
}

const shaped = (name: string, profile: Partial<Profile>, ms: number): Trial => ({
  name,
  keepsSession: true,
  async run({ radio }) {
    await radio.set(profile);
    await pause(ms);
    await radio.set({});
    return '';
  },
});

const flapping: Trial = {
  name: 'unplugged for 5 s, four times',
  async run({ radio }) {
    for (let flap = 0; flap < 4; flap += 1) {
      radio.plug(false);
      await pause(5_000);
      radio.plug(true);
      await pause(7_000);
    }
    return '';
  },
};

const halfOpen: Trial = {
  name: 'nothing passes for 75 s, nobody is told',
  async run(field) {
    const [nodeFrom, hubFrom] = [field.runtime.output().length, field.house.hub!.output().length];
    await field.caughtUp(CATCH_UP_MS);
    const downMs = Date.now();
    await field.radio.set({ down: true });
    const boundMs = heartbeatProfiles.prompt.silenceMs + WATCH_MS;
    const first = (lines: { msg: string; time: string }[], msg: string) => lines.find((line) => line.msg === msg);
    const lost = () => first(field.linkLines(nodeFrom), 'link lost');
    const missed = () => first(field.hubLines(hubFrom), 'node session ended');
    await field.house.waitFor('both ends to give up', () => lost() !== undefined && missed() !== undefined, boundMs);
    const after = (line: { time: string } | undefined) => Math.round((Date.parse(line!.time) - downMs) / 1_000);
    await pause(Math.max(0, downMs + 75_000 - Date.now()));
    await field.radio.set({});
    return `the terminal gave up after ${after(lost())} s, the hub after ${after(missed())} s`;
  },
};

const deadNames: Trial = {
  name: 'the name server is silent for 40 s, the hub restarts',
  async run(field) {
    await field.radio.set({ withoutDns: true });
    await field.house.hub!.kill('SIGKILL');
    await field.startHub();
    await pause(40_000);
    await field.radio.set({});
    return '';
  },
};

const portal: Trial = {
  name: 'captive portals answer for the hub, one after another',
  async run(field) {
    const env = { clock: systemClock, random: systemRandom, log: createLog('silent', {}) };
    const directory = mkdtempSync(join(tmpdir(), 'stile-portal-'));
    await field.house.hub!.kill('SIGKILL');
    const [plain, secure] = [
      await Portal.http(PORTAL_ADDRESSES[0], HUB_PORT),
      await Portal.tls(env, directory, HUB_NAME, PORTAL_ADDRESSES[1], HUB_PORT),
    ];
    try {
      for (const [index, place] of [plain, secure].entries()) {
        await field.name(PORTAL_ADDRESSES[index]!);
        // Pauses grow with each visit in vain, so the second portal may have to wait.
        await field.house.waitFor('a visit', () => place.visits > 0, limits.backoffMaxMs + WATCH_MS);
        await pause(5_000);
      }
    } finally {
      await plain.close();
      await secure.close();
      rmSync(directory, { recursive: true, force: true });
    }
    await field.name(HUB_ADDRESS);
    await field.startHub();
    return `${plain.visits} and ${secure.visits} visits`;
  },
};

export const trials: readonly Trial[] = [
  shaped('as it is', {}, 10_000),
  shaped('600 ms there and back, 2 % of the packets lost', { delayMs: 300, loss: 0.02 }, 30_000),
  shaped('100 ms there and back', { delayMs: 50 }, 15_000),
  shaped('50 kbit/s', { delayMs: 20, bitsPerSecond: 50_000 }, 25_000),
  flapping,
  halfOpen,
  deadNames,
  portal,
];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
