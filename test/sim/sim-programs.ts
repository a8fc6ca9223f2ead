/** What the containers of the simulated fleet do; the command names one of these. */
import type { SpawnRequest } from '../../runtime/workloads/ports.ts';
import type { SimProgram } from './processes.ts';
import type { SimRandom } from './random.ts';

const minuteMs = 60_000;

type Program = (random: SimRandom) => SimProgram;

const programs = {
  /** Runs for ever and ends when it is asked to. */
  steady: (random) => ({ termMs: random.integer(5, 500) }),
  /** Runs for ever and has to be killed. */
  stubborn: () => ({}),
  /** Fails now and then. */
  crashing: (random) => ({ endsAfterMs: random.integer(1_000, 4 * minuteMs), exitCode: 1, termMs: 5 }),
  /** Fails now and then and leaves a process behind. */
  littering: (random) => ({ endsAfterMs: random.integer(10_000, 8 * minuteMs), leavesDescendant: true, termMs: 5 }),
} satisfies Record<string, Program>;

export type ProgramName = keyof typeof programs;
export const programNames = Object.keys(programs) as ProgramName[];

/** Programs that end only when they are told to. */
export const lastingPrograms: ReadonlySet<string> = new Set<ProgramName>(['steady', 'stubborn']);

export function programOf(request: SpawnRequest, random: SimRandom): SimProgram | undefined {
  return (programs as Record<string, Program>)[request.file]?.(random);
}

/** Which container of which pod a process is: of its log's path `/pods/UID/logs/CONTAINER.log`. */
export function ownerOf({ logFile }: SpawnRequest): { uid: string; container: string } {
  const [, , uid = '', , file = ''] = logFile.split('/');
  return { uid, container: file.replace(/\.log$/, '') };
}
