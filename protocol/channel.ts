import type { Validity } from './validity.ts';

/** A connection as the sessions see it: whole messages, in order, until it closes. */
export interface Channel {
  /** False when the bytes were not accepted because the channel is closed. */
  send(bytes: Uint8Array): boolean;
  /** Bytes handed over and not yet on the wire. */
  bufferedBytes(): number;
  /** At most one handler; set it before the first await after getting the channel. */
  onMessage(handler: (bytes: Uint8Array) => void): void;
  /** Fires once, also after `close`. */
  onClose(handler: (reason: string) => void): void;
  close(reason: string): void;
  /** The dates of the peer's certificate, where there is one and it is not yet known what time it is. */
  readonly peerValidity?: Validity;
}

/** Makes the one outbound connection. */
export interface Dialer {
  /** Errors: `E_LINK_UNREACHABLE`, `E_IDENTITY_UNTRUSTED`, `E_IDENTITY_REFUSED`. */
  dial(signal: AbortSignal): Promise<Channel>;
}
