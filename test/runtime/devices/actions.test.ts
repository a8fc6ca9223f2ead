/** An action happens at most once, its result is durable, and whoever asked hears of it. */
import { expect, test } from 'vitest';
import type { Driver } from '../../../devices/driver.ts';
import { AppError } from '../../../protocol/errors.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import type { ActionRecord } from '../../../runtime/devices/action-record.ts';
import { ACTIONS_MAX } from '../../../runtime/devices/actions.ts';
import {
  action,
  BARRIER,
  barrier,
  barrierProfile,
  eventually,
  expectPhase,
  type Life,
  phaseOf,
  results,
  twin,
  useHouse,
} from './house.ts';

const { begin, end } = useHouse();
const never = new AbortController().signal;

/** A device that counts what it is told and answers when the test says so. */
function countingDriver() {
  const invoked: string[] = [];
  const answers: ((output: Json) => void)[] = [];
  const driver: Driver = {
    protocol: 'sim',
    async open(_env, _setting, listener) {
      listener.reachable(true);
      return {
        read: async () => 0,
        write: async () => {},
        invoke: (command, _values, signal) => {
          invoked.push(command);
          return new Promise((resolve, reject) => {
            answers.push(resolve);
            signal.addEventListener('abort', () => reject(new AppError('E_CANCELLED', 'not waited for')));
          });
        },
        close: async () => {},
      };
    },
  };
  return { invoked, answers, drivers: new Map([['sim', driver]]) };
}

function withBarrier(life: Life): Life {
  life.devices.apply([barrier()], [barrierProfile()]);
  life.twins.apply([twin(BARRIER)]);
  return life;
}

async function ready(life: Life): Promise<Life> {
  withBarrier(life);
  await eventually(() => expect(life.reported()).toMatchObject({ _device: { up: true } }));
  return life;
}

test('a local action runs, and its result is there in the next life', async () => {
  const first = await ready(await begin());
  const asked = await first.actions.invoke({ twin: BARRIER, name: 'open' });
  expect(asked.status).toMatchObject({ phase: 'Running', startTime: expect.any(String) });
  const record = await first.actions.settled(asked.id, 10_000, never);
  expect(record?.status).toMatchObject({ phase: 'Completed', output: { position: 'open' } });
  // The device is as it says.
  await eventually(() => expect(first.reported()).toMatchObject({ position: 'open' }));
  await end(first);
  expect((await begin()).actions.get(asked.id)).toEqual(record);
});

test.each<[string, { name?: string; input?: Json; twin?: string }, string, string]>([
  ['another action', { name: 'fly' }, 'E_NOT_FOUND', 'it has open, close'],
  ['another device', { twin: 'default.gone' }, 'E_NOT_FOUND', 'no device default.gone'],
  ['an input that is no object', { input: 'open' }, 'E_INPUT_INVALID', 'is an object'],
  ['an input of another type', { input: { position: 3 } }, 'E_INPUT_INVALID', 'position is a text'],
  ['an input that it does not take', { input: { speed: 3 } }, 'E_INPUT_INVALID', 'takes no speed'],
  ['a long input', { input: { position: 'x'.repeat(9_000) } }, 'E_INPUT_INVALID', 'at most 8192 bytes'],
])('%s is refused and leaves no record', async (_what, asked, code, message) => {
  const life = await ready(await begin());
  const refused = life.actions.invoke({ twin: BARRIER, name: 'open', ...asked });
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  expect(life.store.state.actions.size).toBe(0);
});

function nested(levels: number): Json {
  return levels === 0 ? 1 : { inner: nested(levels - 1) };
}

test.each<[string, Json]>([
  ['that nests too deep', nested(11)],
  ['with half a surrogate pair', { text: '\ud800' }],
  ['that is too long', 'x'.repeat(9_000)],
])('an answer %s is left out, and the hub hears that it happened', async (_what, output) => {
  const { answers, drivers } = countingDriver();
  const life = await ready(await begin({ drivers }));
  life.actions.apply([action('a1', { name: 'open' })], 'hub');
  await eventually(() => expect(answers).toHaveLength(1));
  answers[0]!(output);
  // That it runs, and that it is over.
  await eventually(() => expect(life.store.pendingEvents).toBe(2));
  const [told] = await life.store.readEvents(life.store.state.epoch, 2, 1);
  expect(told?.data).toMatchObject({ uid: 'a1', status: { phase: 'Completed' } });
  expect(told?.data).not.toHaveProperty('status.output');
});

test('under one Idempotency-Key it happens once, at once, later and in the next life', async () => {
  const { invoked, answers, drivers } = countingDriver();
  const first = await ready(await begin({ drivers }));
  const asked = { twin: BARRIER, name: 'open', key: 'k1' };
  const [one, two] = await Promise.all([first.actions.invoke(asked), first.actions.invoke(asked)]);
  expect(two.id).toBe(one.id);
  answers[0]!({ ok: true });
  await expectPhase(first, one.id, 'Completed');
  expect(await first.actions.invoke(asked)).toMatchObject({ id: one.id, status: { phase: 'Completed' } });
  await expect(first.actions.invoke({ ...asked, input: { position: 'shut' } })).rejects.toMatchObject({
    code: 'E_CONFLICT',
  });
  await end(first);
  const second = await ready(await begin({ drivers }));
  expect(await second.actions.invoke(asked)).toMatchObject({ id: one.id });
  expect(invoked).toEqual(['open']);
});

test('an intent that no disk took is never told to the device', async () => {
  const { invoked, drivers } = countingDriver();
  const life = await ready(await begin({ drivers }));
  life.disk.fault = new AppError('E_STORE_FAILED', 'the disk is gone');
  await expect(life.actions.invoke({ twin: BARRIER, name: 'open', key: 'k' })).rejects.toThrow('the disk is gone');
  expect(invoked).toEqual([]);
  life.disk.fault = undefined;
  // The refusal is not remembered under the key.
  await life.actions.invoke({ twin: BARRIER, name: 'open', key: 'k' });
  expect(invoked).toEqual(['open']);
});

test('what ran when the power went is Unknown, and the hub hears that once', async () => {
  const { invoked, drivers } = countingDriver();
  const first = await ready(await begin({ drivers }));
  first.actions.apply([action('a1')], 'hub-1');
  await expectPhase(first, 'a1', 'Running');
  await end(first, 'crash');
  const second = await ready(await begin({ drivers }));
  second.actions.apply([action('a1')], 'hub-1');
  expect(phaseOf(second, 'a1')).toBe('Unknown');
  await eventually(() =>
    expect(results(second)).toMatchObject([
      { type: 'stile.action', data: { uid: 'a1', status: { phase: 'Unknown' } } },
    ]),
  );
  second.actions.apply([action('a1')], 'hub-1');
  await end(second);
  const third = await ready(await begin({ drivers }));
  third.actions.apply([action('a1')], 'hub-1');
  await eventually(() => expect(third.actions.get('a1')).toBeDefined());
  expect([...results(third), ...invoked]).toEqual(['open']);
});

test('a result that a crash kept from the outbox is told by the next life', async () => {
  const { answers, drivers } = countingDriver();
  const first = await ready(await begin({ drivers }));
  first.actions.apply([action('a1')], 'hub-1');
  await eventually(() => expect(answers).toHaveLength(1));
  const { append } = first.store;
  first.store.append = () => Promise.reject(new AppError('E_OUTBOX_FULL', 'full'));
  answers[0]!('done');
  await expectPhase(first, 'a1', 'Completed');
  first.store.append = append;
  await end(first, 'crash');
  const second = await begin({ drivers });
  second.actions.apply([action('a1')], 'hub-1');
  await eventually(() =>
    expect(results(second)).toMatchObject([
      { id: 'a1@hub-1', data: { uid: 'a1', status: { phase: 'Completed', output: 'done' } } },
    ]),
  );
});

test('a hub that was put back asks again, and is answered from the record', async () => {
  const { invoked, answers, drivers } = countingDriver();
  const life = await ready(await begin({ drivers }));
  life.actions.apply([action('a1')], 'hub-1');
  await eventually(() => expect(answers).toHaveLength(1));
  answers[0]!(null);
  await eventually(() => expect(results(life)).toHaveLength(1));
  life.actions.apply([], 'hub-1');
  life.actions.apply([action('a1')], 'hub-2');
  await eventually(() => expect(results(life).map(({ id }) => id)).toEqual(['a1@hub-1', 'a1@hub-2']));
  expect(invoked).toEqual(['open']);
});

test.each<[string, Parameters<typeof action>[1], string]>([
  ['too late', { expiresTime: new Date(systemClock.now() - 1).toISOString() }, 'Expired'],
  ['asked of a store that was replaced', { nodeEpoch: 'e0' }, 'Unknown'],
  ['without a time that can be read', { expiresTime: 'soon' }, 'Expired'],
  ['no action of the device', { name: 'fly' }, 'Failed'],
])('an action of the hub that is %s is not begun, and the hub hears so', async (_what, spec, phase) => {
  const { invoked, drivers } = countingDriver();
  const life = await ready(await begin({ drivers }));
  life.actions.apply([action('a1', spec)], 'hub-1');
  await eventually(() => expect(results(life)).toMatchObject([{ data: { uid: 'a1', status: { phase } } }]));
  expect(invoked).toEqual([]);
});

test('the time that counts is the one that has certainly come, whatever the clock says', async () => {
  const life = await ready(await begin({ nowMs: () => systemClock.now() + 3_600_000 }));
  life.actions.apply([action('a1')], 'hub-1');
  await expectPhase(life, 'a1', 'Expired');
});

test('actions of the hub on one device run one after another, and wait for a device that is not there yet', async () => {
  const { invoked, answers, drivers } = countingDriver();
  const life = await begin({ drivers });
  life.actions.apply([action('a1'), action('a2', { name: 'close' })], 'hub-1');
  withBarrier(life);
  await eventually(() => expect(answers).toHaveLength(1));
  expect([...invoked, phaseOf(life, 'a2')]).toEqual(['open', undefined]);
  answers[0]!(null);
  await eventually(() => expect(invoked).toEqual(['open', 'close']));
});

test('the hub hears that an action runs before it hears how it ended', async () => {
  const life = await ready(await begin());
  life.actions.apply([action('a1')], 'hub-1');
  await eventually(() =>
    expect(life.events).toMatchObject(
      ['Running', 'Completed'].map((phase) => ({ type: 'stile.action', data: { uid: 'a1', status: { phase } } })),
    ),
  );
});

test('an orderly stop leaves nothing running', async () => {
  const { drivers } = countingDriver();
  const first = await ready(await begin({ drivers }));
  const { id } = await first.actions.invoke({ twin: BARRIER, name: 'open' });
  await end(first);
  expect(phaseOf(first, id)).toBe('Unknown');
  expect(phaseOf(await begin({ drivers }), id)).toBe('Unknown');
});

test('the table is bounded: the oldest local ones make room, what the hub asks for stays', async () => {
  const { answers, drivers } = countingDriver();
  const life = await ready(await begin({ drivers }));
  life.actions.apply([action('a1')], 'hub-1');
  await eventually(() => expect(answers).toHaveLength(1));
  answers[0]!(null);
  await expectPhase(life, 'a1', 'Completed');
  const old = Array.from({ length: ACTIONS_MAX - 1 }, (_unused, index): ActionRecord => {
    const times = { acceptedMs: 1, expiresMs: Number.MAX_SAFE_INTEGER };
    const names = { id: `old-${index}`, twin: BARRIER, name: 'open' };
    return { ...names, from: 'local', ...times, status: { phase: 'Completed' } };
  });
  await life.store.commit(old.map((record) => ({ kind: 'action', record })));
  const { id } = await life.actions.invoke({ twin: BARRIER, name: 'open' });
  expect(life.store.state.actions.size).toBe(ACTIONS_MAX);
  expect([phaseOf(life, 'a1'), phaseOf(life, 'old-0'), phaseOf(life, id)]).toEqual(['Completed', undefined, 'Running']);
});
