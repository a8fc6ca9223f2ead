/** A ticket scanner: reads a code when one is held to it, or a stream of them by itself; a worn one misreads. */
import type { Machine, Moment, Settings, Step } from './machine.ts';

interface Scanner {
  lamp: boolean;
  scans: number;
  nextMs: number | undefined;
  everyMs: number;
  codes: number;
  missRate: number;
}

export const scanner: Machine<Scanner> = {
  resources: ['lamp', 'scans', 'scan', 'misread', 'present'],
  commands: ['present'],

  start: (settings: Settings) => {
    const everyMs = settings.number('everyMs', 0);
    return {
      lamp: false,
      scans: 0,
      nextMs: everyMs > 0 ? 0 : undefined,
      everyMs,
      codes: settings.number('codes', 1_000_000),
      missRate: settings.number('missRate', 0),
    };
  },

  readings: ({ lamp, scans }) => ({ lamp, scans }),

  command(state, name, value, at) {
    if (name === 'lamp' && typeof value === 'boolean')
      return { state: { ...state, lamp: value }, outputs: [{ reading: 'lamp', value }], verdict: 'done' };
    if (name === 'present' && typeof value === 'string' && value !== '')
      return { ...read(state, value, at), verdict: 'done' };
    return { state, outputs: [], verdict: { failed: `the scanner knows no ${name} ${String(value ?? '')}`.trim() } };
  },

  elapsed(state, at) {
    if (state.nextMs === undefined || at.nowMs < state.nextMs) return { state, outputs: [] };
    const code = String(Math.floor(at.chance * state.codes)).padStart(8, '0');
    return read({ ...state, nextMs: at.nowMs + state.everyMs }, code, { ...at, chance: (at.chance * 7_919) % 1 });
  },

  dueMs: ({ nextMs }) => nextMs,
  outcome: () => 'done',
};

function read(state: Scanner, code: string, { chance }: Moment): Step<Scanner> {
  if (chance < state.missRate) return { state, outputs: [{ event: 'misread', data: { length: code.length } }] };
  const scans = state.scans + 1;
  return {
    state: { ...state, scans },
    outputs: [
      { event: 'scan', data: { code } },
      { reading: 'scans', value: scans },
    ],
  };
}
