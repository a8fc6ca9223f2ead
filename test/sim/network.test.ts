import { describe, expect, it } from 'vitest';
import type { Channel } from '../../protocol/channel.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { channelContract } from '../contract/channel.ts';
import { type Caller, type LinkProfile, Network } from './network.ts';
import { type Life, World } from './world.ts';

channelContract('the simulated network', async () => {
  const world = new World('contract');
  const network = new Network(world, { bytesPerSecond: 1_000_000 });
  return {
    connect: async () => {
      const site = await connect(world, network);
      return [site.dialing, site.accepting];
    },
    until: (what, holds) => world.until(what, holds, 60_000),
    quiet: () => world.run(world.nowMs + 10_000),
    stop: async () => {
      await world.run(world.nowMs + 60_000);
      expect(world.pending).toBe(0);
    },
  };
});

describe('messages', () => {
  it('take their time on the line and the latency, and fill the buffer meanwhile', async () => {
    const site = await start({ latencyMs: 50, jitterMs: 0, bytesPerSecond: 1_000 });
    const startMs = site.world.nowMs;
    const arrivals: number[] = [];
    site.accepting.onMessage(() => arrivals.push(site.world.nowMs - startMs));
    site.dialing.send(new Uint8Array(500));
    site.dialing.send(new Uint8Array(500));
    expect(site.dialing.bufferedBytes()).toBe(1_000);
    await site.world.run(startMs + 600);
    expect(site.dialing.bufferedBytes()).toBe(500);
    await site.world.run(startMs + 2_000);
    expect(arrivals).toEqual([550, 1_050]);
  });

  it('of all channels of a link share its bandwidth', async () => {
    const site = await start({ latencyMs: 0, jitterMs: 0, bytesPerSecond: 1_000 });
    const second = await connectAgain(site);
    const startMs = site.world.nowMs;
    const arrivals: number[] = [];
    for (const channel of [site.accepting, second.accepting])
      channel.onMessage(() => arrivals.push(site.world.nowMs - startMs));
    site.dialing.send(new Uint8Array(1_000));
    second.dialing.send(new Uint8Array(1_000));
    await site.world.run(startMs + 10_000);
    expect(arrivals).toEqual([1_000, 2_000]);
  });

  it('belong to the receiver: the sender may use its buffer again', async () => {
    const site = await start();
    const received = collect(site.accepting);
    const buffer = Uint8Array.of(1);
    site.dialing.send(buffer);
    buffer[0] = 2;
    await site.world.run(site.world.nowMs + 1_000);
    expect(received).toEqual([1]);
  });

  it('are lost, doubled and overtaken only when asked for, and counted', async () => {
    const calm = await exchange({}, 500);
    expect(calm.received).toEqual(calm.sent);
    const lossy = await exchange({ lossRate: 0.2 }, 500);
    expect(lossy.received.length).toBe(500 - lossy.traffic.lost);
    expect(lossy.traffic.lost).toBeGreaterThan(50);
    const doubled = await exchange({ duplicateRate: 0.2 }, 500);
    expect(doubled.received.length).toBe(500 + doubled.traffic.duplicated);
    expect(new Set(doubled.received).size).toBe(500);
    const mixed = await exchange({ reorderRate: 0.2 }, 500);
    expect(mixed.received).not.toEqual(mixed.sent);
    expect([...mixed.received].sort((left, right) => left - right)).toEqual(mixed.sent);
  });

  it('do not arrive once a reset broke the connection, and both sides hear of it', async () => {
    const site = await start({ resetRate: 1 });
    const closes = witnessCloses(site);
    expect(site.dialing.send(Uint8Array.of(1))).toBe(true);
    await site.world.run(site.world.nowMs + 1_000);
    expect(closes.sort()).toEqual(['hub connection reset', 'node connection reset']);
    expect(site.network.traffic().messagesDelivered).toBe(0);
    expect(site.network.openChannels('node') + site.network.openChannels('hub')).toBe(0);
  });
});

describe('a partition', () => {
  it('tells nobody, fills the send buffer, and leaves the channel dead after the heal', async () => {
    const site = await start();
    const closes = witnessCloses(site);
    const received = collect(site.accepting);
    site.network.partition('node', 'hub');
    site.dialing.send(Uint8Array.of(1, 2, 3));
    await site.world.run(site.world.nowMs + 60_000);
    site.network.heal('node', 'hub');
    site.dialing.send(Uint8Array.of(4));
    await site.world.run(site.world.nowMs + 60_000);
    expect(received).toEqual([]);
    expect(closes).toEqual([]);
    expect(site.dialing.bufferedBytes()).toBe(4);
  });

  it('of the kind `resume` delivers what was held, in order, before what comes later', async () => {
    const site = await start();
    const received = collect(site.accepting);
    site.network.partition('node', 'hub', 'resume');
    for (const value of [1, 2, 3]) site.dialing.send(Uint8Array.of(value));
    await site.world.run(site.world.nowMs + 60_000);
    expect(received).toEqual([]);
    expect(site.dialing.bufferedBytes()).toBe(3);
    site.dialing.send(Uint8Array.of(4));
    site.network.heal('node', 'hub');
    await site.world.run(site.world.nowMs + 1_000);
    expect(received).toEqual([1, 2, 3, 4]);
    expect(site.dialing.bufferedBytes()).toBe(0);
  });

  it('may cut one direction only', async () => {
    const site = await start();
    const [atHub, atNode] = [collect(site.accepting), collect(site.dialing)];
    site.network.cut('node', 'hub', 'resume');
    site.dialing.send(Uint8Array.of(1));
    site.accepting.send(Uint8Array.of(2));
    await site.world.run(site.world.nowMs + 1_000);
    expect([atHub, atNode]).toEqual([[], [2]]);
    site.network.healAll();
    expect(atHub).toEqual([1]);
  });

  it('that no traffic met leaves the channel as it was', async () => {
    const site = await start();
    const received = collect(site.accepting);
    site.network.partition('node', 'hub');
    await site.world.run(site.world.nowMs + 60_000);
    site.network.healAll();
    site.dialing.send(Uint8Array.of(1));
    await site.world.run(site.world.nowMs + 1_000);
    expect(received).toEqual([1]);
  });

  it('ends for the one who closes, after a timeout', async () => {
    const site = await start();
    const closes = witnessCloses(site);
    site.network.partition('node', 'hub');
    site.dialing.close('silence');
    await site.world.run(site.world.nowMs + 60_000);
    expect(closes).toEqual(['node silence']);
  });
});

describe('a host that dies', () => {
  it('by a crash closes its channels for the peer', async () => {
    const site = await start();
    const closes = witnessCloses(site);
    site.node.host.die('crash');
    await site.world.run(site.world.nowMs + 1_000);
    expect(closes).toEqual(['hub connection lost']);
  });

  it('by a power cut tells nobody until it is up again and is spoken to', async () => {
    const site = await start();
    const closes = witnessCloses(site);
    site.node.host.die('power-cut');
    await site.world.run(site.world.nowMs + 60_000);
    expect(closes).toEqual([]);
    site.node.host.boot();
    site.accepting.send(Uint8Array.of(1));
    await site.world.run(site.world.nowMs + 1_000);
    expect(closes).toEqual(['hub connection reset']);
  });

  it('sends nothing and hears nothing through the channels of its last life', async () => {
    const site = await start();
    const received = collect(site.dialing);
    site.node.host.die('crash');
    site.node.host.boot();
    expect(site.dialing.send(Uint8Array.of(1))).toBe(false);
    site.accepting.send(Uint8Array.of(1));
    await site.world.run(site.world.nowMs + 1_000);
    expect(received).toEqual([]);
  });
});

describe('a dial', () => {
  it('fails with E_LINK_UNREACHABLE when nobody listens, quickly, and late when nobody answers', async () => {
    const world = new World('dial');
    const network = new Network(world);
    const node = world.host('node').boot();
    const dialer = network.dialer(node, 'hub');
    const outcome = () => dialer.dial(new AbortController().signal).then(() => 'connected', codeOf);
    expect(await world.settle(outcome(), 60_000)).toBe('E_LINK_UNREACHABLE');
    expect(world.nowMs).toBeGreaterThan(9_000);
    const hub = world.host('hub').boot();
    const beforeMs = world.nowMs;
    expect(await world.settle(outcome(), 60_000)).toBe('E_LINK_UNREACHABLE');
    expect(world.nowMs - beforeMs).toBeLessThan(100);
    network.listen(hub, () => {});
    expect(await world.settle(outcome(), 60_000)).toBe('connected');
    network.set('node', 'hub', { refuseRate: 1 });
    expect(await world.settle(outcome(), 60_000)).toBe('E_LINK_UNREACHABLE');
    network.healAll();
    network.partition('node', 'hub');
    expect(await world.settle(outcome(), 60_000)).toBe('E_LINK_UNREACHABLE');
    expect(network.traffic('node', 'hub')).toMatchObject({ dials: 5, dialsRefused: 4 });
    expect(world.pending).toBe(0);
  });

  it('that is aborted rejects with the reason and leaves no timer', async () => {
    const world = new World('abort');
    const network = new Network(world);
    const controller = new AbortController();
    const dial = network.dialer(world.host('node').boot(), 'hub').dial(controller.signal);
    controller.abort(new Error('given up'));
    await expect(dial).rejects.toThrow('given up');
    expect(world.pending).toBe(0);
  });

  it('tells the acceptor who calls, as it is at each dial', async () => {
    const world = new World('caller');
    const network = new Network(world);
    const callers: Caller[] = [];
    network.listen(world.host('hub').boot(), (_channel, caller) => callers.push(caller));
    const node = world.host('node').boot();
    let certificatePem = 'first';
    const dialer = network.dialer(node, 'hub', () => ({ certificatePem }));
    await world.settle(dialer.dial(new AbortController().signal), 1_000);
    certificatePem = 'second';
    await world.settle(dialer.dial(new AbortController().signal), 1_000);
    expect(callers).toEqual([
      { host: 'node', certificatePem: 'first' },
      { host: 'node', certificatePem: 'second' },
    ]);
  });

  it('fails with what the acceptor says, and leaves no channel', async () => {
    const world = new World('turned away');
    const network = new Network(world);
    network.listen(world.host('hub').boot(), () => {
      throw new AppError('E_IDENTITY_REFUSED', 'not you');
    });
    const dial = network.dialer(world.host('node').boot(), 'hub').dial(new AbortController().signal);
    await expect(world.settle(dial, 1_000)).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    expect([network.openChannels('node'), network.openChannels('hub')]).toEqual([0, 0]);
  });
});

it('`sever` silences the channels of two hosts and `reset` breaks them', async () => {
  const site = await start();
  const closes = witnessCloses(site);
  const received = collect(site.accepting);
  site.network.sever('node', 'hub');
  site.dialing.send(Uint8Array.of(1));
  await site.world.run(site.world.nowMs + 60_000);
  expect([received, closes]).toEqual([[], []]);
  site.network.reset('node', 'hub');
  await site.world.run(site.world.nowMs + 60_000);
  expect(closes).toHaveLength(2);
});

interface Site {
  world: World;
  network: Network;
  node: Life;
  hub: Life;
  accepted: Channel[];
  dialing: Channel;
  accepting: Channel;
}

async function start(profile: Partial<LinkProfile> = {}): Promise<Site> {
  const world = new World('network');
  return connect(world, new Network(world, profile));
}

async function connect(world: World, network: Network): Promise<Site> {
  const hub = world.host('hub').boot();
  const node = world.host('node').boot();
  const accepted: Channel[] = [];
  network.listen(hub, (channel) => accepted.push(channel));
  const dialing = await dial(world, network, node);
  return { world, network, node, hub, accepted, dialing, accepting: accepted[0]! };
}

async function connectAgain(site: Site): Promise<{ dialing: Channel; accepting: Channel }> {
  const dialing = await dial(site.world, site.network, site.node);
  return { dialing, accepting: site.accepted.at(-1)! };
}

function dial(world: World, network: Network, node: Life): Promise<Channel> {
  return world.settle(network.dialer(node, 'hub').dial(new AbortController().signal), 1_000);
}

/** Sends the numbers from 0 one way under faults and gives what arrived. */
async function exchange(profile: Partial<LinkProfile>, count: number) {
  const site = await start(profile);
  const received: number[] = [];
  site.accepting.onMessage((bytes) => received.push(bytes[0]! * 256 + bytes[1]!));
  const sent = Array.from({ length: count }, (_, value) => value);
  for (const value of sent) site.dialing.send(Uint8Array.of(value >> 8, value & 0xff));
  await site.world.run(site.world.nowMs + 10_000);
  return { sent, received, traffic: site.network.traffic('node', 'hub') };
}

function collect(channel: Channel): number[] {
  const received: number[] = [];
  channel.onMessage((bytes) => received.push(...bytes));
  return received;
}

function witnessCloses(site: Site): string[] {
  const closes: string[] = [];
  site.dialing.onClose((reason) => closes.push(`node ${reason}`));
  site.accepting.onClose((reason) => closes.push(`hub ${reason}`));
  return closes;
}
