/** The real channel over loopback keeps the same contract as the simulated one. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Channel } from '../../protocol/channel.ts';
import { SUB_PROTOCOL, WebSocketAcceptor, WebSocketChannel } from '../../protocol/node/websocket.ts';
import { channelContract } from './channel.ts';

/** Loopback has delivered everything by then. */
const QUIET_MS = 300;
const POLL_MS = 5;
const UNTIL_MS = 10_000;

channelContract('the WebSocket channel', async () => {
  const acceptor = new WebSocketAcceptor();
  const accepted: Channel[] = [];
  const server = createServer();
  server.on('upgrade', (request, socket, head) =>
    acceptor.accept(request, socket, head, (channel) => accepted.push(channel)),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const until = async (what: string, holds: () => boolean) => {
    for (let waitedMs = 0; !holds(); waitedMs += POLL_MS) {
      if (waitedMs > UNTIL_MS) throw new Error(`waited ${UNTIL_MS} ms for ${what} in vain`);
      await pause(POLL_MS);
    }
  };
  return {
    connect: async () => {
      const { port } = server.address() as AddressInfo;
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, SUB_PROTOCOL, { perMessageDeflate: false });
      await once(socket, 'open');
      const dialing = new WebSocketChannel(socket);
      await until('the acceptor', () => accepted.length === 1);
      return [dialing, accepted[0]!];
    },
    until,
    quiet: () => pause(QUIET_MS),
    stop: async () => {
      acceptor.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
});
