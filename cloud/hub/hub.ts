/**
 * The hub without its sockets and files: objects in, sessions out. `serve.ts` gives it real ones, the simulator
 * simulated ones.
 */
import type { Channel } from '../../protocol/channel.ts';
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ImagePort } from '../controllers/image-digests.ts';
import { Controllers, type CustomKindsPort } from '../controllers/runner.ts';
import { namespaceKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { applyHubChange, type HubChange, type HubJournal, type HubState } from './hub-state.ts';
import { NodeReports } from './node-reports.ts';
import { Sessions, type SessionsConfig } from './sessions.ts';
import { Views } from './views.ts';

/** There from the first start, as in any cluster. */
const namespaces = ['default', 'kube-system', 'kube-node-lease'];

export interface HubPorts {
  store: ResourceStore;
  journal: HubJournal;
  images: ImagePort;
  customKinds?: CustomKindsPort;
}

export class Hub {
  readonly sessions: Sessions;
  readonly views: Views;
  readonly state: HubState;
  readonly journal: HubJournal;
  readonly #store: ResourceStore;
  readonly #controllers: Controllers;
  readonly #eventListeners = new Set<() => void>();

  private constructor(
    env: Env,
    config: SessionsConfig,
    ports: HubPorts,
    state: HubState,
    onFailure: (error: unknown) => void,
  ) {
    this.#store = ports.store;
    this.state = state;
    // Readers of the state (watermarks at a greeting) see a change once it is durable.
    this.journal = {
      load: () => ports.journal.load(),
      events: (query) => ports.journal.events(query),
      eventRange: () => ports.journal.eventRange(),
      commit: async (changes: readonly HubChange[]) => {
        await ports.journal.commit(changes);
        const told = changes.filter(({ kind }) => kind === 'events');
        for (const change of told) applyHubChange(state, change);
        if (told.length > 0) for (const listener of [...this.#eventListeners]) listener();
      },
    };
    this.views = new Views(env, ports.store, this.journal, state, onFailure);
    const reports = new NodeReports(env, ports.store, this.journal, state);
    this.sessions = new Sessions(env, config, this.views, state, this.journal, reports);
    this.#controllers = new Controllers(env, {
      store: ports.store,
      contacts: this.sessions,
      images: ports.images,
      ...(ports.customKinds === undefined ? {} : { customKinds: ports.customKinds }),
      onFailure,
    });
  }

  /** Loads the state and starts everything; terminals may be accepted once it resolves. */
  static async start(
    env: Env,
    config: SessionsConfig,
    ports: HubPorts,
    onFailure: (error: unknown) => void,
  ): Promise<Hub> {
    const hub = new Hub(env, config, ports, await ports.journal.load(), onFailure);
    for (const name of namespaces) await hub.#ensureNamespace(name);
    await hub.views.start();
    await hub.#controllers.start();
    return hub;
  }

  /** Calls `listener` after events became durable; returns how to end that. */
  readonly onEvents = (listener: () => void): (() => void) => {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  };

  accept(channel: Channel, node: string): void {
    this.sessions.accept(channel, node);
  }

  /** Sessions first, so that nothing new comes in; stores are closed by who opened them. */
  async stop(): Promise<void> {
    await this.sessions.stop();
    await this.#controllers.stop();
    await this.views.stop();
  }

  async #ensureNamespace(name: string): Promise<void> {
    if ((await this.#store.get(namespaceKind, undefined, name)) !== undefined) return;
    const namespace: KubeObject = namespaceKind.defaults({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    try {
      await this.#store.create(namespaceKind, namespace);
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT') throw error;
    }
  }
}
