/** What every `Processes` must do, the real one and the simulated one alike. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../protocol/errors.ts';
import type { ProcessExit, Processes, SpawnRequest } from '../../runtime/workloads/ports.ts';

/** What a child of the suite does. */
export type Behaviour =
  | 'runs until told'
  | 'exits with 3'
  | 'ignores SIGTERM'
  /** Ends at once and leaves a descendant outside its group. */
  | 'leaves a descendant'
  | 'does not exist';

export interface ProcessesHarness {
  /** The port of a new life of the runtime on the same machine. */
  nextLife(): Processes;
  request(behaviour: Behaviour, instanceId: string): SpawnRequest;
  /** Lets the world go on until `work` settles. */
  settle<T>(work: Promise<T>): Promise<T>;
  /** Lets the world go on until `holds`; fails after a time that is ample. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

export function describeProcesses(name: string, open: () => Promise<ProcessesHarness>): void {
  describe(`processes: ${name}`, () => {
    let harness: ProcessesHarness;
    let processes: Processes;
    const exits: ProcessExit[] = [];
    const onExit = (exit: ProcessExit) => void exits.push(exit);
    const spawn = (behaviour: Behaviour, instanceId: string) =>
      harness.settle(processes.spawn(harness.request(behaviour, instanceId), onExit));

    beforeEach(async () => {
      exits.length = 0;
      harness = await open();
      processes = harness.nextLife();
    });
    afterEach(() => harness.close());

    test('the exit code of a child is told once', async () => {
      await spawn('exits with 3', own('a1'));
      await harness.until('the exit', () => exits.length > 0);
      expect(exits).toEqual([{ exitCode: 3 }]);
    });

    test('a file that does not exist is E_POD_START and no exit', async () => {
      const error = await spawn('does not exist', own('a2')).catch((caught: unknown) => caught);
      expect(codeOf(error)).toBe('E_POD_START');
      expect(exits).toEqual([]);
      expect(await harness.settle(processes.find(own('a2')))).toBeUndefined();
    });

    test('SIGTERM ends a child that does nothing against it', async () => {
      const identity = await spawn('runs until told', own('a3'));
      await harness.settle(processes.signal(identity, 'SIGTERM'));
      await harness.until('the exit', () => exits.length > 0);
      expect(exits).toEqual([{ signal: 15 }]);
      await harness.settle(processes.signal(identity, 'SIGTERM'));
    });

    test('SIGKILL ends a child that ignores SIGTERM', async () => {
      const identity = await spawn('ignores SIGTERM', own('a4'));
      await harness.settle(processes.signal(identity, 'SIGTERM'));
      expect(await harness.settle(processes.find(own('a4')))).toEqual(identity);
      await harness.settle(processes.signal(identity, 'SIGKILL'));
      await harness.until('the exit', () => exits.length > 0);
      expect(exits).toEqual([{ signal: 9 }]);
    });

    test('a later life finds a child by its instance id, and adopts it by its identity', async () => {
      const identity = await spawn('runs until told', own('a5'));
      const later = harness.nextLife();
      expect(await harness.settle(later.find(own('a5')))).toEqual(identity);
      expect(await harness.settle(later.find('a'))).toBeUndefined();
      const seen: ProcessExit[] = [];
      expect(await harness.settle(later.adopt(identity, (exit) => seen.push(exit)))).toBe(true);
      await harness.settle(later.signal(identity, 'SIGKILL'));
      await harness.until('the end of the adopted child', () => seen.length > 0);
      expect(seen).toEqual([{}]);
      expect(await harness.settle(later.find(own('a5')))).toBeUndefined();
    });

    test('another process under the same pid is not adopted and not signalled', async () => {
      const identity = await spawn('runs until told', own('a6'));
      const later = harness.nextLife();
      const stranger = { ...identity, startTicks: identity.startTicks - 1 };
      expect(await harness.settle(later.adopt(stranger, onExit))).toBe(false);
      expect(await harness.settle(later.adopt({ ...identity, bootId: 'another boot' }, onExit))).toBe(false);
      await harness.settle(later.signal(stranger, 'SIGKILL'));
      expect(await harness.settle(later.find(own('a6')))).toEqual(identity);
    });

    test('a sweep ends what a child left behind outside its group', async () => {
      await spawn('leaves a descendant', own('a7'));
      await harness.until('the exit', () => exits.length > 0);
      // A shell that is about to become the descendant may still be there: at least the descendant was found.
      expect(await harness.settle(processes.sweep(own('a7')))).toBeGreaterThanOrEqual(1);
      await harness.until(
        'the end of the descendant',
        async () => (await harness.settle(processes.sweep(own('a7')))) === 0,
      );
    });
  });
}

/** Runs of this suite beside each other on one machine must not find each other's children. */
function own(instance: string): string {
  return `${instance}-${process.pid}`;
}
