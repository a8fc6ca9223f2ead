/** Deliberately broken variants of the parts, to see that the checkers notice. A correct run has none of these. */
import type { HubJournal } from '../../cloud/hub/hub-state.ts';
import type { NodeDecisions } from '../../cloud/hub/node-decisions.ts';
import type { Roster } from '../../cloud/identity/roster.ts';
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
  /** What the hub does about decisions. */
  decisions?(decisions: NodeDecisions): NodeDecisions;
  /** Whether a terminal that greets is taken for a copy. */
  suspects?(): boolean;
  /** What the hub thinks certificates count for. */
  roster?(roster: Roster): Roster;
  /** After the death of a terminal, before its next life. */
  died?(node: SimNode): void;
  started?(node: SimNode): void;
}
