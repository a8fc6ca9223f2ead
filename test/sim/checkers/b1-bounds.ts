/** B1: what waits anywhere stays within the bounds of `protocol/limits.ts`. Looked at from time to time. */
import { INBOX_MESSAGES_MAX } from '../../../protocol/inbox.ts';
import { limits } from '../../../protocol/limits.ts';
import type { Fleet } from '../fleet.ts';
import type { Verdicts } from './verdicts.ts';

/** The bound stops the sender before a message, which may then be the largest there is. */
const SEND_BUFFER_BYTES_MAX = limits.sendBufferBytesMax + limits.messageBytesMax;

export function checkBounds(fleet: Fleet, verdicts: Verdicts): void {
  const within = (what: () => string, size: number, max: number) =>
    verdicts.check('B1', size <= max, () => `${what()}: ${size} is above ${max}`);
  const fullest = fleet.network.fullestEnd();
  // The channel itself is asked: a session may be told something else.
  if (fullest !== undefined)
    within(() => `send buffer from ${fullest.from} to ${fullest.to}`, fullest.bufferedBytes(), SEND_BUFFER_BYTES_MAX);
  for (const { node, inboxMessages } of fleet.hub.hub?.sessions.queues() ?? [])
    within(() => `inbox of the session with ${node}`, inboxMessages, INBOX_MESSAGES_MAX);
  for (const { name, store, terminal } of fleet.nodes) {
    if (store === undefined || terminal === undefined) continue;
    within(() => `outbox of ${name}`, store.pendingEvents, limits.outboxEventsMax);
    within(() => `state keys of ${name}`, terminal.link.stateKeys, limits.stateKeysMax);
    within(() => `sections of ${name}`, store.state.sections.size, limits.sectionsPerNodeMax);
    for (const { source } of fleet.hub.hub?.views.sectionsOf(name) ?? [])
      within(() => `log of section ${source.uid}`, source.logEntries, limits.sectionLogEntriesMax);
  }
}
