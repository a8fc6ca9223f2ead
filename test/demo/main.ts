/**
 * `npm run demo`: the main job, with real processes on loopback. A hub, two pools of terminals, one OpenYurt
 * manifest; then a node joins, the hub dies, a runtime dies, a terminal loses its power, the hub returns. Each step
 * prints what it proves from observed state. Without a terminal, or with CI=true, it ends by itself: 0, or the reason.
 */
import { writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { SessionReport } from '../../cloud/hub/hub-session.ts';
import type { Twin } from '../../protocol/kubernetes.ts';
import { buildAppClient } from '../../runtime/app-client/build.ts';
import { House } from '../house/house.ts';
import { ask, type Gate, gatesOf, type Scan, scan } from './gates.ts';
import { manifest, turnstiles } from './manifest.ts';
import { Report } from './report.ts';
import { TicketOffice } from './tickets.ts';

const gateSource = fileURLToPath(new URL('gate', import.meta.url));
const stays = process.stdout.isTTY === true && process.env.CI !== 'true';
const pools = { hangzhou: ['hz-1', 'hz-2', 'hz-3'], beijing: ['bj-1', 'bj-2'] };

interface Demo {
  house: House;
  report: Report;
  office: TicketOffice;
  /** Every ticket that a gate let in, as `NODE TICKET`. */
  entries: string[];
}

async function main(): Promise<void> {
  const demo: Demo = {
    house: new House(),
    report: new Report(),
    office: new TicketOffice('expo', 'office-1'),
    entries: [],
  };
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
  try {
    await Promise.race([run(demo), interrupted]);
    if (stays) await stay(demo, interrupted);
  } finally {
    await demo.house.close();
  }
}

async function run(demo: Demo): Promise<void> {
  await startHouse(demo);
  await applyManifest(demo);
  await validateTickets(demo);
  await nodeJoins(demo);
  const before = await gatesOf(demo.house);
  const pids = await pidsOf(before);
  await hubDies(demo, before, pids);
  await runtimeDies(demo, before, pids);
  await powerFails(demo, before, pids);
  await hubReturns(demo, before, pids);
  await entriesArrive(demo);
  process.stdout.write(`\nThe demo holds: ${demo.report.summary()}.\n`);
}

async function startHouse({ house, report }: Demo): Promise<void> {
  report.step('A hub, two pools, five terminals, each a process of its own');
  const hub = await house.startHub();
  report.say(`hub: process ${hub.pid} at ${house.url}`);
  for (const pool of Object.keys(pools)) await house.stile('pool', 'create', pool);
  for (const [pool, names] of Object.entries(pools))
    for (const name of names) report.say(`${name} joins ${pool}: process ${(await house.join(name, pool)).child.pid}`);
  await house.waitFor('five nodes to be Ready', async () => (await readyNodes(house)).length === 5);
  const ready = await readyNodes(house);
  const wanted = Object.values(pools).flat().sort();
  report.prove('every terminal enrolled and is Ready', ready.sort().join() === wanted.join(), ready.join(' '));
}

async function applyManifest({ house, report, office }: Demo): Promise<void> {
  report.step('One image per version, one manifest, a variant per region');
  for (const version of ['1.0', '1.1']) await pushGate(house, version);
  writeFileSync(house.path('turnstiles.yaml'), turnstiles([...Object.values(pools).flat(), 'hz-4']));
  await house.stile('apply', '-f', house.path('turnstiles.yaml'));
  writeFileSync(house.path('gate.yaml'), manifest(office.keySet()));
  await house.stile('apply', '-f', house.path('gate.yaml'));
  await house.waitFor(
    'the gates to be ready',
    async () => (await gatesOf(house)).filter(({ ready }) => ready).length === 5,
  );
  const gates = await gatesOf(house);
  for (const gate of gates.filter(({ ready }) => ready)) {
    const { region, version, pid } = await ask(gate);
    report.say(
      `${gate.node}: ${gate.image} answers on ${gate.podIP} as "${region}", version ${version}, process ${pid}`,
    );
  }
  const images = (pool: string) => [...new Set(gates.filter((gate) => gate.pool === pool).map(({ image }) => image))];
  report.prove('hangzhou runs the base image', images('hangzhou').join() === 'gate:1.0', images('hangzhou').join());
  report.prove('beijing runs its own', images('beijing').join() === 'gate:1.1', images('beijing').join());
  const pending = gates.filter(({ node }) => node === '');
  report.prove('a fourth gate of hangzhou waits for a terminal', pending.length === 1, `${pending[0]?.pod} is Pending`);
}

async function validateTickets(demo: Demo): Promise<void> {
  const { house, report, office } = demo;
  report.step('Gates validate signed tickets offline, against the key set of a ConfigMap, and open their turnstiles');
  const gate = (await gatesOf(house)).find(({ ready }) => ready)!;
  const ticket = office.sell();
  const first = await enter(demo, gate, ticket);
  report.prove('a ticket is admitted', first.admitted, JSON.stringify(first));
  const passages = () => passagesAt(house, gate.node);
  await house.waitFor('the turnstile to tell of the guest', async () => (await passages()) === 1);
  report.prove('the turnstile let one through', (await passages()) === 1, `twin default.turnstile-${gate.node}`);
  const second = await scan(gate, ticket);
  report.prove('its second entry is refused', !second.admitted, JSON.stringify(second));
  const [payload, signature] = office.sell().split('.') as [string, string];
  const other = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('"T', '"X')).toString('base64url');
  const forged = await scan(gate, `${other}.${signature}`);
  report.prove('a forged one is refused', !forged.admitted && forged.reason === 'forged', JSON.stringify(forged));
  const expired = await scan(gate, office.sell(Date.now() - 1));
  report.prove('an expired one is refused', !expired.admitted && expired.reason === 'expired', JSON.stringify(expired));
}

async function nodeJoins({ house, report }: Demo): Promise<void> {
  report.step('A terminal joins hangzhou and the workload follows');
  await house.join('hz-4', 'hangzhou');
  await house.waitFor(
    'the waiting gate to run',
    async () => (await gatesOf(house)).filter(({ ready }) => ready).length === 6,
  );
  const gate = (await gatesOf(house)).find(({ node }) => node === 'hz-4');
  report.prove(
    'the waiting gate runs on it, nobody asked',
    gate?.ready === true,
    `${gate?.pod} on hz-4 at ${gate?.podIP}`,
  );
}

async function hubDies(demo: Demo, gates: Gate[], pids: Map<string, number>): Promise<void> {
  const { house, report, office } = demo;
  report.step('The hub is killed; gates go on');
  await house.hub!.kill('SIGKILL');
  report.say(`hub: killed with SIGKILL`);
  const outcomes = await Promise.all(gates.map((gate) => enter(demo, gate, office.sell())));
  const admitted = outcomes.filter((outcome) => outcome.admitted).length;
  report.prove(
    'every gate admits a new ticket without the hub',
    admitted === gates.length,
    `${admitted} of ${gates.length}`,
  );
  report.prove('no gate was restarted', same(await pidsOf(gates), pids), list(pids));
}

async function runtimeDies(demo: Demo, gates: Gate[], pids: Map<string, number>): Promise<void> {
  const { house, report, office } = demo;
  report.step('A runtime is killed with the hub still away; its gate does not notice');
  const gate = gates.find(({ node }) => node === 'hz-1')!;
  const runtime = house.terminals.get('hz-1')!.child;
  await runtime.kill('SIGKILL');
  const orphaned = await enter(demo, gate, office.sell());
  report.prove('the gate admits tickets without its runtime', orphaned.admitted, `runtime ${runtime.pid} is gone`);
  const { child } = await house.startRuntime('hz-1');
  await house.waitFor('the gate to be adopted', () => child.output().includes('container adopted'));
  const after = await ask(gate);
  report.prove(
    'the new runtime adopts the gate instead of starting it again',
    after.pid === pids.get(gate.pod),
    `runtime ${child.pid}, gate still process ${after.pid}`,
  );
}

async function powerFails(demo: Demo, gates: Gate[], pids: Map<string, number>): Promise<void> {
  const { house, report, office } = demo;
  report.step('A terminal loses its power and starts with the hub still away');
  const gate = gates.find(({ node }) => node === 'bj-1')!;
  const ticket = office.sell();
  await enter(demo, gate, ticket);
  const before = await ask(gate);
  await house.terminals.get('bj-1')!.child.kill('SIGKILL');
  process.kill(before.pid, 'SIGKILL');
  report.say(
    `runtime and gate of bj-1 are gone (processes ${house.terminals.get('bj-1')!.child.pid} and ${before.pid})`,
  );
  await house.startRuntime('bj-1');
  await house.waitFor('the gate of bj-1 to come back', () =>
    ask(gate).then(
      () => true,
      () => false,
    ),
  );
  const after = await ask(gate);
  const isNew = after.pid !== before.pid && house.hub?.running === false;
  report.prove('the gate is back from local state alone', isNew, `process ${after.pid}, same address ${gate.podIP}`);
  const again = await scan(gate, ticket);
  report.prove('its ledger still refuses the ticket', !again.admitted, JSON.stringify(again));
  report.prove('nothing was forgotten', after.entries === before.entries, `${after.entries} entries`);
  pids.set(gate.pod, after.pid);
}

async function hubReturns({ house, report }: Demo, gates: Gate[], pids: Map<string, number>): Promise<void> {
  report.step('The hub returns; nothing restarts that had not changed');
  await house.startHub();
  // Ready may be what the hub knew before it died; a session is what it has now.
  await house.waitFor('every terminal to be connected again', () => allConnected(house), 90_000);
  await house.waitFor('every gate to be told as ready', async () =>
    (await gatesOf(house)).every(({ ready, podIP }) => ready && podIP !== ''),
  );
  const after = await gatesOf(house);
  report.prove('the same pods run', names(after) === names(gates), `${after.length} pods`);
  report.prove('the same processes run', same(await pidsOf(after), pids), list(pids));
  for (const name of house.terminals.keys()) {
    const session = await sessionOf(house, name);
    const digests = session.sections.map(({ digest, revision }) => `${digest.slice(0, 8)}@${revision}`).join(' ');
    const current = session.sections.every(({ acked, revision }) => acked === revision);
    report.prove(
      `${name} holds the hub's view`,
      current,
      `${digests}, ${session.bytesSent} B down, ${session.bytesReceived} B up`,
    );
  }
}

/** Also of the gate that lost its runtime, and of the one that lost its power. */
async function entriesArrive({ house, report, entries }: Demo): Promise<void> {
  report.step('Every entry is at the hub, once');
  interface Events {
    items: { node: string; id: string }[];
  }
  const told = async () => {
    const { items } = await house.json<Events>('events', '--type', 'entry');
    return items.map(({ node, id }) => `${node} ${id}`).sort();
  };
  const all = [...entries].sort().join();
  await house.waitFor('the last entry', async () => (await told()).length >= entries.length);
  report.prove(
    'what gates let in is what the hub was told',
    (await told()).join() === all,
    `${entries.length} entries`,
  );
}

/** What the turnstile's twin says at the hub. */
async function passagesAt(house: House, node: string): Promise<number> {
  const { status } = await house.json<Twin>('get', 'twin', `default.turnstile-${node}`);
  return Number(status?.reported?.value.passages ?? 0);
}

/** One scan, noted when it was let in. */
async function enter({ entries }: Demo, gate: Gate, ticket: string): Promise<Scan> {
  const outcome = await scan(gate, ticket);
  if (outcome.admitted) entries.push(`${gate.node} ${outcome.ticket}`);
  return outcome;
}

async function pushGate(house: House, version: string): Promise<void> {
  const directory = house.path(`gate-${version}`);
  await cp(gateSource, directory, { recursive: true });
  await buildAppClient(`${directory}/stile-app.mjs`);
  writeFileSync(
    `${directory}/stile-image.json`,
    JSON.stringify({ entrypoint: ['gate.mjs'], env: [`GATE_VERSION=${version}`] }),
  );
  await house.stile('image', 'push', directory, `gate:${version}`);
}

async function readyNodes(house: House): Promise<string[]> {
  interface NodeItem {
    metadata: { name: string };
    status?: { conditions?: { type: string; status: string }[] };
  }
  const { items } = await house.json<{ items: NodeItem[] }>('get', 'nodes');
  return items
    .filter((node) => node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
    .map((node) => node.metadata.name);
}

const sessionOf = (house: House, name: string): Promise<SessionReport> =>
  house.fromHub<SessionReport>(`/stile/v1/nodes/${name}/session`);

async function allConnected(house: House): Promise<boolean> {
  const sessions = [...house.terminals.keys()].map((name) => sessionOf(house, name));
  const reports = await Promise.allSettled(sessions);
  return reports.every(
    (report) =>
      report.status === 'fulfilled' && report.value.sections.every(({ acked, revision }) => acked === revision),
  );
}

/** Pod to process id, as the gates themselves say. */
async function pidsOf(gates: readonly Gate[]): Promise<Map<string, number>> {
  return new Map(
    await Promise.all(gates.map(async (gate): Promise<[string, number]> => [gate.pod, (await ask(gate)).pid])),
  );
}

const same = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean =>
  one.size === other.size && [...one].every(([pod, pid]) => other.get(pod) === pid);
const list = (pids: ReadonlyMap<string, number>): string => `processes ${[...pids.values()].join(' ')}`;
const names = (gates: readonly Gate[]): string =>
  gates
    .map(({ pod }) => pod)
    .sort()
    .join();

/** On a terminal the house stays up, to be looked at. */
async function stay({ house }: Demo, interrupted: Promise<void>): Promise<void> {
  process.stdout.write(`
The house stays up until you press Ctrl-C. In another shell:

  export KUBECONFIG=${house.kubeconfig}
  npx stile get nodes,pods -o wide
  npx stile describe yurtappset gate
  kubectl get nodepools,yurtappsets,deployments
  kubectl patch yurtappset gate --type=json -p '[{"op":"replace","path":"/spec/workload/workloadTweaks/0/tweaks/replicas","value":2}]'
  npx stile get events
  npx stile events
  npx stile twin invoke default.turnstile-hz-1 admit
`);
  await interrupted;
}

main().catch((error: unknown) => {
  process.stderr.write(`\nThe demo does not hold: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
