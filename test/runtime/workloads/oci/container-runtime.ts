/** A runtime in a process of its own: `container-runtime.ts DIRECTORY` keeps one container running until it is killed. */
import { join } from 'node:path';
import { FileRecords } from '../file-records.ts';
import { containerNode, containerPod, testRange } from './container-node.ts';

const [, , directory = '', pid = '0'] = process.argv;
const node = containerNode(directory, testRange(0, Number(pid)), new FileRecords(join(directory, 'records')));
await node.start();
node.supervisor.apply([containerPod('u1', 'echo up; while :; do sleep 0.1; done')]);
setInterval(() => {
  const [main] = node.status('u1')?.containerStatuses ?? [];
  if (main?.state.running !== undefined) process.stdout.write(`running ${node.pid('u1')} ${main.restartCount}\n`);
}, 50);
