/**
 * `npm run soak -- --minutes M [--json FILE]`: a hub and a terminal with eleven pods as real processes, a link that
 * flaps, events, changes of the view; memory, files, processes and writes of both are watched. Exit code 1 when a bound
 * did not hold; the last line sums up.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../../protocol/node/clock.ts';
import { askRuntime } from '../../runtime/control/control-client.ts';
import { IDLE_BYTES_PER_DAY_MAX } from '../../runtime/store/flash-wear.ts';
import { SqliteJournal } from '../../runtime/store/sqlite-journal.ts';
import { describeMachine, loadNow } from '../bench/machine.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { paths } from '../house/workload.ts';
import { insideOptions } from './collected.ts';
import { AskedRestarts, type EventSource } from './event-sources.ts';
import { FlappingLink } from './flapping-link.ts';
import { HubEvents } from './hub-events.ts';
import { atPace, Load, type Processes, RESTLESS } from './load.ts';
import { type Plan, planFor } from './plan.ts';
import { type Sample, Sampler } from './samples.ts';
import { courseLines, idleWear, mebibytes, steadiness, type Verdict } from './verdict.ts';

const NODE = 'soaked';
/** After its first minute a runtime checks and copies its store, which is not what an idle one writes. */
const MINUTES_MIN = 2;
/** A terminal that wrote nothing for so long has done what was asked of it. */
const STILL_MS = 5_000;

interface Soak {
  plan: Plan;
  house: House;
  link: FlappingLink;
  client: HubClient;
  dataDir: string;
  load: Load;
  sources: readonly EventSource[];
  events: HubEvents;
  runtime: Sampler;
  hub: Sampler;
  verdicts: Verdict[];
}

async function main(args: string[]): Promise<number> {
  const options = { minutes: { type: 'string', default: '20' }, json: { type: 'string' } } as const;
  const { values } = parseArgs({ args, options });
  const minutes = Number(values.minutes);
  if (!(minutes >= MINUTES_MIN)) throw new Error(`--minutes takes a number from ${MINUTES_MIN}, not ${values.minutes}`);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort());
  const house = new House();
  const link = await FlappingLink.open();
  let client: HubClient | undefined;
  process.env.NODE_OPTIONS = insideOptions;
  say(`${describeMachine()}; load ${loadNow()}`);
  try {
    const plan = planFor(minutes, IDLE_BYTES_PER_DAY_MAX);
    const soak = await start(house, link, plan);
    client = soak.client;
    const before = await soak.load.processes();
    await soaked(soak, before, interrupted.signal);
    if (values.json !== undefined)
      await writeFile(values.json, JSON.stringify({ plan, runtime: soak.runtime.course, hub: soak.hub.course }));
    return tell(minutes, soak.verdicts);
  } finally {
    await client?.close();
    await house.close();
    await link.close();
  }
}

/** A terminal whose only way to the hub is the link, with its pods running. */
async function start(house: House, link: FlappingLink, plan: Plan): Promise<Soak> {
  // A hub says what it advertises, so its own port, which it keeps, is heard at a first start.
  await house.startHub();
  const { url: direct, kubeconfig } = house;
  link.leadTo(Number(new URL(direct).port));
  await house.hub!.stop();
  // Terminals learn what is advertised: the link and nothing else.
  await house.startHub('--advertise', `127.0.0.1:${link.port}`);
  const client = new HubClient({ kubeconfig, url: direct });
  await house.stile('pool', 'create', 'soak');
  const token = await house.token('soak');
  const url = `https://127.0.0.1:${link.port}`;
  const { child, dataDir } = await house.startRuntime(NODE, '--hub', url, '--token', token, '--name', NODE);
  const load = new Load(house, client, NODE);
  await load.start();
  const sources = [new AskedRestarts(dataDir, RESTLESS)];
  // A packed runtime takes no options for its engine.
  const inside = (process.env.STILE_RUNTIME ?? '') === '';
  const runtime = new Sampler({ child, inside, ask: () => askRuntime(dataDir, { kind: 'pods' }) });
  const askHub = () => client.get(`${paths.configMaps}/settings`);
  const hub = new Sampler({ child: house.hub!, inside: true, ask: askHub });
  const events = new HubEvents(client, NODE, sources);
  return { plan, house, link, client, dataDir, load, sources, events, runtime, hub, verdicts: [] };
}

async function soaked(soak: Soak, before: Processes, interrupted: AbortSignal): Promise<void> {
  const { plan, verdicts, runtime, hub } = soak;
  await during(plan.busyMs, interrupted, (signal) => [
    soak.link.flap(plan.link, signal),
    atPace(plan.changeMs, signal, () => soak.load.change()),
    ...appending(soak, signal),
    atPace(plan.link.periodMs, signal, () => progress(soak)),
    ...[runtime, hub].flatMap((sampler) => [
      sampler.run(plan.sampleMs, signal),
      atPace(plan.link.periodMs, signal, () => sampler.collect()),
    ]),
  ]);
  const busy = { runtime: runtime.course, hub: hub.course };
  await settle(soak);
  await eventsAlone(soak, interrupted);
  await settle(soak);
  await quiet(soak, interrupted);
  await events(soak);
  const after = await soak.load.processes();
  verdicts.push({
    bound: 'the processes of ten pods are those of the beginning',
    holds: Object.entries(before).every(([name, pid]) => pid !== undefined && after[name] === pid),
    observed: Object.values(after).join(' '),
  });
  for (const [name, course] of Object.entries(busy)) {
    say(`\n${name}, busy, after the warm-up:`);
    for (const line of courseLines(course, plan)) say(`  ${line}`);
    for (const verdict of steadiness(course, plan)) verdicts.push({ ...verdict, bound: `${name}: ${verdict.bound}` });
  }
}

/** What an event costs, all that comes with it counted. */
async function eventsAlone(soak: Soak, interrupted: AbortSignal): Promise<void> {
  const { plan, runtime, events: heard } = soak;
  const [first, total] = [await runtime.sample(), heard.total];
  await during(plan.eventsMs, interrupted, (signal) => appending(soak, signal));
  await settle(soak);
  const bytes = (await runtime.sample()).writtenBytes - first.writtenBytes;
  const count = heard.total - total;
  say(`events alone: ${count} events, ${bytes} bytes written, ${(bytes / count).toFixed(0)} bytes an event`);
}

async function quiet(soak: Soak, interrupted: AbortSignal): Promise<void> {
  const { plan, runtime, house } = soak;
  // The last restart may still be under way. One that never ends is a failure, not a quiet time.
  let written = -1;
  let sinceMs = systemClock.monotonic();
  const isStill = async () => {
    const { writtenBytes } = await runtime.sample();
    if (writtenBytes !== written) sinceMs = systemClock.monotonic();
    written = writtenBytes;
    return systemClock.monotonic() - sinceMs >= STILL_MS;
  };
  await house.waitFor('the terminal to have nothing left to write', isStill, plan.settleMsMax);
  const first = await runtime.sample();
  await during(plan.quietMs, interrupted, () => []);
  const last = await runtime.sample();
  soak.verdicts.push(idleWear(first, last, plan));
  const counted = [
    ...soak.house.terminals
      .get(NODE)!
      .child.output()
      .matchAll(/"hourBytes":(\d+)/g),
  ].map(([, n]) => n);
  say(
    `its own count, hour by hour: ${counted.length === 0 ? 'none, for it tells each hour' : counted.join(' ')} bytes`,
  );
}

function appending({ plan, sources }: Soak, signal: AbortSignal): Promise<void>[] {
  return sources.map((source) => atPace(plan.eventMs, signal, () => source.append()));
}

/** Runs `work` for `ms`, or until somebody interrupts; rejects with the first failure of it, once all of it has ended. */
async function during(
  ms: number,
  interrupted: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>[],
): Promise<void> {
  const failed = new AbortController();
  const over = new AbortController();
  const all = work(over.signal).map((each) =>
    each.catch((error: unknown) => {
      failed.abort();
      throw error;
    }),
  );
  await systemClock.sleep(ms, AbortSignal.any([interrupted, failed.signal])).catch(() => {});
  over.abort();
  const ends = await Promise.allSettled(all);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  if (interrupted.aborted) throw new Error('interrupted');
}

/** Until the hub has every acknowledged event and the terminal all of the view. */
async function settle({ house, load, events: heard, sources, plan }: Soak): Promise<void> {
  await load.settle(plan.settleMsMax);
  await house.waitFor(
    'the events to reach the hub',
    async () => {
      const before = heard.total;
      await heard.read();
      return heard.total === before && sources.every((source) => heard.countOf(source) >= source.acknowledged);
    },
    plan.settleMsMax,
  );
}

/** Compares the hub's events with the terminal's own memory; the runtime is killed for that, so this comes last. */
async function events({ house, dataDir, events: heard, sources, verdicts, link, load }: Soak): Promise<void> {
  await house.terminals.get(NODE)!.child.kill('SIGKILL');
  await heard.read();
  const journal = await SqliteJournal.open(`${dataDir}/state.db`, 'none');
  const { epochs } = await journal.load();
  await journal.close();
  for (const source of sources)
    verdicts.push({
      bound: `${source.name}: every acknowledged event is at the hub once`,
      holds: heard.countOf(source) === source.acknowledged,
      observed: `${source.acknowledged} acknowledged, ${source.refused} refused, ${heard.countOf(source)} at the hub`,
    });
  verdicts.push({
    bound: 'events of all kinds reach the hub in order, none lost, none twice',
    holds:
      heard.outOfOrder.length === 0 &&
      epochs.every(({ epoch, last }) => (heard.last.get(epoch) ?? 0) === last) &&
      heard.last.size <= epochs.length,
    observed: `${heard.total} events of ${epochs.length} epoch over ${link.outages} outages and ${load.changes} changes of the view; out of order: ${heard.outOfOrder.slice(0, 3).join(', ') || 'none'}`,
  });
}

async function progress({ runtime, hub, link, events: heard, load }: Soak): Promise<void> {
  await heard.read();
  const line = (name: string, sample: Sample | undefined) =>
    sample === undefined
      ? ''
      : `${name}: ${mebibytes(sample.anonymous)} anonymous, ${mebibytes(sample.rss)} resident, ${sample.openFiles} files, ${sample.processes} processes; `;
  const [of, at] = [runtime.samples.at(-1), hub.samples.at(-1)];
  say(
    `${((of?.timeMs ?? 0) / 60_000).toFixed(1)} min  ${line('runtime', of)}${line('hub', at)}${heard.total} events, ${load.changes} changes, ${link.outages} outages`,
  );
}

function tell(minutes: number, verdicts: readonly Verdict[]): number {
  say('');
  for (const { bound, holds, observed } of verdicts) say(`${holds ? '✔' : '✘'} ${bound}: ${observed}`);
  const broken = verdicts.filter(({ holds }) => !holds);
  say(`load at the end: ${loadNow()}`);
  say(`\nsoak of ${minutes} minutes: ${verdicts.length - broken.length} bounds held, ${broken.length} broken`);
  return broken.length === 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`\nThe soak failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
