/** How a simulated terminal joins, and where it keeps who it is: the real decisions over its disk and its network. */
import { readEnrolAnswer } from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import {
  type EnrolFetcher,
  enrol,
  type Identity,
  type IdentityGround,
  loadIdentity,
} from '../../runtime/identity/identity.ts';
import { OwnIdentity } from '../../runtime/identity/own-identity.ts';
import { ask } from './exchange.ts';
import type { Network } from './network.ts';
import type { NodeDisk } from './node-disk.ts';
import { simKey } from './sim-authority.ts';
import type { Life } from './world.ts';

const DATA_DIR = '/data';
const HUB_URL = 'https://hub:443';

export interface SimIdentityParts {
  life: Life;
  env: Env;
  disk: NodeDisk;
  network: Network;
  name: string;
  /** Of the one who set the terminal up. */
  token: string | undefined;
  podsMax: number;
}

/**
 * Who the terminal is in this life: as its disk has it, or by joining with its token. Undefined when it can do
 * neither. Errors: those of `enrol`.
 */
export async function simIdentity(parts: SimIdentityParts): Promise<OwnIdentity | undefined> {
  const { life, env, disk, network } = parts;
  const ground = groundOf(disk, life);
  const identity = (await loadIdentity(DATA_DIR, ground)) ?? (await join(parts, ground));
  if (identity === undefined) return undefined;
  const own = new OwnIdentity(env, {
    dataDir: DATA_DIR,
    identity,
    given: undefined,
    ground,
    renew: async (_hubUrl, { certificatePem }, body) => {
      const shown = certificatePem === undefined ? {} : { certificatePem };
      return readEnrolAnswer(await ask(network, life, { path: 'renew', body, ...shown }));
    },
  });
  await own.mend();
  return own;
}

/** Files as on the disk: atomic one by one, durable when the call resolves. */
function groundOf(disk: NodeDisk, life: Life): IdentityGround {
  const copies = (path: string) => [`${path}.copy`, path];
  return {
    privateDirectory: async () => {},
    readCopies: async (path) => copies(path).flatMap((copy) => disk.live.identity.get(copy) ?? []),
    writeTwice: async (path, content) => {
      for (const copy of copies(path)) await disk.commit(({ identity }) => void identity.set(copy, content));
    },
    removeTwice: async (path) => {
      for (const copy of copies(path)) await disk.commit(({ identity }) => void identity.delete(copy));
    },
    makeKey: async () => simKey(life.random),
  };
}

async function join(parts: SimIdentityParts, ground: IdentityGround): Promise<Identity | undefined> {
  const { life, env, network, name, token, podsMax } = parts;
  if (token === undefined) return undefined;
  const fetcher: EnrolFetcher = {
    authority: async () => String(await ask(network, life, { path: 'ca', body: {} })),
    enrol: async (_hubUrl, _caPem, body) => readEnrolAnswer(await ask(network, life, { path: 'enrol', body })),
  };
  const capacity = { pods: String(podsMax) };
  const info = { architecture: 'amd64', operatingSystem: 'linux', capacity, nodeInfo: {} };
  return enrol(env, { hubUrl: HUB_URL, token, name, dataDir: DATA_DIR, info, ground }, fetcher);
}
