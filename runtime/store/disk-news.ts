/**
 * What the Node says of a store that refuses events: why, and how many. Level-based: it looks at the state each few
 * seconds, and tells when that is news.
 */
import type { Env } from '../../protocol/env.ts';
import type { Condition } from '../../protocol/kubernetes.ts';
import type { DiskFault } from '../../protocol/node/sqlite.ts';
import { untilAborted } from '../../protocol/scope.ts';

/** Between two looks. */
export const DISK_LOOK_MS = 5_000;

export interface StoreHealth {
  /** What keeps the disk from being written. */
  readonly fault: DiskFault | undefined;
  /** Events refused since the start of the program, whatever for. */
  readonly refusedEvents: number;
  /** The quota of undelivered events is reached. */
  readonly outboxFull: boolean;
}

export interface DiskNewsPorts {
  health(): StoreHealth;
  tell(condition: Condition): void;
  /** Once events are taken again: what was missed. */
  report(reason: string, message: string): void;
}

type Trouble = 'DiskFull' | 'DiskUnwritable' | 'OutboxFull';

const sentences: Readonly<Record<Trouble, string>> = {
  DiskFull: 'the disk is full: make room on it. Records of pods are kept in a reserve, events are refused',
  DiskUnwritable:
    'the disk cannot be written: pods go on, nothing about them is kept and none is started. Look at the log of the kernel, repair or replace the disk',
  OutboxFull: 'as many events wait for the hub as the quota allows: new ones are refused',
};

/** Looks and tells until `signal` aborts. */
export async function tellDiskNews(env: Env, ports: DiskNewsPorts, signal: AbortSignal): Promise<void> {
  let known: { trouble: Trouble | undefined; refused: number; sinceIso: string } | undefined;
  /** When the trouble began. */
  let refusedBefore = 0;
  await untilAborted(signal, async () => {
    for (;;) {
      const health = ports.health();
      const trouble = troubleOf(health);
      if (trouble !== undefined && known?.trouble === undefined) refusedBefore = known?.refused ?? 0;
      if (trouble === undefined && known?.trouble !== undefined && health.refusedEvents > refusedBefore)
        ports.report('EventsRefused', refusals(health.refusedEvents - refusedBefore, known.trouble));
      const changed = known === undefined ? trouble !== undefined : trouble !== known.trouble;
      if (changed || (trouble !== undefined && health.refusedEvents !== known?.refused)) {
        const sinceIso = changed ? new Date(env.clock.now()).toISOString() : known!.sinceIso;
        known = { trouble, refused: health.refusedEvents, sinceIso };
        ports.tell(storeCondition(trouble, health.refusedEvents, sinceIso));
      }
      await env.clock.sleep(DISK_LOOK_MS, signal);
    }
  });
}

/** `refused`: events since the start of the program. */
export function storeCondition(trouble: Trouble | undefined, refused: number, sinceIso: string): Condition {
  const count = `${refused} ${refused === 1 ? 'event was' : 'events were'} refused since the runtime started.`;
  return {
    type: 'StoreDegraded',
    status: trouble === undefined ? 'False' : 'True',
    reason: trouble ?? 'Writable',
    message: `${trouble === undefined ? 'the disk can be written' : sentences[trouble]}. ${count}`,
    lastTransitionTime: sinceIso.replace(/\.\d+Z$/, 'Z'),
  };
}

function troubleOf({ fault, outboxFull }: StoreHealth): Trouble | undefined {
  if (fault === 'unwritable') return 'DiskUnwritable';
  if (fault === 'full') return 'DiskFull';
  return outboxFull ? 'OutboxFull' : undefined;
}

function refusals(count: number, trouble: Trouble): string {
  return `${count} ${count === 1 ? 'event was' : 'events were'} refused and ${count === 1 ? 'is' : 'are'} lost: ${sentences[trouble]}. Events are taken again.`;
}
