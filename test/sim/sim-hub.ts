/**
 * A simulated hub: the real `Hub` and the real desk of identities over one simulated disk, reached through the network.
 * In the place of TLS the network says which certificate was shown; it is read and judged as the real one. The
 * authority's key outlives the disk, as `pki/` in a backup does.
 */
import { X509Certificate } from 'node:crypto';
import { Hub } from '../../cloud/hub/hub.ts';
import { nodeDecisions } from '../../cloud/hub/node-decisions.ts';
import { admit } from '../../cloud/hub/session-upgrade.ts';
import { type IdentityDesk, openIdentityDesk } from '../../cloud/identity/identity-desk.ts';
import type { IdentityStore } from '../../cloud/identity/identity-store.ts';
import { Peers, type ShowingSocket } from '../../cloud/identity/peer.ts';
import { Roster } from '../../cloud/identity/roster.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import type { Channel } from '../../protocol/channel.ts';
import { readEnrolRequest } from '../../protocol/enrolment.ts';
import { randomHex } from '../../protocol/env.ts';
import { readRenewRequest } from '../../protocol/renewal.ts';
import { answer } from './exchange.ts';
import { type HubDisk, type HubDiskState, hubDisk, openStore, SimHubJournal, simIdentityStore } from './hub-disk.ts';
import type { ImageRegistry } from './image-registry.ts';
import type { Caller, Network } from './network.ts';
import type { Observer } from './observer.ts';
import { SimAuthority } from './sim-authority.ts';
import type { Tampering } from './tampering.ts';
import type { Death, Host, Life } from './world.ts';

export interface SimHubParts {
  network: Network;
  images: ImageRegistry;
  observer: Required<Observer>;
  tampering: Tampering;
  /** Of a terminal's certificate. */
  certificateLifeMs: number;
  /** Connections are accepted from now on. */
  onUp(): void;
  /** Something happened that no fault explains. */
  onFailure(error: unknown): void;
}

/** Init waits so long before it starts a hub again that could not start. */
const RESTART_MS = 5_000;
const ADVERTISED = ['hub:443'];

export class SimHub {
  readonly host: Host;
  readonly disk: HubDisk;
  readonly #parts: SimHubParts;
  readonly #authority: SimAuthority;
  /** How often the store was lost or restored. */
  storesReplaced = 0;
  hub: Hub | undefined;
  store: ResourceStore | undefined;
  desk: IdentityDesk | undefined;
  roster: Roster | undefined;
  /** The operator's environment at the hub, while it lives. */
  life: Life | undefined;
  #unlisten: () => void = () => {};
  /** What stands open at the door, with what it was opened by. */
  readonly #sockets = new Map<Channel, ShowingSocket>();
  readonly #certificates = new Map<string, X509Certificate>();

  constructor(host: Host, parts: SimHubParts) {
    this.host = host;
    this.#parts = parts;
    this.disk = hubDisk(host.world, host);
    this.#authority = new SimAuthority({
      random: host.world.random.fork('authority'),
      now: () => host.wall.now(),
      lifeMs: parts.certificateLifeMs,
      onIssued: (node, certificate) => parts.observer.certificateIssued(node, certificate),
    });
  }

  /** True when connections are accepted. */
  get up(): boolean {
    return this.hub !== undefined;
  }

  /** The next life; resolves when terminals are accepted. Never rejects: init starts a hub again that ended. */
  async boot(): Promise<void> {
    const life = this.host.boot();
    try {
      await this.#start(life);
    } catch (error) {
      life.log.warn('hub ended at its start', { err: error });
      this.die('crash');
      this.host.world.schedule(this.host.world.nowMs + RESTART_MS, () => {
        if (this.host.life === undefined) void this.boot();
      });
    }
  }

  die(death: Death): void {
    this.host.die(death);
    this.#forget();
    this.#sockets.clear();
    this.#parts.images.forgetHandlers();
  }

  /** An orderly end; the life goes on until `die`. */
  async stop(): Promise<void> {
    const { hub, store, desk } = this;
    this.#forget();
    this.#unlisten();
    await hub?.sessions.stop();
    await desk?.stop();
    await hub?.stop();
    await store?.close();
    for (const channel of this.#sockets.keys()) channel.close('the hub stops');
  }

  /** A copy of the store, taken while the hub runs. */
  backup(): HubDiskState {
    return this.disk.snapshot();
  }

  /** The store is what it was at the backup, under a new incarnation. Only while the hub is down. */
  restore(backup: HubDiskState): void {
    this.disk.restore({ ...backup, hub: { ...backup.hub, incarnation: '' } });
    this.storesReplaced += 1;
    this.#parts.observer.hubStoreReplaced(this.disk.live);
  }

  /** The store is gone. Only while the hub is down. */
  loseStore(): void {
    this.disk.lose();
    this.storesReplaced += 1;
    this.#parts.observer.hubStoreReplaced(this.disk.live);
  }

  #forget(): void {
    this.hub = undefined;
    this.store = undefined;
    this.desk = undefined;
    this.roster = undefined;
    this.life = undefined;
  }

  async #start(life: Life): Promise<void> {
    const { network, images, observer, tampering, onFailure } = this.#parts;
    const store = openStore(life, this.disk, (changes) => observer.objectsCommitted(changes));
    const suspicions = { hear: (_node: string, _evidence: string) => {} };
    const hub = await Hub.start(
      life,
      { advertise: ADVERTISED, onCopied: (node, evidence) => suspicions.hear(node, evidence) },
      { store, images: images.port(), journal: this.#journal(life) },
      onFailure,
    );
    const identities = this.#identities();
    const loaded = await Roster.load(identities);
    const roster = tampering.roster?.(loaded) ?? loaded;
    const peers = new Peers(life.clock, this.#authority.certificatePem, roster);
    const listener = { handle: () => {}, dropRevoked: (node: string) => this.#dropRevoked(peers, node) };
    const decisions = nodeDecisions(life, store, hub.sessions, listener);
    const desk = openIdentityDesk(life, {
      authority: this.#authority,
      store: identities,
      roster,
      peers,
      listener,
      destinations: () => ADVERTISED,
      ...(tampering.decisions?.(decisions) ?? decisions),
    });
    if (tampering.suspects?.())
      hub.sessions.onContact((node) => desk.identities.suspect(node, 'It came, and that is suspicious'));
    suspicions.hear = (node, evidence) => desk.identities.suspect(node, evidence);
    this.#unlisten = network.listen(life, (channel, caller) => this.#accept({ hub, desk, peers }, channel, caller));
    Object.assign(this, { hub, store, desk, roster, life });
    this.#parts.onUp();
  }

  #journal(life: Life) {
    const { observer, tampering } = this.#parts;
    const plain = new SimHubJournal(this.disk, randomHex(life.random, 16));
    const journal = tampering.hubJournal?.(plain) ?? plain;
    return {
      load: async () => {
        const state = await journal.load();
        observer.hubOpened(this.disk.live);
        return state;
      },
      events: (query: Parameters<typeof journal.events>[0]) => journal.events(query),
      eventRange: () => journal.eventRange(),
      commit: async (changes: Parameters<typeof journal.commit>[0]) => {
        await journal.commit(changes);
        observer.hubCommitted(changes);
      },
    };
  }

  /** Tells what became durable, before anybody acts on it. */
  #identities(): IdentityStore {
    const { observer } = this.#parts;
    const store = simIdentityStore(this.disk);
    const { enrol, revokeNode, suspendNode } = store;
    return Object.assign(store, {
      enrol: async (enrolment: Parameters<typeof enrol>[0]) => {
        const result = await enrol.call(store, enrolment);
        const { node, serial } = enrolment.certificate;
        if (result === 'enrolled') observer.nodeEnrolled(node, serial);
        return result;
      },
      revokeNode: async (node: string, nowMs: number) => {
        await revokeNode.call(store, node, nowMs);
        observer.nodeRevoked(node, nowMs);
      },
      suspendNode: async (node: string, nowMs: number | undefined) => {
        await suspendNode.call(store, node, nowMs);
        if (nowMs !== undefined) observer.nodeSuspended(node);
      },
    });
  }

  #accept({ hub, desk, peers }: Behind, channel: Channel, { path, certificatePem }: Caller): void {
    const certificate = certificatePem === undefined ? undefined : this.#read(certificatePem);
    const socket: ShowingSocket = { getPeerX509Certificate: () => certificate };
    const identity = peers.identify(socket);
    const kept = this.#keep(channel, socket, certificate?.serialNumber);
    if (path !== undefined) {
      answer(this.#parts.network, kept, (body) => this.#request({ desk, peers }, path, body, socket));
      return;
    }
    const onCopied = (node: string) =>
      desk.identities.suspect(node, 'A certificate that its terminal has long replaced was shown');
    const admitted = admit({ peers, onCopied }, socket, identity);
    if ('refused' in admitted) {
      this.#sockets.delete(kept);
      throw admitted.refused;
    }
    hub.accept(this.#parts.tampering.accepted?.(kept) ?? kept, admitted.node);
  }

  async #request(
    { desk, peers }: Omit<Behind, 'hub'>,
    path: string,
    body: unknown,
    socket: ShowingSocket,
  ): Promise<unknown> {
    if (path === 'ca') return this.#authority.certificatePem;
    if (path === 'enrol') return desk.enrolments.enrol(readEnrolRequest(body));
    return desk.renewals.renew(peers.renewable(socket), readRenewRequest(body));
  }

  /** As the listener does: what was opened with a certificate that counts no more is cut. */
  #dropRevoked(peers: Peers, node: string): void {
    for (const [channel, socket] of [...this.#sockets])
      if (peers.shownNode(socket) === node && peers.identify(socket) === undefined) channel.close('revoked');
  }

  /** The channel as its users see it, known as long as it is open. */
  #keep(channel: Channel, socket: ShowingSocket, serial: string | undefined): Channel {
    const { observer } = this.#parts;
    const kept: Channel = {
      send: (bytes) => {
        if (serial !== undefined) observer.hubSent(serial, bytes);
        return channel.send(bytes);
      },
      bufferedBytes: () => channel.bufferedBytes(),
      onMessage: (handler) => channel.onMessage(handler),
      onClose: (handler) => {
        onClose = handler;
        if (closed !== undefined) handler(closed);
      },
      close: (reason) => channel.close(reason),
    };
    let onClose: (reason: string) => void = () => {};
    let closed: string | undefined;
    channel.onClose((reason) => {
      closed = reason;
      this.#sockets.delete(kept);
      onClose(reason);
    });
    this.#sockets.set(kept, socket);
    return kept;
  }

  /** Reading one takes as long as all else of an event together. */
  #read(certificatePem: string): X509Certificate {
    const certificate = this.#certificates.get(certificatePem) ?? new X509Certificate(certificatePem);
    this.#certificates.set(certificatePem, certificate);
    return certificate;
  }
}

interface Behind {
  hub: Hub;
  desk: IdentityDesk;
  peers: Peers;
}
