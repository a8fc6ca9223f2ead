/** All that the local API offers, made of the terminal that it stands for. */
import type { Env } from '../../protocol/env.ts';
import type { Terminal } from '../terminal.ts';
import { appEvents } from './app-events.ts';
import { EventShares, type Outbox } from './event-shares.ts';
import { kubernetesEndpoint } from './kubernetes-endpoint.ts';
import type { LocalService } from './local-api.ts';
import type { Principals } from './principals.ts';
import { thingsEndpoint } from './things-endpoint.ts';
import { twinSockets } from './twin-socket.ts';
import { twinsEndpoint } from './twins-endpoint.ts';
import type { ViewStore } from './view-store.ts';

export interface LocalServiceParts {
  terminal: Pick<Terminal, 'link' | 'twins' | 'devices' | 'actions'>;
  /** The view, for who reads it as Kubernetes objects. */
  shown: ViewStore;
  store: Outbox;
}

export function localService(
  env: Env,
  { terminal, shown, store }: LocalServiceParts,
  principals: Principals,
): LocalService {
  const { link, twins, devices, actions } = terminal;
  const sockets = twinSockets(env, twins, principals);
  return {
    handlers: [
      appEvents((event, admit) => link.append(event, admit), new EventShares(store)),
      twinsEndpoint(twins, principals),
      thingsEndpoint({ twins, devices, actions }, principals),
      kubernetesEndpoint(env, shown),
    ],
    upgrade: (upgrade) => sockets.upgrade(upgrade),
    unready: () => [],
  };
}
