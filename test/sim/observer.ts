/** What the simulated parts tell the checkers: durable facts and acts on processes, in the order in which they are. */
import type { HubChange } from '../../cloud/hub/hub-state.ts';
import type { NodeCertificatePem } from '../../cloud/identity/authority.ts';
import type { Change } from '../../protocol/resources/store/change-log.ts';
import type { NodeChange, NodeState } from '../../runtime/store/node-state.ts';
import type { TwinView } from '../../runtime/twins/twins.ts';
import type { SpawnRequest } from '../../runtime/workloads/ports.ts';
import type { HubDiskState } from './hub-disk.ts';
import type { SimProcess } from './processes.ts';
import type { LocalWrite } from './twin-app.ts';

export type Issued = Pick<NodeCertificatePem, 'serial' | 'issuedMs'>;

export interface Observer {
  /** A life of the terminal begins with this state. */
  nodeOpened?(node: string, state: NodeState): void;
  /** Durable now. */
  nodeCommitted?(node: string, changes: readonly NodeChange[]): void;
  /** The terminal has a new, empty disk. */
  nodeDiskLost?(node: string): void;
  /**
   * The terminal's store was given up: it goes on with `state`, of its last good copy, or with a new one. What runs
   * there meanwhile is `living`.
   */
  nodeStoreReplaced?(node: string, state: NodeState | undefined, living: readonly SimProcess[]): void;
  /** A life of the terminal begins as the holder of this certificate, or holds it from now on. */
  identityHeld?(node: string, certificatePem: string): void;
  /** The directory of the terminal's identity was emptied: it joins anew. */
  identityForgotten?(node: string): void;
  /** Somebody else has the files of this node's identity now. */
  identityCopied?(node: string): void;
  /** A certificate was signed. */
  certificateIssued?(node: string, certificate: Issued): void;
  /** Durable now: the name belongs to whoever has this certificate, and to nobody else. */
  nodeEnrolled?(node: string, serial: string): void;
  /** Durable now: no certificate of before counts. */
  nodeRevoked?(node: string, revokedMs: number): void;
  /** The hub takes the identity for copied. */
  nodeSuspended?(node: string): void;
  /** The hub sends something to whoever showed the certificate of that number. */
  hubSent?(serial: string, bytes: Uint8Array): void;
  /** The hub's store is an older one, or a new one, before its next life. */
  hubStoreReplaced?(state: HubDiskState): void;
  /** A life of the hub begins with this state. */
  hubOpened?(state: HubDiskState): void;
  /** Durable now. */
  hubCommitted?(changes: readonly HubChange[]): void;
  /** Durable now. */
  objectsCommitted?(changes: readonly Change[]): void;
  /** A child is about to start beside those that live. */
  spawning?(node: string, request: SpawnRequest, living: readonly SimProcess[]): void;
  /** The runtime ends a process that lives, by a signal or a sweep. */
  ending?(node: string, process: SimProcess): void;
  /** The app on the terminal asks for an event to be kept. */
  eventAsked?(node: string, epoch: string, id: string): void;
  /** The terminal answered that it is. */
  eventKept?(node: string, epoch: string, seq: number, id: string): void;
  /** Whoever observes the twin on the terminal sees it so from now on. */
  twinShown?(node: string, twin: string, view: TwinView): void;
  /** The app on the terminal changes desired. */
  twinWriteAsked?(node: string, write: LocalWrite): void;
  /** It was answered, with this sequence; also for writes of other members and sections. */
  twinWritten?(node: string, write: LocalWrite, sequence: number): void;
  twinWriteRefused?(node: string, write: LocalWrite): void;
  /** A device did what an action with that text asked for. */
  actionTaken?(node: string, token: string): void;
}

/** Tells all of `observers`; each hears only what it has a member for. */
export function tellAll(observers: readonly Observer[]): Required<Observer> {
  return new Proxy({} as Required<Observer>, {
    get:
      (_target, name) =>
      (...facts: unknown[]) => {
        for (const observer of observers) {
          const hear = observer[name as keyof Observer] as ((...facts: unknown[]) => void) | undefined;
          hear?.apply(observer, facts);
        }
      },
  });
}
