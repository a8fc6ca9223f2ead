/**
 * A turnstile: let one through, and it locks behind them, or by itself when nobody goes.
 *
 *   locked --admit--> released --passage--> locked
 *      |                  \----time is up---> locked
 *      +--passage refused, told as `forced`
 */
import type { Machine, Moment, Settings, Step, Verdict } from './machine.ts';

interface Turnstile {
  lock: 'locked' | 'released';
  passages: number;
  releasedUntilMs: number;
  /** When the one who was let through goes, if they do. */
  passesMs: number | undefined;
  releaseMs: number;
  passMs: number;
  missRate: number;
}

export const turnstile: Machine<Turnstile> = {
  resources: ['lock', 'passages', 'passage', 'forced', 'unused'],
  commands: ['admit', 'lockNow', 'push'],

  start: (settings: Settings) => ({
    lock: 'locked',
    passages: 0,
    releasedUntilMs: 0,
    passesMs: undefined,
    releaseMs: settings.number('releaseMs', 5_000),
    passMs: settings.number('passMs', 700),
    missRate: settings.number('missRate', 0),
  }),

  readings: ({ lock, passages }) => ({ lock, passages }),

  command(state, name, value, at) {
    if (name === 'admit' || (name === 'lock' && value === 'released'))
      return { ...released(state, at), verdict: 'done' };
    if (name === 'lockNow' || (name === 'lock' && value === 'locked')) return { ...locked(state), verdict: 'done' };
    if (name === 'push') {
      if (state.lock === 'released') return { ...passed(state), verdict: 'done' };
      return { state, outputs: [{ event: 'forced', data: { lock: 'locked' } }], verdict: { failed: 'it is locked' } };
    }
    const verdict: Verdict = { failed: `the turnstile knows no ${name} ${String(value ?? '')}`.trim() };
    return { state, outputs: [], verdict };
  },

  elapsed(state, { nowMs }) {
    if (state.lock !== 'released') return { state, outputs: [] };
    if (state.passesMs !== undefined && nowMs >= state.passesMs) return passed(state);
    if (nowMs < state.releasedUntilMs) return { state, outputs: [] };
    const shut = locked(state);
    return { ...shut, outputs: [...shut.outputs, { event: 'unused', data: { afterMs: state.releaseMs } }] };
  },

  dueMs: ({ lock, passesMs, releasedUntilMs }) =>
    lock === 'released' ? Math.min(passesMs ?? releasedUntilMs, releasedUntilMs) : undefined,
  outcome: () => 'done',
};

function released(state: Turnstile, { nowMs, chance }: Moment): Step<Turnstile> {
  const passesMs = chance < state.missRate ? undefined : nowMs + state.passMs;
  const next: Turnstile = { ...state, lock: 'released', releasedUntilMs: nowMs + state.releaseMs, passesMs };
  return { state: next, outputs: state.lock === 'released' ? [] : [{ reading: 'lock', value: 'released' }] };
}

function locked(state: Turnstile): Step<Turnstile> {
  const next: Turnstile = { ...state, lock: 'locked', passesMs: undefined };
  return { state: next, outputs: state.lock === 'locked' ? [] : [{ reading: 'lock', value: 'locked' }] };
}

function passed(state: Turnstile): Step<Turnstile> {
  const { state: next, outputs } = locked({ ...state, passages: state.passages + 1 });
  const { passages } = next;
  return {
    state: next,
    outputs: [{ event: 'passage', data: { count: passages } }, { reading: 'passages', value: passages }, ...outputs],
  };
}
