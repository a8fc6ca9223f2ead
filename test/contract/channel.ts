/**
 * What every `Channel` keeps, simulated or real. A suite for one implementation calls `channelContract` with a
 * harness that makes connected pairs and lets the time of its world pass.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../../protocol/channel.ts';
import { limits } from '../../protocol/limits.ts';

export interface ChannelHarness {
  /** A connected pair without handlers: the dialing side, then the accepting side. */
  connect(): Promise<[Channel, Channel]>;
  /** Lets time pass until `holds()`; rejects, naming `what`, when it takes too long. */
  until(what: string, holds: () => boolean): Promise<void>;
  /** Lets so much time pass that whatever is under way arrives. */
  quiet(): Promise<void>;
  stop(): Promise<void>;
}

/** What one side has seen. */
interface Witness {
  channel: Channel;
  messages: Uint8Array[];
  closes: string[];
  /** `message` and `close`, in the order in which they came. */
  order: string[];
}

export function channelContract(name: string, start: () => Promise<ChannelHarness>): void {
  describe(`${name} keeps the contract of a channel`, () => {
    let harness: ChannelHarness;
    let dialing: Witness;
    let accepting: Witness;

    beforeEach(async () => {
      harness = await start();
      const [first, second] = await harness.connect();
      dialing = witness(first);
      accepting = witness(second);
    });
    afterEach(() => harness.stop());

    const bothClosed = () =>
      harness.until('both sides to hear the close', () => dialing.closes.length > 0 && accepting.closes.length > 0);

    it('delivers messages of all sizes whole and in order, both ways', async () => {
      const sizes = [1, 0, 125, 126, 65_535, 65_536, 3, limits.messageBytesMax, 2];
      const messages = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
      for (const message of messages) {
        expect(dialing.channel.send(message)).toBe(true);
        expect(accepting.channel.send(message)).toBe(true);
      }
      await harness.until('all messages', () =>
        [dialing, accepting].every((side) => side.messages.length >= sizes.length),
      );
      for (const side of [dialing, accepting]) {
        expect(side.messages.map((bytes) => bytes.length)).toEqual(sizes);
        expect(side.messages.every((bytes, index) => bytes.every((byte) => byte === index + 1))).toBe(true);
      }
    });

    it('has nothing buffered once everything has arrived', async () => {
      dialing.channel.send(new Uint8Array(200_000));
      await harness.until('the message', () => accepting.messages.length === 1);
      await harness.quiet();
      expect(dialing.channel.bufferedBytes()).toBe(0);
    });

    it('tells both sides of a close exactly once, and the peer the reason', async () => {
      dialing.channel.close('maintenance');
      await bothClosed();
      await harness.quiet();
      expect(dialing.closes).toHaveLength(1);
      expect(accepting.closes).toEqual(['maintenance']);
    });

    it('takes a reason of any length in any script; the peer hears how it begins', async () => {
      const reason = 'wegen Überfüllung geschlossen — 満員 '.repeat(20);
      dialing.channel.close(reason);
      await bothClosed();
      const heard = accepting.closes[0]!;
      expect(heard.length).toBeGreaterThan(20);
      expect(reason.startsWith(heard)).toBe(true);
    });

    it('delivers what was sent before a close, then the close', async () => {
      for (let index = 0; index < 20; index += 1) accepting.channel.send(new Uint8Array(5_000));
      accepting.channel.close('done');
      await bothClosed();
      expect(dialing.order).toEqual([...Array<string>(20).fill('message'), 'close']);
    });

    it('accepts nothing after close, on either side', async () => {
      dialing.channel.close('done');
      expect(dialing.channel.send(Uint8Array.of(1))).toBe(false);
      await bothClosed();
      expect(accepting.channel.send(Uint8Array.of(1))).toBe(false);
      await harness.quiet();
      expect(accepting.messages).toEqual([]);
    });

    it('delivers nothing to the side that closed', async () => {
      dialing.channel.close('done');
      accepting.channel.send(Uint8Array.of(1));
      await bothClosed();
      await harness.quiet();
      expect(dialing.messages).toEqual([]);
    });

    it('takes a second close, and closes from both sides at once, as one', async () => {
      dialing.channel.close('first');
      dialing.channel.close('second');
      accepting.channel.close('third');
      await bothClosed();
      await harness.quiet();
      expect(dialing.closes).toHaveLength(1);
      expect(accepting.closes).toHaveLength(1);
      dialing.channel.close('late');
      await harness.quiet();
      expect(dialing.closes).toHaveLength(1);
    });
  });
}

function witness(channel: Channel): Witness {
  const seen: Witness = { channel, messages: [], closes: [], order: [] };
  channel.onMessage((bytes) => {
    seen.messages.push(bytes);
    seen.order.push('message');
  });
  channel.onClose((reason) => {
    seen.closes.push(reason);
    seen.order.push('close');
  });
  return seen;
}
