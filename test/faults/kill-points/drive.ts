/** The program that is recorded: `node drive.ts SCENARIO DIRECTORY SEED`. */
import { openSync, writeSync } from 'node:fs';
import { SimRandom } from '../../sim/random.ts';
import { testEnv } from './env.ts';
import { scenarioOf } from './scenarios/scenarios.ts';

const [name = '', directory = '', seed = ''] = process.argv.slice(2);
const marks = openSync(process.env.RECORDER_MARKS!, 'a');
const random = new SimRandom(`${seed}/${name}`);
await scenarioOf(name).drive({
  env: testEnv(random.fork('env')),
  directory,
  random,
  // At once, so that the mark stands in the recording before whatever the program does next.
  mark: (mark) => void writeSync(marks, JSON.stringify(mark)),
});
