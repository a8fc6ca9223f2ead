/** A runtime in a process of its own: `killable-runtime.ts DIRECTORY PODS` wants that many pods, and goes on for ever. */
import { join } from 'node:path';
import { FileRecords } from './file-records.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';

const [, , directory = '', count = '0'] = process.argv;
const node = new NodeUnderTest(directory, new FileRecords(join(directory, 'records')));
process.stdout.write('loaded\n');
await node.start();
const pods = Array.from({ length: Number(count) }, (_unused, index) => examplePod(`u${index}`, ['./run.sh']));
node.supervisor.apply(pods);
setInterval(() => {
  const running = pods.filter(({ pod }) => node.status(pod.metadata.uid!)?.phase === 'Running');
  if (running.length === pods.length) process.stdout.write('all running\n');
}, 20);
