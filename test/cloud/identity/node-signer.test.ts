import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe } from 'vitest';
import { Authority, createAuthorityMaterial } from '../../../cloud/identity/authority.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { nodeSignerContract } from '../../contract/node-signer.ts';
import { SimAuthority, simKey } from '../../sim/sim-authority.ts';
import { World } from '../../sim/world.ts';

describe('the authority', () => {
  nodeSignerContract(async () => {
    const { log } = new World('signer').host('hub').boot();
    const env = { clock: systemClock, random: systemRandom, log };
    const signer = await Authority.from(env, await createAuthorityMaterial(env));
    return { signer, clock: systemClock, key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey };
  });
});

describe('the simulated authority', () => {
  nodeSignerContract(async () => {
    const world = new World('signer');
    const { clock } = world.host('hub').boot();
    const random = world.random.fork('signer');
    const signer = new SimAuthority({ random, now: () => clock.now(), lifeMs: 600_000 });
    return { signer, clock, key: createPrivateKey(simKey(random)) };
  });
});
