/** The part of V8's heap in which objects begin. An adapter: it sets a flag of the engine. */
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the young generation at the size that it starts with, 2 MiB. V8 doubles it again and again as a program goes
 * on, to 128 MiB on a machine of 64 bit, and fills it before it looks for garbage: on a terminal that is memory for
 * nothing, for few of our objects live longer than a message. To be called before much was made. Of the flags for it,
 * only the factor is looked at each time; the maximum must be on the command line, which a packed executable has not.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
