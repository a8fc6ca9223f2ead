/** Looks at cuts, one after another: writes what is left to a directory and lets the scenario open it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SimRandom } from '../../sim/random.ts';
import { testEnv } from './env.ts';
import { writeImage } from './image-files.ts';
import { cutDisks, idOf, type KillPoint } from './kill-points.ts';
import type { Operation } from './recording.ts';
import { scenarioOf } from './scenarios/scenarios.ts';

/** What takes longer hangs. */
const LOOK_MS_MAX = 60_000;

export interface Failure {
  id: string;
  reason: string;
  /** What was left, as it was before anybody opened it. */
  image: string;
}

export interface Looks {
  recordings: ReadonlyMap<string, readonly Operation[]>;
  seed: string;
  /** A folder for disks; those of failed points stay. */
  scratch: string;
  onPoint?(point: KillPoint, failure: Failure | undefined): void;
}

/** Resolves to what failed. */
export async function lookAt(points: readonly KillPoint[], looks: Looks): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const [name, operations] of looks.recordings) {
    const own = points.filter(({ scenario }) => scenario === name);
    for (const { point, image, marks } of cutDisks(operations, own, looks.seed)) {
      const id = idOf(point);
      const directory = join(looks.scratch, 'disk');
      writeImage(image, directory);
      const env = testEnv(new SimRandom(id));
      const reason = await within(scenarioOf(name).verify({ env, directory, marks }));
      rmSync(directory, { recursive: true, force: true });
      let failure: Failure | undefined;
      if (reason !== undefined) {
        failure = { id, reason, image: join(looks.scratch, id.replaceAll('/', '-')) };
        rmSync(failure.image, { recursive: true, force: true });
        writeImage(image, failure.image);
        failures.push(failure);
      }
      looks.onPoint?.(point, failure);
    }
  }
  return failures;
}

/** Why `work` failed; undefined when it did not. */
async function within(work: Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not done after ${LOOK_MS_MAX} ms`), LOOK_MS_MAX);
  });
  const reason = await Promise.race([
    work.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)),
    ),
    late,
  ]);
  clearTimeout(timer);
  return reason;
}
