/**
 * A small program on the world, to see that the world replays: hosts dial a hub, send numbered messages, keep the
 * highest answer on their disks, and start again after each fault. `node test/sim/toy.ts SEED` prints what came of it.
 */
import { pathToFileURL } from 'node:url';
import type { Channel } from '../../protocol/channel.ts';
import { randomHex } from '../../protocol/env.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { SimDisk } from './disk.ts';
import { Network } from './network.ts';
import { type Host, type Life, World } from './world.ts';

const HOSTS = 50;
const RUN_MS = 180_000;
const SETTLE_MS = 60_000;

export interface ToyResult {
  hash: string;
  events: number;
  delivered: number;
  pending: number;
  openChannels: number;
}

interface Toy {
  world: World;
  network: Network;
  scopes: Map<Host, Scope>;
}

export async function runToy(seed: string): Promise<ToyResult> {
  const world = new World(seed);
  const network = new Network(world, {
    bytesPerSecond: 20_000,
    lossRate: 0.1,
    duplicateRate: 0.05,
    reorderRate: 0.05,
    resetRate: 0.002,
  });
  const toy: Toy = { world, network, scopes: new Map() };
  const hub = world.host('hub');
  startHub(toy, hub.boot());
  const disks = new Map<Host, SimDisk<{ answered: number }>>();
  for (let index = 0; index < HOSTS; index += 1) {
    const host = world.host(`node-${index}`);
    disks.set(host, new SimDisk(world, host, { initial: () => ({ answered: 0 }), clone: (state) => ({ ...state }) }));
  }
  const boot = (host: Host) => startNode(toy, host.boot(), disks.get(host)!);
  for (const host of disks.keys()) boot(host);
  scheduleFaults(toy, [...disks.keys()], boot);
  await world.run(RUN_MS);

  network.healAll();
  await world.settle(Promise.all([...toy.scopes.values()].map((scope) => scope.stop())), SETTLE_MS);
  await world.run(world.nowMs + SETTLE_MS);
  return {
    hash: world.trace.hash(),
    events: world.events,
    delivered: network.traffic().messagesDelivered,
    pending: world.pending,
    openChannels: [...world.hosts()].reduce((sum, host) => sum + network.openChannels(host.name), 0),
  };
}

/** Answers each message with its first byte. */
function startHub({ network, scopes }: Toy, life: Life): void {
  const channels = new Set<Channel>();
  const stopListening = network.listen(life, (channel, { host: peer }) => {
    channels.add(channel);
    life.log.info('accepted', { peer });
    channel.onMessage((bytes) => channel.send(bytes.subarray(0, 4)));
    channel.onClose((reason) => {
      channels.delete(channel);
      life.log.info('closed', { peer, reason });
    });
  });
  const scope = new Scope(life.clock);
  scopes.set(life.host, scope);
  scope.signal.addEventListener('abort', () => {
    stopListening();
    for (const channel of channels) channel.close('hub stops');
  });
}

function startNode({ network, scopes }: Toy, life: Life, disk: SimDisk<{ answered: number }>): void {
  const dialer = network.dialer(life, 'hub');
  const scope = new Scope(life.clock, (error) => life.log.error('failed', { err: error }));
  scopes.set(life.host, scope);
  const log = life.log.child({ instance: randomHex(life.random, 4) });
  scope.spawn((signal) =>
    untilAborted(signal, async () => {
      for (;;) {
        const channel = await dialer.dial(signal).catch((error: unknown) => log.warn('no link', { err: error }));
        if (channel) await talk(scope, life, channel, disk);
        await scope.sleep(500 + life.random.next() * 1_000);
      }
    }),
  );
}

/** Talks until the channel is closed or nothing was answered for ten rounds. */
async function talk(scope: Scope, life: Life, channel: Channel, disk: SimDisk<{ answered: number }>): Promise<void> {
  let open = true;
  let silentRounds = 0;
  channel.onMessage((bytes) => {
    silentRounds = 0;
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    void disk.commit((state) => {
      state.answered = Math.max(state.answered, number);
    });
  });
  channel.onClose((reason) => {
    open = false;
    life.log.info('closed', { reason });
  });
  try {
    for (; open && silentRounds < 10; silentRounds += 1) {
      const bytes = life.random.bytes(4 + Math.floor(life.random.next() * 200));
      new DataView(bytes.buffer).setUint32(0, disk.live.answered + 1);
      channel.send(bytes);
      life.log.debug('sent', { number: disk.live.answered + 1, wallMs: life.clock.now() });
      await scope.sleep(200 + life.random.next() * 800);
    }
  } finally {
    channel.close('done');
  }
}

/** Crashes, power cuts, partitions and wrong clocks, as the seed draws them. */
function scheduleFaults({ world, network }: Toy, hosts: Host[], boot: (host: Host) => void): void {
  const random = world.random.fork('faults');
  for (let atMs = 1_000; atMs < RUN_MS - 20_000; atMs += random.integer(100, 1_500)) {
    const host = random.pick(hosts);
    const lastsMs = random.integer(100, 15_000);
    const fault = random.pick(['crash', 'power-cut', 'partition', 'jump'] as const);
    world.schedule(atMs, () => {
      if (fault === 'jump') return host.wall.jump(random.integer(-1e6, 1e6));
      if (fault === 'partition') {
        network.partition(host.name, 'hub', random.pick(['dead', 'resume'] as const));
        return void world.schedule(atMs + lastsMs, () => network.heal(host.name, 'hub'));
      }
      if (host.life === undefined) return;
      host.die(fault);
      world.schedule(atMs + lastsMs, () => boot(host));
    });
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.stdout.write(JSON.stringify(await runToy(process.argv[2] ?? '1')));
