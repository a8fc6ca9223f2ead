/**
 * Goal: a terminal with ten pods lives in 128 MB, and the packed one in 64 MB, for as long as this test looks at it.
 * Method: the runtime and its pods (of class host: a sleeping shell each) together in a memory cgroup of that size.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { House, run, succeeded } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { cappingFault, MemoryCap } from '../house/memory-cap.ts';
import { create, deployment, paths, runningPods, writeInto } from '../house/workload.ts';
import { pause, pidsOf } from './faulty-house.ts';

const fault = cappingFault();
if (fault !== undefined) process.stderr.write(`capped memory is not tested: ${fault}\n`);

const root = fileURLToPath(new URL('../..', import.meta.url));
const LOOK_MS = 60_000;
const PODS = 10;
const programs = {
  checkout: () => [process.execPath, `${root}runtime/bin/stile-runtime.mjs`],
  packed: () => [packing.path('stile-runtime')],
};
let packing: House;

describe.skipIf(fault !== undefined)('a terminal with ten pods', { timeout: 300_000 }, () => {
  const caps: MemoryCap[] = [];
  let house: House;
  let client: HubClient;

  beforeAll(async () => {
    packing = new House();
    const script = `${root}runtime/packaging/package.ts`;
    succeeded(
      'package',
      [],
      await run(process.execPath, [script, '--output', packing.path('stile-runtime')], process.env),
    );
    return () => packing.close();
  }, 300_000);
  afterEach(async () => {
    await client?.close();
    await house.close();
    for (const cap of caps.splice(0)) cap.close();
  });

  test.each([
    ['checkout', 128],
    ['packed', 128],
    ['packed', 64],
  ] as const)('from the %s in %i MB: nothing is killed, and it works', async (program, megabytes) => {
    const cap = MemoryCap.make(`${program}-${megabytes}`, megabytes);
    caps.push(cap);
    house = new House(() => cap.around(programs[program]()));
    await house.startHub();
    client = new HubClient(house);
    await house.stile('pool', 'create', 'm');
    writeInto(house.path('images', 'sleep', 'stile-image.json'), '{"entrypoint":["./main.sh"]}');
    writeInto(house.path('images', 'sleep', 'main.sh'), '#!/bin/sh\nexec sleep 3600\n');
    await run('chmod', ['755', house.path('images', 'sleep', 'main.sh')], process.env);
    await house.stile('image', 'push', house.path('images', 'sleep'), 'sleep:1');
    const { child } = await house.join('m-1', 'm');
    const spec = { runtimeClassName: 'host' };
    await create(client, paths.deployments, deployment('app', PODS, { image: 'sleep:1' }, spec));
    const pids = await pidsOf(house, client, 'app', PODS);
    await pause(LOOK_MS);
    await runningPods(house, client, 'app', PODS);
    process.stderr.write(
      `${program} in ${megabytes} MB: ${(cap.anonymousBytes / 2 ** 20).toFixed(1)} MiB anonymous, peak with page cache ${(cap.peakBytes / 2 ** 20).toFixed(1)} MiB, ${cap.kills} kills\n`,
    );
    expect(cap.kills).toBe(0);
    expect(child.running).toBe(true);
    expect(child.output().match(/"link live"/g)).toHaveLength(1);
    expect(await pidsOf(house, client, 'app', PODS)).toEqual(pids);
  });
});
