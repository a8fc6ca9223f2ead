/** Joins terminals in numbers, as each does it by itself, but over connections that stay open and without files. */
import { Agent, request } from 'undici';
import { readEnrolAnswer } from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import { enrolOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import {
  type EnrolFetcher,
  enrol,
  type Identity,
  type IdentityGround,
  realGround,
} from '../../runtime/identity/identity.ts';

/** Below the failures that a hub forgives an address within a minute: an attempt counts as one until it succeeds. */
const PARALLEL = 16;

export interface JoinOptions {
  hubUrl: string;
  /** Good for as many uses as there are names. */
  token: string;
  names: readonly string[];
}

/** Resolves to the identities in the order of the names. */
export async function joinAll(env: Env, { hubUrl, token, names }: JoinOptions): Promise<Identity[]> {
  const caPem = await enrolOverHttps.authority(hubUrl);
  const agent = new Agent({ connect: pinnedConnector(() => ({ caPem })), connections: PARALLEL });
  const fetcher = fetcherOver(agent, caPem);
  const identities = new Array<Identity>(names.length);
  const left = [...names.keys()].reverse();
  const work = async () => {
    for (let index = left.pop(); index !== undefined; index = left.pop()) {
      const name = names[index]!;
      identities[index] = await enrol(env, { hubUrl, token, name, dataDir: '', info, ground: noGround() }, fetcher);
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL }, work));
  } finally {
    await agent.destroy();
  }
  return identities;
}

const info = { architecture: 'amd64', operatingSystem: 'linux', capacity: { pods: '110' }, nodeInfo: {} };

function fetcherOver(agent: Agent, caPem: string): EnrolFetcher {
  return {
    authority: async () => caPem,
    enrol: async (hubUrl, _ca, wish) => {
      const { statusCode, body } = await request(`${hubUrl}/stile/v1/enrol`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(wish),
      });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`${wish.name} cannot join: ${text}`);
      return readEnrolAnswer(JSON.parse(text));
    },
  };
}

/** Real keys, no files. */
function noGround(): IdentityGround {
  return {
    makeKey: realGround.makeKey,
    privateDirectory: async () => {},
    readCopies: async () => [],
    writeTwice: async () => {},
    removeTwice: async () => {},
  };
}
