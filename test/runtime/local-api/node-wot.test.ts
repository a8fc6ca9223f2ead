/** W3C's reference client for Node works with things of a terminal unchanged, in any order, and over a restart. */
import { afterEach, expect, test } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { BARRIER, eventually, NODE } from '../devices/house.ts';
import { SCANNER, type ThingsLife, tellDevices, useThings } from './things-api.ts';
import { type ConsumedThing, type WotClient, wotClient } from './wot-client.ts';

const { begin } = useThings();
const clients: WotClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

async function ready(): Promise<ThingsLife> {
  const life = await begin();
  tellDevices(life);
  for (const id of [BARRIER, SCANNER])
    await eventually(() => expect(life.reported(id)).toMatchObject({ _device: { up: true } }));
  return life;
}

async function consume(life: ThingsLife, id: string): Promise<ConsumedThing> {
  const client = await wotClient(life.api.principals.ownerToken);
  clients.push(client);
  return client.consume((await life.ask(`/things/${id}`)).body);
}

test('it reads all, writes one and some, and invokes', async () => {
  const life = await ready();
  const thing = await consume(life, BARRIER);
  const all = await thing.readAllProperties();
  const values: Record<string, Json> = {};
  for (const [name, output] of all) values[name] = await output.value();
  expect(values).toEqual({ position: 'closed', obstacle: false, cycles: 0, _device: { up: true } });
  await thing.writeProperty('position', 'open');
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'open' }));
  await thing.writeMultipleProperties(
    new Map<string, Json>([
      ['position', 'closed'],
      ['obstacle', false],
    ]),
  );
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'closed' }));
  const invocation = (await (await thing.invokeAction('open')).value()) as { href: string; phase: string };
  expect(invocation.phase).toBe('Running');
  const over = await life.ask(`${new URL(invocation.href).pathname}?waitSeconds=10`);
  expect(over.body).toMatchObject({ phase: 'Completed' });
  await expect(thing.writeProperty('cycles', 3)).rejects.toThrow();
  await (await consume(life, SCANNER)).invokeAction('present', { present: '17' });
  await eventually(() => expect(life.reported(SCANNER)).toMatchObject({ scans: 1 }));
});

test('it observes before it does anything else, over a restart, and writes then', async () => {
  const first = await ready();
  const thing = await consume(first, BARRIER);
  const seen: Json[] = [];
  const subscription = await thing.observeProperty(
    'position',
    (output) => void output.value().then((value) => seen.push(value)),
    () => {},
  );
  await eventually(() => expect(seen).toEqual(['closed']));
  await thing.writeProperty('position', 'open');
  await eventually(() => expect(seen).toEqual(['closed', 'opening', 'open']));
  await first.close();
  const second = await begin();
  tellDevices(second);
  await eventually(() => expect(second.reported()).toMatchObject({ _device: { up: true } }));
  await thing.writeProperty('position', 'closed');
  await eventually(() => expect(seen.at(-1)).toBe('closed'));
  await subscription.stop();
});

test('it hears events, and observes by long poll where it is told to', async () => {
  const life = await ready();
  const scanner = await consume(life, SCANNER);
  const heard: Json[] = [];
  const events = await scanner.subscribeEvent('scan', (output) => void output.value().then((data) => heard.push(data)));
  await scanner.invokeAction('present', { present: '17' });
  await eventually(() => expect(heard).toEqual([{ code: '17' }]));
  await events.stop();
  const lamps: Json[] = [];
  const { body } = await life.ask(`/things/${SCANNER}`);
  const { forms } = (body as { properties: { lamp: { forms: { subprotocol?: string }[] } } }).properties.lamp;
  const formIndex = forms.findIndex(({ subprotocol }) => subprotocol === 'longpoll');
  const onLamp = (output: { value(): Promise<Json> }) => void output.value().then((value) => lamps.push(value));
  const poll = await scanner.observeProperty('lamp', onLamp, () => {}, { formIndex });
  await eventually(async () => expect(life.reported(SCANNER)).toHaveProperty('lamp'));
  // The poll is on its way when its HEAD was answered; a value that came before is not new.
  for (const on of [true, false, true]) {
    const count = lamps.length;
    await scanner.writeProperty('lamp', on);
    await eventually(() => expect(lamps.length).toBeGreaterThan(count));
    expect(lamps.at(-1)).toBe(on);
  }
  await poll.stop();
});

test("the node's own thing is read, written and observed as its sections", async () => {
  const life = await ready();
  const client = await wotClient(life.api.principals.ownerToken);
  clients.push(client);
  const thing = await client.consume((await life.ask('/.well-known/wot')).body);
  const seen: Json[] = [];
  await thing.observeProperty('desired', (output) => void output.value().then((value) => seen.push(value)));
  await thing.writeProperty('desired', { mode: 'night' });
  await eventually(() => expect(seen).toEqual([{}, { mode: 'night' }]));
  expect(await (await thing.readProperty('desired')).value()).toEqual({ mode: 'night' });
  expect(life.reported(NODE)).toEqual({});
});
