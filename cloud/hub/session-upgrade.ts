/** From an HTTP upgrade to a session: only a terminal whose certificate counts now gets a channel. */
import type { TLSSocket } from 'node:tls';
import type { Channel } from '../../protocol/channel.ts';
import { type AppError, type ErrorCode, errorBody, errorTable } from '../../protocol/errors.ts';
import type { WebSocketAcceptor } from '../../protocol/node/websocket.ts';
import type { UpgradeHandler } from '../identity/listener.ts';
import { nodeOf, noNode, type PeerIdentity, type Peers, type ShowingSocket } from '../identity/peer.ts';

export interface SessionDoor {
  acceptor: WebSocketAcceptor;
  peers: Peers;
  accept(channel: Channel, node: string): void;
  /** Somebody came with a certificate that the node's terminal has long replaced. */
  onCopied(node: string): void;
  /** Somebody with a certificate of `node` was turned away. */
  onRefused(node: string, code: ErrorCode): void;
}

export function sessionUpgrade({ acceptor, peers, accept, onCopied, onRefused }: SessionDoor): UpgradeHandler {
  return (request, socket, head, identity) => {
    const admitted = admit({ peers, onCopied }, request.socket as TLSSocket, identity);
    if ('node' in admitted) return acceptor.accept(request, socket, head, (channel) => accept(channel, admitted.node));
    const { refused } = admitted;
    const shown = peers.shownNode(request.socket as TLSSocket);
    if (shown !== undefined) onRefused(shown, refused.code);
    const body = JSON.stringify(errorBody(refused));
    const status = errorTable[refused.code].http;
    socket.end(
      `HTTP/1.1 ${status} Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  };
}

/** Whose session this will be, or why it will be none. `identity`: as `peers` identified the socket. */
export function admit(
  { peers, onCopied }: Pick<SessionDoor, 'peers' | 'onCopied'>,
  socket: ShowingSocket,
  identity: PeerIdentity | undefined,
): { node: string } | { refused: AppError } {
  const node = nodeOf(identity);
  if (node !== undefined) return { node };
  const copied = peers.copiedNode(socket);
  if (copied !== undefined) onCopied(copied);
  return { refused: peers.refusal(socket) ?? noNode() };
}
