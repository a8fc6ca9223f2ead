/** L1: after an orderly stop the world is quiet: no event to come, no channel, no commit under way, no process. */
import type { Fleet } from '../fleet.ts';
import type { Verdicts } from './verdicts.ts';

export function checkQuiet(fleet: Fleet, verdicts: Verdicts): void {
  const { world, network, hub, nodes } = fleet;
  const none = (what: () => string, count: number) => verdicts.check('L1', count === 0, () => `${count} ${what()}`);
  for (const { host, disk } of [hub, ...nodes]) {
    none(() => `timers left at ${host.name}`, host.pending());
    none(() => `channels left at ${host.name}`, network.openChannels(host.name));
    none(() => `commits under way at ${host.name}`, disk.unsynced);
    if (disk.unsynced === 0) disk.assertSame();
  }
  for (const { name, processes } of nodes) none(() => `processes left at ${name}`, processes.living().length);
  none(() => 'events to come', world.pending);
}
