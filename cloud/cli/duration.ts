/** Durations on the command line: `90`, `30s`, `10m`, `1h30m`, `7d`. */
import { AppError } from '../../protocol/errors.ts';

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds; a bare number counts seconds. `E_USAGE` names `option` when the text is none. */
export function parseDuration(text: string, option: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text))
    throw new AppError('E_USAGE', `${option} ${text}: write a duration such as 30s, 10m or 1h30m`);
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    totalMs += Number(amount) * unitMs[unit!]!;
  return totalMs;
}
