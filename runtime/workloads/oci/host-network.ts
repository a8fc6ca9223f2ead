/** Networks of pods on this machine. An adapter: it calls `ip` and reads /sys and /run/netns. */
import { spawn } from 'node:child_process';
import { readdir, readlink, stat, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { basename, join } from 'node:path';
import { AppError } from '../../../protocol/errors.ts';
import type { PodNetworks } from '../ports.ts';
import { type IpBatch, type NetworkObservation, planNetwork, removalLines } from './network-plan.ts';
import {
  type AddressRange,
  bridgeOf,
  gatewayOf,
  type NetworkNames,
  namesOf,
  namespacePrefix,
  networkNames,
  type PodAddress,
} from './pod-network.ts';

export interface HostNetworkConfig {
  /** Absolute path of iproute2's `ip`. */
  ip: string;
  range: AddressRange;
  /** Tells the runtimes of this machine apart; 8 hexadecimal digits. */
  owner: string;
}

/** Where `ip netns` keeps its names. */
export const namespaceDirectory = '/run/netns';
/** File system of namespaces (NSFS_MAGIC of linux/magic.h): a name that is no mount of it names nothing. */
const nsfsMagic = 0x6e736673;
const commandMsMax = 20_000;
const errorBytesMax = 500;

export class HostNetwork implements PodNetworks {
  readonly range: AddressRange;
  readonly #config: HostNetworkConfig;
  /** One change at a time: two pods must not both make the bridge. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(config: HostNetworkConfig) {
    this.#config = config;
    this.range = config.range;
  }

  namespacePath(uid: string): string {
    return join(namespaceDirectory, this.#names(uid).namespace);
  }

  ensure(uid: string, address: PodAddress): Promise<{ made: boolean }> {
    return this.#inTurn(async () => {
      const names = this.#names(uid);
      const { batches, made } = planNetwork(this.range, names, address, await this.#observe(names));
      for (const batch of batches) await this.#run(batch);
      return { made };
    });
  }

  async intact(uid: string): Promise<boolean> {
    const { bridge, namespace, link } = await this.#observe(this.#names(uid));
    return bridge.addressed && namespace === 'there' && link.onBridge;
  }

  remove(uid: string): Promise<void> {
    return this.#inTurn(() => this.#remove(this.#names(uid)));
  }

  collect(uids: ReadonlySet<string>): Promise<void> {
    return this.#inTurn(async () => {
      const kept = new Set([...uids].map((uid) => this.#names(uid).namespace));
      const prefix = namespacePrefix(this.#config.owner);
      for (const namespace of await readdir(namespaceDirectory).catch(() => [])) {
        if (!namespace.startsWith(prefix) || kept.has(namespace)) continue;
        await this.#remove(namesOf(this.#config.owner, namespace));
      }
    });
  }

  async #remove(names: NetworkNames): Promise<void> {
    const lines = removalLines(names, await this.#observe(names));
    if (lines.length > 0) await this.#run({ lines });
  }

  #names(uid: string): NetworkNames {
    return networkNames(this.#config.owner, uid);
  }

  async #observe({ namespace, link }: NetworkNames): Promise<NetworkObservation> {
    const bridge = bridgeOf(this.range);
    const addresses = networkInterfaces()[bridge] ?? [];
    const master = await readlink(`/sys/class/net/${link}/master`).catch(() => '');
    return {
      bridge: {
        exists: await isThere(`/sys/class/net/${bridge}`),
        addressed: addresses.some(({ address }) => address === gatewayOf(this.range)),
      },
      namespace: await namespaceState(join(namespaceDirectory, namespace)),
      link: { exists: await isThere(`/sys/class/net/${link}`), onBridge: basename(master) === bridge },
    };
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** One call for all lines; the first that fails ends it. Errors: `E_POD_START`. */
  #run({ namespace, lines }: IpBatch): Promise<void> {
    const args = [...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-'];
    return new Promise((resolve, reject) => {
      const fail = (reason: string) =>
        reject(new AppError('E_POD_START', `cannot set up the network of the pod: ip: ${reason}`));
      const child = spawn(this.#config.ip, args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: commandMsMax });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(0, errorBytesMax);
      });
      child.once('error', (error) => fail(error.message));
      child.once('close', (code, signal) => {
        if (code === 0) resolve();
        else fail(said.trim().split('\n').join('; ') || `ended with ${code ?? signal}`);
      });
      // It may end before it has read everything.
      child.stdin.on('error', () => {});
      child.stdin.end(`${lines.join('\n')}\n`);
    });
  }
}

async function namespaceState(path: string): Promise<NetworkObservation['namespace']> {
  if (!(await isThere(path))) return 'none';
  return statfs(path).then(
    ({ type }) => (type === nsfsMagic ? 'there' : 'stale'),
    () => 'stale',
  );
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
