/** How long a person waits at a gate whose hub is away. */
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { connect } from '../../../runtime/app-client/stile-app.ts';
import type { Bench, Contestant } from '../bench.ts';
import { startDurableLogServer } from '../peers/bare-node.ts';
import { quantile } from '../statistics.ts';
import { type TerminalApi, terminalApis } from './terminal-api.ts';

const EVERY_MS = 20;
/** Good tickets, in the twin. */
const tickets = [1, 1_000_000];

export const offlineGate: Bench = {
  name: 'offline-gate',
  part: 'local API',
  title: 'A gate without its hub',
  method:
    "50 scans a second, each at its time however long the one before takes, through the apps' client: the ticket is looked up in the " +
    "node's twin, which is read for it, and the entry appended durably under its own id; then the gate opens. The peer is the same " +
    'app on bare Node: a GET that answers nothing, then a line appended to a file with fdatasync.',
  figures: [
    { name: 'p50', unit: 'ms', better: 'less' },
    { name: 'p99', unit: 'ms', better: 'less', aim: { of: 'median', bound: 20 } },
  ],
  async open(stage) {
    const scans = stage.quick ? 100 : 500;
    const apis = await terminalApis(stage);
    for (const { node, ...place } of apis) await connect(place).desire(node, { tickets });
    const socket = join(stage.folder, 'bare.sock');
    await startDurableLogServer(stage, socket);
    const bare = gateOf({ name: 'bare Node', node: 'bare', socket, token: 'none' }, scans, () => {});
    return { subjects: apis.map((api) => gateOf(api, scans, requireGood)), peer: bare };
  },
};

type Lookup = (ticket: number, known: unknown) => void;

const requireGood: Lookup = (ticket, known) => {
  const [first, last] = known as number[];
  if (ticket < first! || ticket > last!) throw new Error(`the ticket ${ticket} is not good`);
};

function gateOf({ name, node, socket, token }: TerminalApi, scans: number, look: Lookup): Contestant {
  const stile = connect({ socket, token });
  let scanned = 0;
  const admit = async () => {
    const ticket = ++scanned;
    const { document } = await stile.twin(node);
    look(ticket, document?.properties.desired.tickets);
    await stile.append({ type: 'gate.entry', data: { ticket }, id: `ticket-${ticket}` });
  };
  return {
    name,
    measure: async () => {
      const waited: number[] = [];
      const beganMs = performance.now();
      const all = Array.from({ length: scans }, async (_none, index) => {
        const dueMs = beganMs + index * EVERY_MS;
        await new Promise((resolve) => setTimeout(resolve, Math.max(1, dueMs - performance.now())));
        await admit();
        waited.push(performance.now() - dueMs);
      });
      await Promise.all(all);
      return { p50: quantile(waited, 0.5), p99: quantile(waited, 0.99) };
    },
  };
}
