/**
 * The identity of a terminal: joining, a new list of addresses, renewals, each with a key that is made and kept before
 * the hub sees it. A terminal that was cut while it asked asks again with the same key, or its name would be taken.
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { Authority, type AuthorityMaterial, createAuthorityMaterial } from '../../../../cloud/identity/authority.ts';
import type { EnrolAnswer, EnrolRequest } from '../../../../protocol/enrolment.ts';
import type { Env } from '../../../../protocol/env.ts';
import { formatJoinToken } from '../../../../protocol/join-token.ts';
import type { Json } from '../../../../protocol/kubernetes.ts';
import {
  type EnrolFetcher,
  type EnrolOptions,
  enrol,
  type Identity,
  loadIdentity,
} from '../../../../runtime/identity/identity.ts';
import { OwnIdentity, type RenewFetcher } from '../../../../runtime/identity/own-identity.ts';
import { NOW_MS } from '../env.ts';
import {
  type Cut,
  expect,
  expectState,
  isAcknowledged,
  Lane,
  type Mark,
  possibleStates,
  type Scenario,
} from '../scenario.ts';

const NODE = 'gate-1';
const RENEWALS = 4;
const DAY_MS = 24 * 3_600_000;
/** Beyond the last certificate that is given out before a cut. */
const LATER_MS = 100 * DAY_MS;

export const runtimeIdentity: Scenario = {
  name: 'runtime/identity',
  drive: async (drive) => {
    const material = await createAuthorityMaterial(drive.env);
    await new Lane(drive, 'authority').step({ ...material }, async () => {});
    const hub = await FakeHub.of(drive.env, material, NOW_MS);
    const lane = new Lane(drive, 'identity');
    const shown = new Lane(drive, 'shown');
    hub.onKey = (publicKey) => shown.step(publicKey, async () => {});
    hub.onCertificate = (certificate) => lane.begin(stateOf(certificate, ['h:1', 'hub:1']));
    const dataDir = join(drive.directory, 'data');
    const own = ownIdentity(drive.env, dataDir, await enrol(drive.env, hub.joining(dataDir), hub), hub);
    lane.done();
    for (let count = 0; count < RENEWALS; count += 1) {
      const addresses = [`h:${count + 2}`];
      await lane.step(stateOf(own.current.certificatePem, addresses), async () => {
        own.learn(addresses);
        // Comes after it in the row of writes.
        await own.mend();
      });
      hub.onCertificate = (certificate) => lane.begin(stateOf(certificate, addresses));
      await own.renew();
      lane.done();
    }
  },
  verify,
};

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const [material] = possibleStates(marks, 'authority').filter((state) => state !== null);
  expect(material !== undefined, 'the authority was made before anything was written');
  const hub = await FakeHub.of(env, material as unknown as AuthorityMaterial, NOW_MS + LATER_MS);
  const dataDir = join(directory, 'data');
  let identity = await loadIdentity(dataDir);
  expect(identity !== undefined || !isAcknowledged(marks, 'identity'), 'the terminal has forgotten who it is');
  if (identity === undefined) {
    hub.onKey = (publicKey) => expectShown(marks, publicKey);
    identity = await enrol(env, hub.joining(dataDir), hub);
    hub.onKey = async () => {};
  } else {
    expectState(marks, 'identity', stateOf(identity.certificatePem, identity.destinations));
    const { publicKey } = new X509Certificate(identity.certificatePem);
    const inUse = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    // A key that was shown and is not in use yet is shown again.
    hub.onKey = (asked) => (lastShown(marks) === inUse ? Promise.resolve() : expectShown(marks, asked));
  }
  const own = ownIdentity(env, dataDir, identity, hub);
  await own.mend();
  const kept = await loadIdentity(dataDir);
  expect(JSON.stringify(kept) === JSON.stringify(identity), 'mending changed the identity');
  await own.renew();
  const renewed = await loadIdentity(dataDir);
  expect(renewed?.certificatePem === own.current.certificatePem, 'the next renewal was not kept');
}

/** A key was asked for in the name of this terminal: whoever asks on asks with it, or the hub sees a second terminal. */
async function expectShown(marks: readonly Mark[], publicKey: string): Promise<void> {
  const shown = lastShown(marks);
  expect(shown === undefined || shown === publicKey, 'the hub is asked with another key than before the cut');
}

function lastShown(marks: readonly Mark[]): Json | undefined {
  return marks.findLast(({ lane, phase }) => lane === 'shown' && phase === 'begun')?.state;
}

/** A hub's answers without a wire: the real authority, each certificate a day later than the one before. */
class FakeHub implements EnrolFetcher {
  onKey: (publicKey: string) => Promise<void> = async () => {};
  onCertificate: (certificate: string) => void = () => {};
  readonly #authority: Authority;
  readonly #time: { nowMs: number };

  private constructor(authority: Authority, time: { nowMs: number }) {
    this.#authority = authority;
    this.#time = time;
  }

  static async of(env: Env, material: AuthorityMaterial, nowMs: number): Promise<FakeHub> {
    const time = { nowMs };
    const clock = { ...env.clock, now: () => time.nowMs };
    return new FakeHub(await Authority.from({ ...env, clock }, material), time);
  }

  joining(dataDir: string): EnrolOptions {
    const parts = { id: '0123456789ab', secret: 's'.repeat(43), caFingerprint: this.#authority.fingerprint };
    const info = { architecture: 'amd64', operatingSystem: 'linux', capacity: {}, nodeInfo: {} };
    return { hubUrl: 'https://hub:1', token: formatJoinToken(parts), name: NODE, dataDir, info };
  }

  async authority(): Promise<string> {
    return this.#authority.certificatePem;
  }

  enrol(_hubUrl: string, _caPem: string, { publicKey }: EnrolRequest): Promise<EnrolAnswer> {
    return this.answer(publicKey);
  }

  async answer(publicKey: string): Promise<EnrolAnswer> {
    await this.onKey(publicKey);
    this.#time.nowMs += DAY_MS;
    const { certificatePem } = await this.#authority.issueNode(NODE, Buffer.from(publicKey, 'base64'));
    this.onCertificate(certificatePem);
    const { certificatePem: ca } = this.#authority;
    return { node: NODE, pool: 'p', certificate: certificatePem, ca, destinations: ['h:1'] };
  }
}

function ownIdentity(env: Env, dataDir: string, identity: Identity, hub: FakeHub): OwnIdentity {
  const renew: RenewFetcher = (_hubUrl, _trust, { publicKey }) => hub.answer(publicKey);
  return new OwnIdentity(env, { dataDir, identity, given: undefined, renew });
}

/** What must not be lost. That key and certificate belong together, `loadIdentity` sees to. */
function stateOf(certificatePem: string, destinations: readonly string[]): Json {
  return { name: NODE, serial: new X509Certificate(certificatePem).serialNumber, destinations: [...destinations] };
}
