/**
 * A parking barrier. Its arm takes time, may jam, and does not close on what stands below it.
 *
 *   closed --open--> opening --> open --close--> closing --> closed
 *                       |                           |  \--obstacle--> opening
 *                       +-----------> jammed <------+        jammed --reset--> closed
 */
import type { Json } from '../../protocol/kubernetes.ts';
import type { Machine, Moment, Output, Settings, Step, Verdict } from './machine.ts';

type Position = 'closed' | 'opening' | 'open' | 'closing' | 'jammed';

interface Barrier {
  position: Position;
  /** When the arm arrives. */
  arrivesMs: number;
  willJam: boolean;
  obstacle: boolean;
  cycles: number;
  outcome: Verdict;
  travelMs: number;
  jamRate: number;
}

const goals: Readonly<Record<string, Position>> = { open: 'opening', close: 'closing' };

export const barrier: Machine<Barrier> = {
  resources: ['position', 'obstacle', 'cycles', 'jam'],
  commands: ['open', 'close', 'reset'],

  start: (settings: Settings) => ({
    position: 'closed',
    arrivesMs: 0,
    willJam: false,
    obstacle: false,
    cycles: 0,
    outcome: 'done',
    travelMs: settings.number('travelMs', 800),
    jamRate: settings.number('jamRate', 0),
  }),

  readings: ({ position, obstacle, cycles }) => ({ position, obstacle, cycles }),

  command(state, name, value, at) {
    // The sensor below the arm, which a test or a demo stands in for.
    if (name === 'obstacle') return obstacleSeen({ ...state, obstacle: value === true }, at);
    const wanted = name === 'position' ? { open: 'open', closed: 'close' }[String(value)] : name;
    if (wanted === 'reset') {
      if (state.position !== 'jammed') return same(state);
      return { ...moved({ ...state, outcome: 'done' }, 'closed'), verdict: 'done' };
    }
    const goal = goals[wanted ?? ''];
    if (goal === undefined) return refused(state, `the barrier knows no ${name} ${String(value ?? '')}`.trim());
    if (state.position === 'jammed') return refused(state, 'the arm is jammed: free it, then reset');
    if (state.position === (goal === 'opening' ? 'open' : 'closed')) return same(state);
    if (goal === 'closing' && state.obstacle) return refused(state, 'something stands below the arm');
    if (state.position === goal) return { state, outputs: [], verdict: 'going' };
    return { ...set(state, goal, at), verdict: 'going' };
  },

  elapsed(state, at) {
    const { position, arrivesMs, willJam } = state;
    if ((position !== 'opening' && position !== 'closing') || at.nowMs < arrivesMs) return { state, outputs: [] };
    if (willJam) {
      const jammed = moved({ ...state, outcome: { failed: 'the arm jammed on its way' } }, 'jammed');
      return { ...jammed, outputs: [...jammed.outputs, { event: 'jam', data: { while: position } }] };
    }
    if (position === 'opening') return moved({ ...state, outcome: 'done' }, 'open');
    const closed = moved({ ...state, outcome: 'done', cycles: state.cycles + 1 }, 'closed');
    return { ...closed, outputs: [...closed.outputs, { reading: 'cycles', value: closed.state.cycles }] };
  },

  dueMs: ({ position, arrivesMs }) => (position === 'opening' || position === 'closing' ? arrivesMs : undefined),
  outcome: ({ outcome }) => outcome,
};

function set(state: Barrier, position: Position, { nowMs, chance }: Moment): Step<Barrier> {
  const going = { ...state, arrivesMs: nowMs + state.travelMs, willJam: chance < state.jamRate };
  return moved({ ...going, outcome: 'going' }, position);
}

/** A closing arm goes up again. */
function obstacleSeen(state: Barrier, at: Moment): Step<Barrier> & { verdict: Verdict } {
  const told: Output = { reading: 'obstacle', value: state.obstacle };
  if (!state.obstacle || state.position !== 'closing') return { state, outputs: [told], verdict: 'done' };
  const back = set(state, 'opening', { ...at, chance: 1 });
  const failed: Verdict = { failed: 'something stood below the arm, it went up again' };
  return { state: { ...back.state, outcome: failed }, outputs: [told, ...back.outputs], verdict: 'done' };
}

function moved(state: Barrier, position: Position): Step<Barrier> {
  return { state: { ...state, position }, outputs: [{ reading: 'position', value: position as Json }] };
}

const same = (state: Barrier): Step<Barrier> & { verdict: Verdict } => ({ state, outputs: [], verdict: 'done' });

function refused(state: Barrier, failed: string): Step<Barrier> & { verdict: Verdict } {
  return { state, outputs: [], verdict: { failed } };
}
