/** Deliberately broken variants of the parts, to see that the checkers notice. A correct run has none of these. */
import type { HubJournal } from '../../cloud/hub/hub-state.ts';
import type { Channel } from '../../protocol/channel.ts';
import type { Env } from '../../protocol/env.ts';
import type { NodeJournal } from '../../runtime/store/node-state.ts';
import type { Processes } from '../../runtime/workloads/ports.ts';
import type { SimNode } from './sim-node.ts';

export interface Tampering {
  nodeEnv?(env: Env): Env;
  nodeJournal?(journal: NodeJournal): NodeJournal;
  processes?(processes: Processes): Processes;
  /** The hub's end of a connection. */
  accepted?(channel: Channel): Channel;
  hubJournal?(journal: HubJournal): HubJournal;
  /** After the death of a terminal, before its next life. */
  died?(node: SimNode): void;
  started?(node: SimNode): void;
}
