/** From an HTTP upgrade to a session: only a terminal whose certificate counts now gets a channel. */
import type { Channel } from '../../protocol/channel.ts';
import { AppError, errorBody, errorTable } from '../../protocol/errors.ts';
import type { WebSocketAcceptor } from '../../protocol/node/websocket.ts';
import type { UpgradeHandler } from '../identity/listener.ts';
import { nodeOf } from '../identity/peer.ts';

export function sessionUpgrade(
  acceptor: WebSocketAcceptor,
  accept: (channel: Channel, node: string) => void,
): UpgradeHandler {
  return (request, socket, head, identity) => {
    const node = nodeOf(identity);
    if (node !== undefined) return acceptor.accept(request, socket, head, (channel) => accept(channel, node));
    const refused = new AppError(
      'E_IDENTITY_REFUSED',
      'the certificate of this terminal is not accepted (revoked, replaced or expired): enrol it again with a token',
    );
    const body = JSON.stringify(errorBody(refused));
    const status = errorTable[refused.code].http;
    socket.end(
      `HTTP/1.1 ${status} Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  };
}
