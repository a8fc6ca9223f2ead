/**
 * Goal: a hub whose disk is full, has no inodes or cannot be written refuses writes with a reason, goes on answering,
 * keeps the sessions of its terminals, and takes what they report once there is room.
 * Method: a hub with its data directory on a small file system of its own, and a runtime, as processes.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { mountingFault, SmallDisk } from '../house/small-disk.ts';
import { create, deployment, paths, podsOf, pushProgram, runningPods } from '../house/workload.ts';
import { expectAlive, pause, pidsOf, podsOnTheSpot } from './faulty-house.ts';

const fault = mountingFault();
if (fault !== undefined) process.stderr.write(`full and read-only disks of a hub are not tested: ${fault}\n`);
/** Longer than either side waits for an acknowledgement. */
const PATIENCE_MS = 40_000;
const NODE = 'h-1';

describe.skipIf(fault !== undefined)('the disk of a hub', { timeout: 240_000 }, () => {
  let house: House;
  let client: HubClient;
  let disk: SmallDisk;

  afterEach(async () => {
    await client?.close();
    await house.close();
  });

  async function houseOn(make: (path: string) => SmallDisk): Promise<number[]> {
    house = new House();
    disk = make(house.path('hub'));
    house.mounts.push(disk);
    await house.startHub();
    client = new HubClient(house);
    await house.stile('pool', 'create', 'h');
    await house.join(NODE, 'h');
    await pushProgram(house, 'app:1');
    await create(client, paths.deployments, deployment('app', 2, { image: 'app:1' }));
    return pidsOf(house, client, 'app', 2);
  }

  const lives = () => house.terminals.get(NODE)!.child.output().split('"link live"').length - 1;
  let count = 0;
  const write = () => {
    count += 1;
    const metadata = { name: `c-${count}`, namespace: 'default' };
    const data = { text: 'x'.repeat(10_000) };
    return client.ask(
      'POST',
      paths.configMaps,
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }),
    );
  };
  /** What fits into the pages that the file has already may still be taken. */
  const refusal = async () => {
    let answer = await write();
    await house.waitFor('a refusal', async () => {
      answer = await write();
      return answer.status !== 201;
    });
    return answer;
  };
  const refused = (says: string) => ({
    status: 503,
    body: {
      kind: 'Status',
      status: 'Failure',
      reason: 'ServiceUnavailable',
      code: 503,
      message: expect.stringContaining(says),
    },
  });
  const restarts = async () =>
    (await podsOf(client, 'app')).map(({ status }) => status?.containerStatuses?.[0]?.restartCount ?? 0);

  test('that becomes full: writes are refused with a Status, sessions stay, reports arrive once there is room', async () => {
    const pids = await houseOn((path) => SmallDisk.inMemory(path, { megabytes: 64 }));
    const { pid } = house.hub!;
    disk.fill();
    expect(await refusal()).toMatchObject(refused('disk is full'));
    const [first] = await podsOnTheSpot(house, house.terminals.get(NODE)!.dataDir);
    await house.tryRuntime('ctl', 'restart', first!.name, '--data-dir', house.terminals.get(NODE)!.dataDir);
    await pause(PATIENCE_MS);
    expect(lives()).toBe(1);
    expect(await restarts()).toEqual([0, 0]);
    expect(house.hub).toMatchObject({ pid, running: true });
    disk.empty();
    await house.waitFor('the report', async () => (await restarts()).includes(1));
    expect((await write()).status).toBe(201);
    expect(lives()).toBe(1);
    const after = await pidsOf(house, client, 'app', 2);
    expect(after.filter((each) => pids.includes(each))).toHaveLength(1);
  });

  test.each(['fill', 'fillInodes'] as const)(
    'that is full when the hub starts (%s): it starts, and terminals come back',
    async (fill) => {
      const pids = await houseOn((path) => SmallDisk.inMemory(path, { megabytes: 64, inodes: 1_000 }));
      await house.hub!.kill('SIGKILL');
      disk[fill]();
      await house.startHub();
      await house.waitFor('the terminal', () => lives() === 2);
      expectAlive(pids);
      disk.empty();
      await house.waitFor('a write', async () => (await write()).status === 201);
      expect(await pidsOf(house, client, 'app', 2)).toEqual(pids);
    },
  );

  test('that turns read-only: reads are answered, writes refused, sessions and pods stay', async () => {
    const pids = await houseOn((path) => SmallDisk.ext4(path, { megabytes: 128 }));
    const { pid } = house.hub!;
    disk.fail();
    expect(await refusal()).toMatchObject(refused('cannot write the database'));
    await pause(5_000);
    expect(house.hub).toMatchObject({ pid, running: true });
    expect(lives()).toBe(1);
    expect(await runningPods(house, client, 'app', 2)).toHaveLength(2);
    expectAlive(pids);
  });
});
