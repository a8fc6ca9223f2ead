/**
 * One request and its answer over a simulated connection, as HTTPS carries them: either may be lost. What they say
 * goes beside the wire, which carries numbers of one length: signatures in it are of no fixed length and not the same
 * in two runs, and neither time nor trace may depend on them.
 */
import type { Channel } from '../../protocol/channel.ts';
import { AppError, asAppError, type ErrorBody, errorBody } from '../../protocol/errors.ts';
import type { Network } from './network.ts';
import type { Life } from './world.ts';

const ANSWER_MS_MAX = 30_000;

interface Said {
  body?: unknown;
  error?: ErrorBody;
}

/** By network, in the order in which it was said. */
const said = new WeakMap<Network, Said[]>();

/** Asks the hub. Errors: the hub's own by code, `E_LINK_UNREACHABLE` when no answer comes. */
export async function ask(
  network: Network,
  life: Life,
  question: { path: string; body: unknown; certificatePem?: string },
): Promise<unknown> {
  const { path, body, certificatePem } = question;
  const shown = certificatePem === undefined ? { path } : { path, certificatePem };
  const channel = await network.dialer(life, 'hub', () => shown).dial(new AbortController().signal);
  return new Promise((resolve, reject) => {
    const unanswered = () => {
      reject(new AppError('E_LINK_UNREACHABLE', 'the hub did not answer'));
      channel.close('no answer');
    };
    const timer = life.after(ANSWER_MS_MAX, unanswered);
    channel.onClose(() => {
      timer.cancel();
      unanswered();
    });
    channel.onMessage((bytes) => {
      const { body: result, error } = heard(network, bytes);
      if (error === undefined) resolve(result);
      else reject(new AppError(error.code, error.message, retryOf(error)));
    });
    channel.send(spoken(network, { body }));
  });
}

/** Answers what comes over `channel`, once, and closes it. */
export function answer(network: Network, channel: Channel, work: (body: unknown) => Promise<unknown>): void {
  let asked = false;
  channel.onMessage((bytes) => {
    if (asked) return;
    asked = true;
    void work(heard(network, bytes).body)
      .then(
        (body): Said => ({ body }),
        (error: unknown): Said => ({ error: errorBody(asAppError(error, 'E_INTERNAL', 'the request failed')) }),
      )
      .then((reply) => {
        channel.send(spoken(network, reply));
        channel.close('answered');
      });
  });
}

/** Whether the hub grants what was asked for; undefined for what is no answer. */
export function granted(bytes: Uint8Array): boolean | undefined {
  return bytes[0] === SPOKEN ? bytes[1] === 0 : undefined;
}

/** No message of the protocol begins with this byte: they are arrays. */
const SPOKEN = 0x7b;

function spoken(network: Network, what: Said): Uint8Array {
  const all = said.get(network) ?? [];
  said.set(network, all);
  all.push(what);
  const bytes = Buffer.alloc(400);
  bytes[0] = SPOKEN;
  bytes[1] = what.error === undefined ? 0 : 1;
  bytes.writeUInt32BE(all.length - 1, 2);
  return bytes;
}

function heard(network: Network, bytes: Uint8Array): Said {
  return said.get(network)![Buffer.from(bytes).readUInt32BE(2)]!;
}

function retryOf({ retryAfterMs }: ErrorBody): { retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}
