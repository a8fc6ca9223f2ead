/** A simulated hub: the real `Hub` over a store and a journal on one simulated disk, reached through the network. */
import { Hub } from '../../cloud/hub/hub.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import { randomHex } from '../../protocol/env.ts';
import { type HubDisk, type HubDiskState, hubDisk, openStore, SimHubJournal } from './hub-disk.ts';
import type { ImageRegistry } from './image-registry.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { Tampering } from './tampering.ts';
import type { Death, Host, Life } from './world.ts';

export interface SimHubParts {
  network: Network;
  images: ImageRegistry;
  observer: Required<Observer>;
  tampering: Tampering;
  /** Connections are accepted from now on. */
  onUp(): void;
  /** Something happened that no fault explains. */
  onFailure(error: unknown): void;
}

/** Init waits so long before it starts a hub again that could not start. */
const RESTART_MS = 5_000;

export class SimHub {
  readonly host: Host;
  readonly disk: HubDisk;
  readonly #parts: SimHubParts;
  hub: Hub | undefined;
  store: ResourceStore | undefined;
  /** The operator's environment at the hub, while it lives. */
  life: Life | undefined;
  #unlisten: () => void = () => {};

  constructor(host: Host, parts: SimHubParts) {
    this.host = host;
    this.#parts = parts;
    this.disk = hubDisk(host.world, host);
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
    this.hub = undefined;
    this.store = undefined;
    this.life = undefined;
    this.#parts.images.forgetHandlers();
  }

  /** An orderly end; the life goes on until `die`. */
  async stop(): Promise<void> {
    const { hub, store } = this;
    this.hub = undefined;
    this.store = undefined;
    await hub?.stop();
    await store?.close();
    this.#unlisten();
  }

  /** A copy of the store, taken while the hub runs. */
  backup(): HubDiskState {
    return this.disk.snapshot();
  }

  /** The store is what it was at the backup, under a new incarnation. Only while the hub is down. */
  restore(backup: HubDiskState): void {
    this.disk.restore({ ...backup, hub: { ...backup.hub, incarnation: '' } });
  }

  async #start(life: Life): Promise<void> {
    const { network, images, observer, tampering, onFailure } = this.#parts;
    const store = openStore(life, this.disk, (changes) => observer.objectsCommitted(changes));
    const plain = new SimHubJournal(this.disk, randomHex(life.random, 16));
    const journal = tampering.hubJournal?.(plain) ?? plain;
    const hub = await Hub.start(
      life,
      { advertise: ['hub:443'] },
      {
        store,
        images: images.port(),
        journal: {
          load: async () => {
            const state = await journal.load();
            observer.hubOpened(this.disk.live);
            return state;
          },
          events: (query) => journal.events(query),
          commit: async (changes) => {
            await journal.commit(changes);
            observer.hubCommitted(changes);
          },
        },
      },
      onFailure,
    );
    this.#unlisten = network.listen(life, (channel, peer) =>
      hub.accept(tampering.accepted?.(channel) ?? channel, peer),
    );
    this.hub = hub;
    this.store = store;
    this.life = life;
    this.#parts.onUp();
  }
}
