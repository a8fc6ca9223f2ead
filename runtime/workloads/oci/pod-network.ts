/**
 * Addresses and names of the pods of class `oci`; pure. As with loopback addresses, a pod's address follows from its
 * namespace and name where it is free, and its record keeps it, with the MAC, for the pod's life.
 */
import { createHash } from 'node:crypto';
import { AppError } from '../../../protocol/errors.ts';

/** An IPv4 network: its first host is the terminal itself, on the bridge; the others are for pods. */
export interface AddressRange {
  /** The network address as a number, host bits zero. */
  base: number;
  prefixLength: number;
}

/** What a pod keeps, whatever happens to the machine. */
export interface PodAddress {
  podIP: string;
  mac: string;
}

/** Names of one pod's network on this machine. */
export interface NetworkNames {
  /** Named network namespace (`ip netns`). */
  namespace: string;
  /** The bridge's end of the pair; the pod's is `eth0`. At most 15 characters (IFNAMSIZ). */
  link: string;
}

export const podNetworkDefault = '10.213.0.0/16';
const prefixLengthMin = 8;
const prefixLengthMax = 28;

/** Errors: `E_INPUT_INVALID` for what is no IPv4 network of a usable size. */
export function parseRange(text: string): AddressRange {
  const [, address = '', length = ''] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text) ?? [];
  const prefixLength = Number(length);
  const number = numberOf(address);
  const usable = prefixLength >= prefixLengthMin && prefixLength <= prefixLengthMax;
  if (number === undefined || !usable || number % sizeOf(prefixLength) !== 0) {
    const wanted = `a network such as ${podNetworkDefault}, /${prefixLengthMin} to /${prefixLengthMax}`;
    throw new AppError('E_INPUT_INVALID', `${JSON.stringify(text)} is not ${wanted}, with no host bits set`);
  }
  return { base: number, prefixLength };
}

export function rangeText({ base, prefixLength }: AddressRange): string {
  return `${addressOf(base)}/${prefixLength}`;
}

/** The terminal's own address on the bridge: what pods reach it by. */
export function gatewayOf({ base }: AddressRange): string {
  return addressOf(base + 1);
}

/** The bridge's name tells its network, so that two runtimes with different ones do not meet. */
export function bridgeOf({ base }: AddressRange): string {
  return `stile-${base.toString(16).padStart(8, '0')}`;
}

export function inRange(range: AddressRange, address: string): boolean {
  const number = numberOf(address);
  return number !== undefined && number > range.base + 1 && number < range.base + sizeOf(range.prefixLength) - 1;
}

/** The first address that is free, from the one that the name hashes to. `E_POD_START` when all are taken. */
export function chooseNetworkAddress(
  range: AddressRange,
  namespace: string,
  name: string,
  taken: ReadonlySet<string>,
): PodAddress {
  // Not the network itself, the terminal, and the broadcast address.
  const count = sizeOf(range.prefixLength) - 3;
  const start = createHash('sha256').update(`network ${namespace}/${name}`).digest().readUInt32BE(0) % count;
  for (let probe = 0; probe < count; probe += 1) {
    const podIP = addressOf(range.base + 2 + ((start + probe) % count));
    if (!taken.has(podIP)) return { podIP, mac: macOf(podIP) };
  }
  throw new AppError('E_POD_START', `no address of ${rangeText(range)} is left for another pod`);
}

/** Locally administered, and as unique on the bridge as the address that it is made of. */
export function macOf(address: string): string {
  const octets = address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return ['02', '00', ...octets].join(':');
}

/** `owner`: what tells the runtimes of one machine apart, 8 hexadecimal digits. */
export function networkNames(owner: string, uid: string): NetworkNames {
  return namesOf(owner, `${namespacePrefix(owner)}${shortHash(uid, 12)}`);
}

/** The names that go with a namespace of `owner`. */
export function namesOf(owner: string, namespace: string): NetworkNames {
  const pod = namespace.slice(namespacePrefix(owner).length);
  return { namespace, link: `st${owner.slice(0, 4)}${pod.slice(0, 9)}` };
}

/** What the namespaces of one runtime begin with. */
export function namespacePrefix(owner: string): string {
  return `stile-${owner}-`;
}

/** Tells the runtimes of one machine apart by where their data is. */
export function ownerOf(dataDirectory: string): string {
  return shortHash(dataDirectory, 8);
}

/** An interface of the machine, other than the bridge itself, that has addresses of the range; undefined when none has. */
export function overlapping(
  range: AddressRange,
  interfaces: readonly { name: string; address: string; prefixLength: number }[],
): string | undefined {
  const clash = interfaces.find(({ name, address, prefixLength }) => {
    const number = numberOf(address);
    if (name === bridgeOf(range) || number === undefined) return false;
    const size = sizeOf(Math.min(prefixLength, range.prefixLength));
    return Math.floor(number / size) === Math.floor(range.base / size);
  });
  return clash === undefined ? undefined : `${clash.name} (${clash.address}/${clash.prefixLength})`;
}

function sizeOf(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}

function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

function numberOf(address: string): number | undefined {
  const octets = address.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet) || octet < 0 || octet > 255)) {
    return undefined;
  }
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function shortHash(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}
