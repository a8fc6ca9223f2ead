/** `stile wait`: what counts as met, and how it goes on over a lost connection and a forgotten revision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wait } from '../../../cloud/cli/commands/wait.ts';
import type { ApiRequest, Connection, World } from '../../../cloud/cli/ports.ts';
import { isMet, parseWaitCondition, standingOf } from '../../../cloud/cli/wait-condition.ts';
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { CommandLine, configMap } from './command-line.ts';

const node = (status: object, metadata: object = {}) =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1', uid: 'u1', ...metadata }, status }) as KubeObject;
const ready = (status: string, more: object = {}) => node({ conditions: [{ type: 'Ready', status, ...more }] });

describe('a condition', () => {
  it.each([
    ['condition=Ready', ready('True'), true],
    ['condition=ready=true', ready('True'), true],
    ['condition=Ready=Unknown', ready('Unknown'), true],
    ['condition=Ready', ready('False'), false],
    ['condition=Ready', node({}), false],
    [
      'condition=Ready',
      node({ conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] }, { generation: 2 }),
      false,
    ],
    [
      'condition=Ready',
      node({ observedGeneration: 2, conditions: [{ type: 'Ready', status: 'True' }] }, { generation: 2 }),
      true,
    ],
    ['jsonpath={.status.phase}=Running', node({ phase: 'Running' }), true],
    ['jsonpath=.status.phase="Running"', node({ phase: 'Running' }), true],
    ['jsonpath={.status.phase}=Running', node({ phase: 'Pending' }), false],
    ['jsonpath={.status.phase}', node({ phase: 'Pending' }), true],
    ['jsonpath={.status.phase}', node({}), false],
    ['jsonpath={.status.replicas}=3', node({ replicas: 3 }), true],
    ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', ready('True'), true],
    ['delete', node({}), false],
  ])('%s', (text, object, met) => {
    expect(isMet(parseWaitCondition(text), object)).toBe(met);
  });

  it('tells how an object stands that does not fulfil it', () => {
    const standing = (text: string, object: KubeObject) => standingOf(parseWaitCondition(text), object);
    expect(standing('condition=Ready', ready('False', { reason: 'NoLink', message: 'cut off' }))).toBe(
      'has Ready=False (NoLink: cut off)',
    );
    expect(standing('condition=Ready', node({}))).toBe('has no condition Ready');
    expect(standing('jsonpath={.status.phase}=Running', node({ phase: 'Pending' }))).toBe(
      'has {.status.phase}=Pending',
    );
    expect(standing('delete', node({}, { deletionTimestamp: 'x', finalizers: ['a/b'] }))).toBe(
      'is marked for deletion and held by a/b',
    );
  });

  it('that finds several values where one is compared is refused', () => {
    const object = node({ conditions: [{ status: 'True' }, { status: 'False' }] });
    const condition = parseWaitCondition('jsonpath={.status.conditions[*].status}=True');
    expect(() => isMet(condition, object)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });

  it.each(['ready', 'condition=', 'jsonpath=', 'jsonpath={.a'])('%s is refused', (text) => {
    expect(() => parseWaitCondition(text)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});

/** A server whose lists and watches are written down, one after the other. */
function scripted(lists: KubeObject[][], watches: (() => Iterable<object>)[]) {
  const asked: ApiRequest[] = [];
  const kinds = [
    { name: 'nodes', singularName: 'node', kind: 'Node', namespaced: false, shortNames: [], verbs: ['list'] },
  ];
  const connection = {
    namespace: 'default',
    api: async (request: ApiRequest) => {
      if (request.path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
      if (request.path === '/apis') return { kind: 'APIGroupList', groups: [] };
      if (request.path === '/api/v1') return { resources: kinds };
      asked.push(request);
      return { kind: 'NodeList', items: lists.shift(), metadata: { resourceVersion: '10' } };
    },
    async *lines(request: ApiRequest, onOpen: () => void) {
      asked.push(request);
      const next = watches.shift();
      const { signal } = request;
      if (next === undefined && !signal!.aborted)
        await new Promise((resolve) => signal!.addEventListener('abort', resolve));
      onOpen();
      yield* next?.() ?? [];
    },
  } as unknown as Connection;
  const said = { out: '', told: [] as string[], faults: [] as AppError[] };
  const world = {
    terminal: { out: (text: string) => (said.out += text), tell: (line: string) => said.told.push(line) },
    // Pauses between two watches take no time; the limit of the whole wait is a real one.
    clock: {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms === 1_000 ? 0 : ms, signal),
    },
    connect: async () => connection,
    report: (error: AppError) => said.faults.push(error),
  } as unknown as World;
  return { world, asked, said };
}

const options = (text: string, more: object = {}) => ({
  for: parseWaitCondition(text),
  timeoutMs: 60_000,
  requestTimeoutMs: 1_000,
  ...more,
});
const event = (type: string, object: KubeObject, resourceVersion = '11') => ({
  type,
  object: { ...object, metadata: { ...object.metadata, resourceVersion } },
});

describe('waiting', () => {
  it('goes on from the last revision after a lost connection', async () => {
    const cut = function* () {
      yield event('MODIFIED', ready('Unknown'), '12');
      throw new AppError('E_LINK_CLOSED', 'cut');
    };
    const { world, asked, said } = scripted([[ready('False')]], [cut, () => [event('MODIFIED', ready('True'), '13')]]);
    await wait(world, ['node/gate-1'], options('condition=Ready'));
    expect(said).toEqual({
      out: 'node/gate-1 condition met\n',
      told: ['connection lost, trying again: cut', 'reconnected'],
      faults: [],
    });
    expect(asked.map(({ query }) => [query!.watch, query!.resourceVersion, query!.fieldSelector])).toEqual([
      [undefined, undefined, 'metadata.name=gate-1'],
      ['true', '10', 'metadata.name=gate-1'],
      ['true', '12', 'metadata.name=gate-1'],
    ]);
  });

  it('lists again when the server has forgotten the revision, and finds there what has gone', async () => {
    const expired = () => [{ type: 'ERROR', object: { code: 410, message: 'too old' } }];
    const { world, said } = scripted([[ready('True')], []], [expired]);
    await wait(world, ['node/gate-1'], options('delete'));
    expect(said).toEqual({ out: 'node/gate-1 condition met\n', told: [], faults: [] });
  });

  it('takes an object of the same name with another identity for the end of the first', async () => {
    const { world, said } = scripted([[node({})]], [() => [event('MODIFIED', node({}, { uid: 'u2' }))]]);
    await wait(world, ['node/gate-1'], options('delete'));
    expect(said.out).toBe('node/gate-1 condition met\n');
  });

  it('does not take an object that loses its label for a deleted one: it watches without labels', async () => {
    const { world, asked } = scripted([[node({})]], [() => [event('DELETED', node({}))]]);
    await wait(world, ['nodes'], options('delete', { selector: 'a=b' }));
    expect(asked.map(({ query }) => query!.labelSelector)).toEqual(['a=b', undefined]);
  });

  it('fails when the object goes while something else is waited for', async () => {
    const { world, said } = scripted([[node({})]], [() => [event('DELETED', node({}))]]);
    await wait(world, ['node/gate-1'], options('condition=Ready'));
    expect(said.faults).toMatchObject([{ code: 'E_NOT_FOUND', message: 'node/gate-1 was deleted meanwhile' }]);
  });

  it('names how the missing ones stand when the time is over, and what was met before', async () => {
    const named = (name: string, status: string) => node({ conditions: [{ type: 'Ready', status }] }, { name });
    const { world, said } = scripted([[named('a', 'True'), named('b', 'Unknown'), named('c', 'False')]], []);
    await wait(world, ['nodes'], options('condition=Ready', { all: true, timeoutMs: 50 }));
    expect(said.out).toBe('node/a condition met\n');
    expect(said.faults).toMatchObject([
      { code: 'E_TIMEOUT', message: 'the time is over: node/b has Ready=Unknown; node/c has Ready=False' },
    ]);
  });
});

describe('against a hub', () => {
  let line: CommandLine;
  beforeAll(async () => {
    line = await CommandLine.start();
  });
  afterAll(() => line?.stop());

  it('ends when a value comes, and when the object goes', async () => {
    await line.apply(configMap('flag', { state: 'off' }));
    const on = line.run(['wait', 'cm/flag', '--for=jsonpath={.data.state}=on', '--timeout', '30s']);
    await line.apply(configMap('flag', { state: 'on' }));
    expect(await on).toEqual({ code: 0, stdout: 'configmap/flag condition met\n', stderr: '' });
    const gone = line.run(['wait', 'cm', 'flag', '--for', 'delete', '--timeout', '30s']);
    await line.ok(['delete', 'cm', 'flag']);
    expect(await gone).toMatchObject({ code: 0, stdout: 'configmap/flag condition met\n' });
  });

  it('tells by its exit code what came of it', async () => {
    await line.apply(configMap('calm', { state: 'off' }));
    const run = async (...args: string[]) => line.run(['wait', ...args]);
    const late = await run('cm/calm', '--for=jsonpath={.data.state}=on', '--timeout=300ms');
    expect(late).toEqual({
      code: 3,
      stdout: '',
      stderr: 'error: the time is over: configmap/calm has {.data.state}=off (E_TIMEOUT)\n',
    });
    expect(await run('cm/calm', '--for=delete', '--timeout=0')).toMatchObject({ code: 3 });
    expect(await run('cm/nobody', '--for=jsonpath={.data}')).toMatchObject({ code: 1 });
    expect(await run('cm/nobody', '--for=delete')).toMatchObject({ code: 0 });
    expect(await run('cm', '-l', 'a=none', '--for=condition=Ready')).toMatchObject({ code: 1 });
    for (const args of [
      ['cm', '--for=delete'],
      ['cm/calm'],
      ['cm/calm', '--for=soon'],
      ['cm/calm', '--for=delete', '--all'],
    ])
      expect(await run(...args)).toMatchObject({ code: 2, stdout: '' });
  });

  it('prints a template and columns, of one object and of a list', async () => {
    await line.apply(configMap('shape', { a: '1' }));
    expect(await line.ok(['get', 'cm', 'shape', '-o', 'jsonpath={.data.a}{"\\n"}'])).toBe('1\n');
    const names = await line.ok(['get', 'cm', '-o', 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}']);
    expect(names.split('\n')).toContain('shape');
    const table = await line.ok(['get', 'cm/shape', '-o', 'custom-columns=NAME:.metadata.name,A:.data.a,B:.data.b']);
    expect(table).toBe('NAME    A   B\nshape   1   <none>\n');
    expect(await line.run(['get', 'cm', '-o', 'jsonpath={.a'])).toMatchObject({ code: 2 });
  });
});
