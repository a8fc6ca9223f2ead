/**
 * A terminal and a hub of a newer minor version, as an older one meets them: a higher `versionMax`, fields appended to
 * known messages, kinds that nobody knew. And a terminal that is too new for this hub. Done to the bytes, between a
 * session and its channel, so that both real ends stay what they are.
 */
import type { Channel } from '../../protocol/channel.ts';
import { channels, messages } from '../../protocol/messages.ts';
import { decode, encode } from '../../protocol/msgpack.ts';
import { versionMax } from '../../protocol/version.ts';
import type { SimRandom } from './random.ts';
import type { Dialect } from './sim-node.ts';

const HEAD = 3;
const UNKNOWN_KIND = 900;
const APPEND_RATE = 0.3;
const UNKNOWN_RATE = 0.1;

export function speakNewer(channel: Channel, dialect: Dialect, random: SimRandom): Channel {
  if (dialect === 'current') return channel;
  const unknown = () => encode([random.pick([0, 1, 2]), 0, UNKNOWN_KIND, { later: random.integer(0, 9) }]);
  return {
    send: (bytes) => {
      if (dialect === 'newer-minor' && random.chance(UNKNOWN_RATE)) channel.send(unknown());
      return channel.send(withVersions(dialect, extended(bytes, random)));
    },
    bufferedBytes: () => channel.bufferedBytes(),
    onMessage: (handler) =>
      channel.onMessage((bytes) => {
        if (random.chance(UNKNOWN_RATE)) handler(unknown());
        handler(extended(bytes, random));
      }),
    onClose: (handler) => channel.onClose(handler),
    close: (reason) => channel.close(reason),
  };
}

/** The message with a field that this version does not have; not `hello`, whose versions come after. */
function extended(bytes: Uint8Array, random: SimRandom): Uint8Array {
  if (!random.chance(APPEND_RATE)) return bytes;
  return encode([...(decode(bytes) as unknown[]), 'appended later']);
}

/** Changes the versions that a hello names. Also used to lie about them. */
export function withVersions(dialect: Dialect, bytes: Uint8Array, min?: number): Uint8Array {
  const { channel, kind } = messages.hello;
  const frame = decode(bytes) as unknown[];
  if (frame[0] !== channels[channel] || frame[2] !== kind) return bytes;
  if (min !== undefined) frame[HEAD] = min;
  else if (dialect === 'unsupported') frame[HEAD] = versionMax + 1;
  frame[HEAD + 1] = versionMax + 1;
  return encode(frame);
}
