import { describe, expect, it } from 'vitest';
import { byteText, progressLine } from '../../../cloud/cli/commands/image.ts';
import { uniqueId } from '../../../cloud/cli/commands/token.ts';
import { describeObject } from '../../../cloud/cli/description.ts';
import { parseDuration } from '../../../cloud/cli/duration.ts';
import { parseManifests } from '../../../cloud/cli/manifest.ts';
import { outlineLines, outlineOf } from '../../../cloud/cli/outline.ts';
import { documentText, headOf, rowsOf, yamlText } from '../../../cloud/cli/print.ts';
import { type Resource, resolveKind, resolveKinds } from '../../../cloud/cli/resources.ts';
import { parseSubjects } from '../../../cloud/cli/subjects.ts';
import { alignedLines, cellText, GrowingTable, type ServerTable } from '../../../cloud/cli/table.ts';
import type { Pod } from '../../../protocol/kubernetes.ts';

const resource = (plural: string, group = '', version = 'v1', more: Partial<Resource> = {}): Resource => ({
  group,
  version,
  kind: plural.replace(/^./, (letter) => letter.toUpperCase()).replace(/s$/, ''),
  plural,
  singular: plural.replace(/s$/, ''),
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['get', 'list'],
  ...more,
});

const resources = [
  resource('nodes', '', 'v1', { shortNames: ['no'], namespaced: false }),
  resource('pods', '', 'v1', { shortNames: ['po'], categories: ['all'] }),
  resource('deployments', 'apps', 'v1', { shortNames: ['deploy'], categories: ['all'] }),
  resource('nodepools', 'apps.openyurt.io', 'v1beta2', { shortNames: ['np'], namespaced: false }),
  resource('nodepools', 'apps.openyurt.io', 'v1beta1', { namespaced: false }),
  resource('nodes', 'metrics.k8s.io', 'v1beta1', { namespaced: false }),
];

describe('an object', () => {
  it('is shown without who owns which field', () => {
    const metadata = { name: 'a', managedFields: [{ manager: 'ann' }] };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    expect(JSON.parse(documentText('json', [object], true)).metadata).toEqual({ name: 'a' });
    expect(documentText('yaml', [object, object], false)).not.toContain('ann');
  });
});

describe('a word for a kind', () => {
  it('means the first group that has it, unless the group is named', () => {
    expect(resolveKind(resources, 'nodes').group).toBe('');
    expect(resolveKind(resources, 'nodes.metrics.k8s.io').group).toBe('metrics.k8s.io');
    expect(resolveKind(resources, 'nodepools.v1beta1.apps.openyurt.io').version).toBe('v1beta1');
    expect(resolveKind(resources, 'np').version).toBe('v1beta2');
  });

  it('may be a category, or the beginning of one kind but not of two', () => {
    expect(resolveKinds(resources, 'all').map((kind) => kind.plural)).toEqual(['pods', 'deployments']);
    expect(resolveKind(resources, 'nodep').plural).toBe('nodepools');
    expect(() => resolveKind(resources, 'nod')).toThrow(/nod may mean nodes, nodepools/);
    expect(() => resolveKind(resources, 'gates')).toThrow(/has no kind gates; it has: nodes, pods/);
  });
});

describe('arguments', () => {
  it('are one kind with names, several kinds, or pairs, never a mix', () => {
    expect(parseSubjects(resources, ['po', 'a', 'b'])).toMatchObject([
      { resource: { plural: 'pods' }, names: ['a', 'b'] },
    ]);
    expect(parseSubjects(resources, ['po,np'])).toHaveLength(2);
    expect(parseSubjects(resources, ['po/a', 'deploy/b'])).toMatchObject([{ names: ['a'] }, { names: ['b'] }]);
    for (const args of [[], ['po,np', 'a'], ['po/a', 'b'], ['po/'], ['po/a/b'], [',']])
      expect(() => parseSubjects(resources, args)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});

describe('tables', () => {
  const table: ServerTable = {
    kind: 'Table',
    columnDefinitions: [
      { name: 'Name', type: 'string' },
      { name: 'Images', type: 'string', priority: 1 },
    ],
    rows: [{ cells: ['web', 'gate:1'], object: { metadata: { namespace: 'shop' } } }],
  };

  it('show wide columns and namespaces only when asked, and names with their kind among several kinds', () => {
    const narrow = { wide: false, withNamespace: false };
    expect([headOf(table, narrow), ...rowsOf(table, narrow)]).toEqual([['NAME'], ['web']]);
    const all = { wide: true, withNamespace: true, kind: resources[2]! };
    expect([headOf(table, all), ...rowsOf(table, all)]).toEqual([
      ['NAMESPACE', 'NAME', 'IMAGES'],
      ['shop', 'deployment.apps/web', 'gate:1'],
    ]);
  });

  it('align columns without borders or trailing blanks', () => {
    expect(
      alignedLines([
        ['A', 'B'],
        ['longer', ''],
        ['x', 'y'],
      ]),
    ).toEqual(['A        B', 'longer', 'x        y']);
    expect(alignedLines([])).toEqual([]);
  });

  it('keep their columns while rows come, until a wider value does', () => {
    const growing = new GrowingTable();
    expect(
      growing.lines([
        ['NAME', 'AGE'],
        ['abc', '1s'],
      ]),
    ).toEqual(['NAME   AGE', 'abc    1s']);
    expect(growing.lines([['a', '2s']])).toEqual(['a      2s']);
    expect(growing.lines([['abcdef', '3s']])).toEqual(['abcdef   3s']);
  });

  it('let no value drive the terminal or break its line', () => {
    expect(cellText('red \u001b[31m alarm')).toBe('red \\x1b[31m alarm');
    expect(cellText('first\nsecond')).toBe('first...');
    expect(cellText(null)).toBe('<none>');
    expect(cellText(0)).toBe('0');
  });
});

describe('an outline', () => {
  it('words names of the API and leaves the keys of a user as they are', () => {
    const lines = outlineLines([
      ['Spec', outlineOf({ podIP: '10.0.0.1', labels: { appName: 'x' }, empty: {}, list: [1, 2] })],
    ]);
    expect(lines).toEqual([
      'Spec:',
      '  Pod IP: 10.0.0.1',
      '  Labels: appName=x',
      '  Empty:  <none>',
      '  List:   1',
      '          2',
    ]);
  });
});

describe('the description of a pod', () => {
  it('tells how its containers fare, with the last words of a failed one', () => {
    const state = {
      terminated: { exitCode: 3, reason: 'Error', message: 'no\nkeys', finishedAt: '2026-01-01T00:00:00Z' },
    };
    const status = { name: 'main', ready: false, restartCount: 4, image: 'gate:1', imageID: '', state };
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'far', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { nodeName: 'gate-1', containers: [{ name: 'main', image: 'gate:1', env: [{ name: 'A', value: 'b' }] }] },
      status: { phase: 'Running', containerStatuses: [status] },
    };
    const text = describeObject(
      pod,
      { events: [], nodes: [], pods: [], deployments: [] },
      Date.parse('2026-01-01T00:05:00Z'),
    );
    expect(text).toMatch(/^Name: +far\nNamespace: +default\nKind: +Pod \(v1\)\n/);
    expect(text).toMatch(/State: +Terminated: Error, exit code 3, at 2026-01-01T00:00:00Z\n +no\n +keys\n/);
    expect(text).toMatch(/Restarts: +4\n +Environment: +A=b\n/);
    expect(text).toContain('(5m ago)');
    expect(text).toMatch(/Events: <none>\n$/);
  });
});

describe('YAML', () => {
  it('that is printed is read back as it was, words that YAML 1.1 takes for booleans too', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c' },
      data: {
        a: 'yes',
        b: '0644',
        c: '1e3',
        d: '2026-01-01',
        e: 'line\n\nline\n',
        f: '12:30:00',
        g: '~',
        h: 'x'.repeat(300),
      },
    };
    expect(parseManifests([{ source: 's', text: yamlText(object) }])).toEqual([{ object, origin: 's:1' }]);
  });

  it('knows no dates, base-60 numbers or binaries, as kubectl', () => {
    const text =
      'apiVersion: v1\nkind: X\nmetadata: {name: x}\nday: 2026-01-01\ntime: 12:30:00\nmode: 0644\nlist: {kind: PodList}\n';
    expect(parseManifests([{ source: 's', text }])[0]!.object).toMatchObject({
      day: '2026-01-01',
      time: '12:30:00',
      mode: 420,
    });
  });

  it('lists are taken apart and documents counted by their line', () => {
    const item = (name: string) => `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}}`;
    const text = `${item('a')}\n---\n\napiVersion: v1\nkind: List\nitems: [${item('b')}, ${item('c')}]\n`;
    const found = parseManifests([{ source: 's', text }]).map(
      ({ object, origin }) => `${object.metadata.name} ${origin}`,
    );
    expect(found).toEqual(['a s:1', 'b s:4', 'c s:4']);
  });
});

describe('small readings', () => {
  it('durations', () => {
    expect(['90', '1h30m', '500ms', '7d'].map((text) => parseDuration(text, '--x'))).toEqual([
      90_000, 5_400_000, 500, 604_800_000,
    ]);
    expect(() => parseDuration('1 hour', '--x')).toThrow(/--x 1 hour/);
  });

  it('the beginning of an id, when it is the beginning of one', () => {
    expect(uniqueId(['abc', 'abd', 'x'], 'x')).toBe('x');
    expect(uniqueId(['abc', 'abd'], 'abc')).toBe('abc');
    expect(() => uniqueId(['abc', 'abd'], 'ab')).toThrow(/abc, abd/);
    expect(() => uniqueId(['abc'], 'z')).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
  });

  it('progress in bytes and rate', () => {
    expect(progressLine(1_048_576, 2_097_152, 2_000)).toBe(
      '[############            ]  50 %  1.0 MiB of 2.0 MiB, 512.0 KiB/s',
    );
    expect(progressLine(0, 0, 0)).toContain('100 %');
    expect([0, 1023, 1024, 5 * 1024 ** 4].map(byteText)).toEqual(['0 B', '1023 B', '1.0 KiB', '5120.0 GiB']);
  });
});
