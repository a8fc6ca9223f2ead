/** Real children and simulated ones behave alike. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SpawnRequest } from '../../../runtime/workloads/ports.ts';
import { parseStat } from '../../../runtime/workloads/proc.ts';
import { ChildProcesses } from '../../../runtime/workloads/processes.ts';
import { type Behaviour, describeProcesses, type ProcessesHarness } from '../../contract/processes.ts';
import { SimProcesses, type SimProgram } from '../../sim/processes.ts';
import { World } from '../../sim/world.ts';
import { pause } from './real-world.ts';

const scripts: Record<Behaviour, { file: string; args: string[] }> = {
  'runs until told': { file: '/bin/sleep', args: ['600'] },
  'exits with 3': { file: '/bin/sh', args: ['-c', 'exit 3'] },
  'ignores SIGTERM': { file: '/bin/sh', args: ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'] },
  'leaves a descendant': { file: '/bin/sh', args: ['-c', 'setsid sleep 600 & sleep 0.2; exit 0'] },
  'does not exist': { file: '/nowhere/to/be/found', args: [] },
};

describeProcesses('of the system', async (): Promise<ProcessesHarness> => {
  const directory = await mkdtemp(join(tmpdir(), 'stile-processes-'));
  const lives: ChildProcesses[] = [];
  const instances = new Set<string>();
  return {
    nextLife: () => {
      const life = new ChildProcesses({ engine: { file: process.execPath, args: [] }, pollMs: 20 });
      lives.push(life);
      return life;
    },
    request: (behaviour, instanceId) => {
      instances.add(instanceId);
      const env = { STILE_INSTANCE: instanceId, PATH: '/usr/bin:/bin' };
      return { instanceId, engine: false, ...scripts[behaviour], cwd: directory, env, logFile: join(directory, 'log') };
    },
    settle: async (work) => {
      const result = await work;
      // A shell needs a moment to install its trap.
      await pause(100);
      return result;
    },
    until: async (what, holds) => {
      for (let tries = 0; tries < 500; tries += 1) {
        if (await holds()) return;
        await pause(10);
      }
      expect.fail(`waited in vain for ${what}`);
    },
    close: async () => {
      for (const instance of instances) await lives[0]!.sweep(instance);
      for (const life of lives) life.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

const programs: Record<Behaviour, SimProgram | undefined> = {
  'runs until told': { termMs: 5 },
  'exits with 3': { endsAfterMs: 0, exitCode: 3 },
  'ignores SIGTERM': {},
  'leaves a descendant': { endsAfterMs: 50, leavesDescendant: true },
  'does not exist': undefined,
};

describeProcesses('of the simulator', async (): Promise<ProcessesHarness> => {
  const world = new World('processes');
  const host = world.host('gate');
  const machine = new SimProcesses(host, ({ file }: SpawnRequest) => programs[file as Behaviour]);
  return {
    nextLife: () => {
      if (host.life !== undefined) host.die('crash');
      host.boot();
      return machine.port();
    },
    request: (behaviour, instanceId) => ({
      instanceId,
      engine: false,
      file: behaviour,
      args: [],
      cwd: '/',
      env: { STILE_INSTANCE: instanceId },
      logFile: '/log',
    }),
    settle: (work) => world.settle(work, 1_000),
    until: async (what, holds) => {
      for (let tries = 0; tries < 500; tries += 1) {
        if (await holds()) return;
        await world.run(world.nowMs + 10);
      }
      expect.fail(`waited in vain for ${what}`);
    },
    close: async () => {},
  };
});

test('a command name with parentheses and spaces does not shift the fields of /proc/PID/stat', () => {
  const rest = Array.from({ length: 40 }, (_unused, index) => String(index + 3)).join(' ');
  expect(parseStat(`42 (a) b) S 1 77 ${rest.slice(0)}`)).toMatchObject({
    pid: 42,
    state: 'S',
    group: 77,
    startTicks: 19,
  });
  expect(parseStat('')).toBeUndefined();
});
