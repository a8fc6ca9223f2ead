import { expect, it } from 'vitest';
import { backdatedMs } from '../../../protocol/renewal.ts';
import { renewalDueInMs, renewalRetryMs } from '../../../runtime/link/certificate-renewal.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const issuedMs = Date.UTC(2030, 0, 1);
const lasting = (lifeMs: number) => ({ notBeforeMs: issuedMs - backdatedMs, notAfterMs: issuedMs + lifeMs });

it('a certificate is renewed when two thirds of its life are over, spread over a day', () => {
  const year = lasting(360 * DAY_MS);
  expect(renewalDueInMs(year, issuedMs, 0)).toBe(240 * DAY_MS);
  expect(renewalDueInMs(year, issuedMs, 0.5)).toBe(240.5 * DAY_MS);
  expect(renewalDueInMs(year, issuedMs + 242 * DAY_MS, 0.9)).toBe(0);
});

it('a short life is measured from its issue, not from the hour for which certificates are backdated', () => {
  const short = lasting(6 * 60_000);
  expect(renewalDueInMs(short, issuedMs, 0)).toBe(4 * 60_000);
  expect(renewalDueInMs(short, issuedMs, 1)).toBe(4.5 * 60_000);
});

it('an attempt that failed is repeated after an hour, or sooner where there is less time', () => {
  expect(renewalRetryMs(lasting(365 * DAY_MS), 0.5)).toBe(1.5 * HOUR_MS);
  expect(renewalRetryMs(lasting(24 * 60_000), 0)).toBe(60_000);
});
