/**
 * Goal: on a full disk records come through and events are refused with a clear code; with room it goes on by itself.
 * Method: a journal that fails on demand, and a small file system of its own where this user may mount one.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { AppError } from '../../../protocol/errors.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { emptyState, type NodeChange } from '../../../runtime/store/node-state.ts';
import { ReservedJournal } from '../../../runtime/store/reserved-journal.ts';
import { exampleRecord } from '../../contract/pod-records.ts';

const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
const event: NodeChange = { kind: 'events', events: [{ epoch: 'e', seq: 1, type: 't', timeMs: 1, data: 1 }] };
const record: NodeChange = { kind: 'pod', record: exampleRecord('uid-1') };

it('the reserve goes to essential records, once, and not to events', async () => {
  const disk = { room: false, held: true, commits: 0 };
  const journal = new ReservedJournal(env, {
    journal: {
      load: async () => emptyState('e'),
      commit: async () => {
        if (!disk.room && disk.held) throw new AppError('E_STORE_FAILED', 'full');
        disk.commits += 1;
      },
      readEvents: async () => [],
      eventUsage: async () => ({ count: 0, bytes: 0 }),
      findEvent: async () => undefined,
      close: async () => {},
    },
    reserve: {
      release: async () => {
        disk.held = false;
      },
      hold: async () => disk.room,
    },
    faultOf: (error) => (error instanceof AppError ? 'full' : undefined),
  });
  await expect(journal.commit([event])).rejects.toMatchObject({ code: 'E_OUTBOX_FULL' });
  expect(disk.held).toBe(true);
  await journal.commit([record]);
  await expect(journal.commit([event])).rejects.toMatchObject({ code: 'E_OUTBOX_FULL' });
  await journal.commit([{ kind: 'event.acked', epoch: 'e', seq: 1 }]);
  expect(disk.commits).toBe(2);
  const stop = new AbortController();
  disk.room = true;
  const running = journal.run(stop.signal);
  await systemClock.sleep(5);
  stop.abort();
  await running;
  await journal.commit([event]);
  expect(disk.commits).toBe(3);
});

const script = fileURLToPath(new URL('full-disk.ts', import.meta.url));

function inSmallFileSystem(): string {
  const command = `mount -t tmpfs -o size=24m tmpfs /mnt && exec "${process.execPath}" "${script}" /mnt`;
  return execFileSync('unshare', ['-m', 'sh', '-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Mounting needs root; the mount ends with its namespace. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('a real full disk is not tested: it needs a user who may mount (root)\n');
    return false;
  }
}

it.skipIf(!mayMount())(
  'a real full file system: records come through, events are refused, room brings all back',
  () => {
    const output = inSmallFileSystem();
    expect(JSON.parse(output)).toEqual({
      held: true,
      filled: 'ENOSPC',
      event: 'E_OUTBOX_FULL',
      twin: 'E_STORE_FAILED',
      record: 'ok',
      fault: 'full',
      eventWhileFull: 'E_OUTBOX_FULL',
      recovered: true,
      eventAfter: 'ok',
      twinAfter: 'ok',
      refused: 2,
      kept: 1,
      twinsKept: 1,
    });
  },
);
