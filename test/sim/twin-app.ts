/**
 * What the app of a simulated terminal does with twins: it reports and changes desired, durably and fast, of every twin
 * that is left to apps. Values are texts that never come twice, so that a checker knows which write they are of.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import type { SectionName } from '../../protocol/twin/document.ts';
import type { TwinRecord } from '../../protocol/twin/node-twin.ts';
import type { NodeStore } from '../../runtime/store/node-store.ts';
import type { Terminal } from '../../runtime/terminal.ts';
import type { WriteOptions } from '../../runtime/twins/twins.ts';
import type { Observer } from './observer.ts';
import type { SimRandom } from './random.ts';
import { drivenDevices } from './twin-devices.ts';
import type { Life } from './world.ts';

/** A write of one member of desired on a terminal. */
export interface LocalWrite {
  twin: string;
  member: string;
  value: string;
  /** Of the twin before the write, as it was durable; undefined: it was new. */
  record: TwinRecord | undefined;
  durable: boolean;
}

export interface TwinAppParts {
  life: Life;
  host: string;
  terminal: Pick<Terminal, 'twins'>;
  store: Pick<NodeStore, 'state'>;
  random: SimRandom;
  observer: Required<Observer>;
  onFailure(error: unknown): void;
  /** False: the app lets everything come to rest. */
  busy(): boolean;
  /** Mean time between two bursts of writes. */
  writeEveryMs: number;
}

/** Members that the app and the operator both write, which nobody at a terminal removes. */
export const sharedMembers = ['mode', 'limit', 'colour'] as const;
/** The member that takes all shapes. */
export const SHAPE = 'shape';
const BURST_MAX = 6;
const DURABLE_RATE = 0.5;

/** What an app must be ready to hear: the disk is full, somebody else wrote, the twin was deleted. */
const refusals: ReadonlySet<string> = new Set(['E_STORE_FAILED', 'E_PRECONDITION', 'E_NOT_FOUND']);

/** Goes on for the whole life of the runtime, or until the answered function is called. */
export function runTwinApp(parts: TwinAppParts): () => void {
  const { life, host, terminal, random, observer, writeEveryMs } = parts;
  const { twins } = terminal;
  for (const id of twins.list()) observer.twinShown(host, id, twins.get(id)!);
  twins.onChange(({ id, sequence, next }) => {
    if (next !== undefined) observer.twinShown(host, id, { sequence, document: next });
  });
  let count = 0;
  const write = () => {
    next = life.after(random.between(0, 2 * writeEveryMs), write);
    if (!parts.busy()) return;
    const ids = twins.list().filter((id) => !drivenDevices.has(id));
    for (let burst = random.integer(1, BURST_MAX); burst > 0; burst -= 1) {
      count += 1;
      void writeOnce(parts, random.pick(ids), `${host}/${life.number}/${count}`);
    }
  };
  let next = life.after(random.between(0, 2 * writeEveryMs), write);
  return () => next.cancel();
}

async function writeOnce(parts: TwinAppParts, id: string, value: string): Promise<void> {
  const { host, terminal, store, random, observer, onFailure } = parts;
  const durable = random.chance(DURABLE_RATE);
  const options: WriteOptions = { durable };
  if (random.chance(0.1)) options.ifMatch = terminal.twins.get(id)!.sequence;
  const member = random.pick(sharedMembers);
  const properties = drawnPatch(random, member, value);
  const isDesired = properties.desired?.[member] === value;
  const write: LocalWrite = { twin: id, member, value, record: store.state.twins.get(id), durable };
  if (isDesired) observer.twinWriteAsked(host, write);
  try {
    const { sequence } = await terminal.twins.patch(id, { properties }, options);
    observer.twinWritten(host, write, sequence);
  } catch (error) {
    if (!refusals.has(codeOf(error))) onFailure(error);
    observer.twinWriteRefused(host, write);
  }
}

function drawnPatch(
  random: SimRandom,
  member: string,
  value: string,
): Partial<Record<SectionName, Record<string, Json>>> {
  const reported = { [member]: value, count: random.integer(0, 9) };
  switch (random.integer(0, 4)) {
    case 0:
      return { desired: { [member]: value } };
    case 1:
      return { desired: { [member]: value }, reported };
    case 2:
      return { desired: { [SHAPE]: drawnShape(random, value) } };
    case 3:
      return { reported: { [SHAPE]: drawnShape(random, value) } };
    default:
      return { reported };
  }
}

/** A leaf, an object with some members, a list, or nothing: for merges of everything with everything. */
export function drawnShape(random: SimRandom, value: string): Json {
  switch (random.integer(0, 4)) {
    case 0:
      return null;
    case 1:
      return [value];
    case 2:
      return { [random.pick(['a', 'b'])]: { c: value } };
    case 3:
      return { [random.pick(['a', 'b', 'c'])]: random.chance(0.3) ? null : value };
    default:
      return value;
  }
}
