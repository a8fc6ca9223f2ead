/** Goal and method: `test/losses/loss-rounds.ts`. Here a round for each broken link; `npm run hub-losses` plays more. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LossRounds } from '../losses/loss-rounds.ts';

const SEED = process.env.LOSSES_SEED ?? String(process.hrtime.bigint() % 1_000_000n);
const rounds = new LossRounds(SEED);

beforeAll(() => rounds.open(), 120_000);
afterAll(() => rounds.close(), 60_000);

test(`the link breaks, the view changes, and who stays is the same process (LOSSES_SEED=${SEED})`, {
  timeout: 120_000,
}, async () => {
  const before = await rounds.steady();
  for (const loss of ['cut', 'half-open', 'forgotten'] as const) await rounds.round(loss);
  expect(await rounds.steady()).toEqual(before);
});
