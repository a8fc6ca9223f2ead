/**
 * Goal: whatever the wall clock says, pods and timers go on, a terminal comes back by itself, and the time that it has
 * known to pass never goes back. Method: hub and runtime as processes, each with a clock that is moved from outside.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node } from '../../protocol/kubernetes.ts';
import { askRuntime } from '../../runtime/control/control-client.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { fakeTimeLibrary, ShiftedClock } from '../house/shifted-clock.ts';
import { create, deployment, paths, processesOf, pushProgram, runningPods } from '../house/workload.ts';
import { condition, expectAlive, pause, pidsOf } from './faulty-house.ts';

const installed = fakeTimeLibrary() !== undefined;
if (!installed)
  process.stderr.write('processes with a shifted clock are not tested: install libfaketime (Debian: faketime)\n');

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;
const NODE = 'years-1';

describe.skipIf(!installed)('a terminal and its hub', { timeout: 240_000 }, () => {
  const house = new House();
  let client: HubClient;
  let hubClock: ShiftedClock;
  let nodeClock: ShiftedClock;
  let pids: number[];

  beforeAll(async () => {
    hubClock = new ShiftedClock(house.path('hub.clock'));
    nodeClock = new ShiftedClock(house.path('node.clock'));
    await startHub();
    await house.stile('pool', 'create', 'y');
    house.environment = nodeClock.environment;
    await house.join(NODE, 'y');
    await pushProgram(house, 'app:1');
    const command = ['/bin/sh', '-c', 'echo probed >> "$HOME/probes"'];
    const readinessProbe = { exec: { command }, periodSeconds: 1 };
    await create(client, paths.deployments, deployment('app', 2, { image: 'app:1', readinessProbe }));
    pids = await pidsOf(house, client, 'app', 2);
  }, 120_000);
  afterAll(async () => {
    await client?.close();
    await house.close();
  });

  async function startHub(): Promise<void> {
    await client?.close();
    house.environment = hubClock.environment;
    await house.startHub();
    client = new HubClient(house, { anyDate: true });
  }
  async function startRuntime(): Promise<void> {
    house.environment = nodeClock.environment;
    const before = lives();
    await house.startRuntime(NODE);
    await house.waitFor('a session', () => lives() > before);
  }
  const terminal = () => house.terminals.get(NODE)!;
  const lives = () => terminal().child.output().split('"link live"').length - 1;
  const certificate = () => readFileSync(join(terminal().dataDir, 'identity', 'cert.pem'), 'utf8');
  const floorMs = async () =>
    (await askRuntime<{ timeFloorMs: number }>(terminal().dataDir, { kind: 'database' })).timeFloorMs;
  /** Pods as before, and no others; the hub knows the node as ready. */
  const expectSame = async () => {
    await condition(house, client, NODE, 'Ready', 'NodeConnected');
    expectAlive(pids);
    await house.waitFor(
      'one process per pod',
      async () => (await house.podPids()).filter((pid) => pids.includes(pid)).length === 2,
    );
    expect(
      Object.values(await processesOf(await runningPods(house, client, 'app', 2))).sort((a, b) => a! - b!),
    ).toEqual(pids);
  };
  /** Lines that the probes of one pod have written. */
  const probes = () => {
    const home = /HOME=([^\0]*)/.exec(readFileSync(`/proc/${pids[0]}/environ`, 'latin1'))![1]!;
    return readFileSync(join(home, 'probes'), 'utf8').split('\n').length - 1;
  };

  test('that were apart for 400 days: pods ran, and it is back by itself with a new certificate', async () => {
    const first = certificate();
    const before = lives();
    await house.hub!.stop();
    nodeClock.shift(400 * DAY_MS);
    hubClock.shift(400 * DAY_MS);
    await pause(3_000);
    expectAlive(pids);
    await startHub();
    await house.waitFor('the terminal', () => lives() > before, 120_000);
    await expectSame();
    expect(certificate()).not.toBe(first);
    expect(await floorMs()).toBeGreaterThan(hubClock.now() - DAY_MS);
  });

  test('of which one was without power for 400 days more', async () => {
    const first = certificate();
    await terminal().child.kill('SIGKILL');
    nodeClock.shift(800 * DAY_MS);
    await house.hub!.stop();
    hubClock.shift(800 * DAY_MS);
    await startHub();
    await startRuntime();
    await expectSame();
    expect(certificate()).not.toBe(first);
    expect(await floorMs()).toBeGreaterThan(hubClock.now() - DAY_MS);
  });

  test('of which one wakes in 1970: it works, comes back, and knows how late it is at least', async () => {
    const before = await floorMs();
    await terminal().child.kill('SIGKILL');
    nodeClock.set(0);
    await startRuntime();
    await expectSame();
    expect(await floorMs()).toBeGreaterThanOrEqual(before);
    const outcome = await house.tryRuntime('check', '--data-dir', terminal().dataDir, '-o', 'json');
    const { status } = await client.get<Node>(`/api/v1/nodes/${NODE}`);
    expect(outcome.stdout).toContain('"clock"');
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  test.each([
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
    ['ten years ahead', 10 * YEAR_MS],
    ['ten years back', -10 * YEAR_MS],
  ])('whose clocks jump %s while they run: timers, pods and sessions stay', async (_, jumpMs) => {
    for (const clock of [nodeClock, hubClock]) {
      const before = { lives: lives(), floorMs: await floorMs(), probes: probes(), atMs: performance.now() };
      const shiftedBy = clock.now() - Date.now();
      clock.shift(shiftedBy + jumpMs);
      await house.waitFor('probes', () => probes() >= before.probes + 3);
      const seconds = (performance.now() - before.atMs) / 1000;
      expect(probes() - before.probes).toBeLessThan(seconds + 3);
      expectAlive(pids);
      expect(await floorMs()).toBeGreaterThanOrEqual(before.floorMs);
      // Set right again: by a hub that is ten years ahead the administrator would be let in no more.
      clock.shift(shiftedBy);
      await expectSame();
      expect(lives()).toBe(before.lives);
    }
  });

  test('of which one loses its store in 1970: the time floor stands all the same', async () => {
    const before = await floorMs();
    await house.hub!.stop();
    await terminal().child.kill('SIGKILL');
    const { dataDir } = terminal();
    for (const name of ['state.db', 'state.db-wal', 'state.db.good'])
      writeFileSync(join(dataDir, name), 'noise '.repeat(10_000));
    nodeClock.set(0);
    house.environment = nodeClock.environment;
    await house.startRuntime(NODE);
    // The hub is away: nobody tells it the time.
    await house.waitFor('the store', async () => {
      const floor = await floorMs().catch(() => 0);
      return floor >= before;
    });
    const floor = await floorMs();
    expect(floor).toBeGreaterThanOrEqual(before);
    expect(floor).toBeLessThan(hubClock.now() + HOUR_MS);
    await startHub();
    await condition(house, client, NODE, 'StoreRestored', 'StoreLost');
    await runningPods(house, client, 'app', 2);
    expect(await floorMs()).toBeGreaterThanOrEqual(before);
  });
});
