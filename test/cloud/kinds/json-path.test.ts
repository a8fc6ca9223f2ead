/** Paths and templates in kubectl's language, and what they print. The first document is that of Kubernetes' own page. */
import { describe, expect, it } from 'vitest';
import { customText, parseCustomOutput } from '../../../cloud/cli/custom-output.ts';
import { parseTemplate, renderTemplate } from '../../../cloud/cli/json-path-template.ts';
import { parsePath, selectValues } from '../../../cloud/kinds/json-path.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';

const page = {
  kind: 'List',
  items: [
    {
      kind: 'None',
      metadata: { name: '127.0.0.1', labels: { 'kubernetes.io/hostname': '127.0.0.1' } },
      status: { capacity: { cpu: '4' }, addresses: [{ type: 'LegacyHostIP', address: '127.0.0.1' }] },
    },
    {
      kind: 'None',
      metadata: { name: '127.0.0.2' },
      status: {
        capacity: { cpu: '8' },
        addresses: [
          { type: 'LegacyHostIP', address: '127.0.0.2' },
          { type: 'another', address: '127.0.0.3' },
        ],
      },
    },
  ],
  users: [
    { name: 'myself', user: {} },
    { name: 'e2e', user: { username: 'admin', password: 'secret' } },
  ],
};

describe('a template', () => {
  // The table of the page "JSONPath Support", and what is written beside it.
  it.each([
    ['{.kind}', 'List'],
    ["the object's kind {.kind}", "the object's kind List"],
    ["{['kind']}", 'List'],
    ['{..name}', '127.0.0.1 127.0.0.2 myself e2e'],
    ['{.items[*].metadata.name}', '127.0.0.1 127.0.0.2'],
    ['{.users[0].name}', 'myself'],
    ["{.items[*]['metadata.name', 'status.capacity']}", '127.0.0.1 {"cpu":"4"} 127.0.0.2 {"cpu":"8"}'],
    ['{.users[?(@.name=="e2e")].user.password}', 'secret'],
    [
      '{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}',
      '[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] ',
    ],
    ["{range .items[*]}{.metadata.name}{'\\t'}{end}", '127.0.0.1\t127.0.0.2\t'],
    ['{.items[*].metadata.labels.kubernetes\\.io/hostname}', '127.0.0.1'],
    ["{.items[0].metadata.labels['kubernetes\\.io/hostname']}", '127.0.0.1'],
    ["{.items[0].metadata.labels['kubernetes.io/hostname']}", '127.0.0.1'],
    ['{.users[-1:].name}{"\\n"}', 'e2e\n'],
    ['{$.users[-1].name}', 'e2e'],
    ['{.users[0,1].name}', 'myself e2e'],
    ['{.users[::2].name}', 'myself'],
    ['{.users[7].name}{.users[-7].name}{.nothing.at.all}', ''],
    ['{.items[?(@.status.capacity.cpu>"5")].metadata.name}', '127.0.0.2'],
    ["{.items[*].status.addresses[?(@.type!='LegacyHostIP')].address}", '127.0.0.3'],
    ['{.users[?(@.user.username)].name}', 'e2e'],
    [
      '{range .items[*]}{.metadata.name}:{range .status.addresses[*]} {.address}{end}{"\\n"}{end}',
      '127.0.0.1: 127.0.0.1\n127.0.0.2: 127.0.0.2 127.0.0.3\n',
    ],
    ['{.kind "/" .users[0].name}', 'List/myself'],
    ['{.constructor}{.items.length}{.__proto__}', ''],
    ['{.users[*].user}', '{} {"username":"admin","password":"secret"}'],
  ])('%s', (template, text) => {
    expect(renderTemplate(parseTemplate(template), page)).toBe(text);
  });

  it.each([
    ['{.a', '} is missing'],
    ['{range .a}', '{end} of a range is missing'],
    ['{end}', '{end} without a {range}'],
    ['{kind}', 'write a path'],
    ['{.a[}', 'an index, *, '],
    ['{.a[?(@.b==)]}', 'a filter compares'],
    ['{"open}', 'a quote is not closed'],
    ['{.a[0:3:0]}', 'a step is 1 or more'],
    ['{.a.}', 'the name of a field is missing'],
  ])('%s is refused: %s', (template, reason) => {
    const refused = expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining(reason) });
    expect(() => parseTemplate(template)).toThrow(refused);
  });
});

describe('a path', () => {
  it('needs neither dot nor braces where nothing else can stand', () => {
    for (const text of ['kind', '.kind', '{.kind}', '$.kind'])
      expect(selectValues(parsePath(text), page)).toEqual(['List']);
    expect(selectValues(parsePath('.'), page)).toEqual([page]);
    expect(() => parsePath('.kind}')).toThrow(/a path ends here, at character 6/);
  });
});

describe('columns in the words of the user', () => {
  const objects = page.items as unknown as KubeObject[];
  const columns = (text: string) => parseCustomOutput(`custom-columns=${text}`)!;

  it('show <none> for what is not there and join several values', () => {
    const shown = columns(
      'NAME:.metadata.name,HOST:{.metadata.labels.kubernetes\\.io/hostname},AT:status.addresses[*].address',
    );
    expect(customText(shown, page, objects, true).split('\n')).toEqual([
      'NAME        HOST        AT',
      '127.0.0.1   127.0.0.1   127.0.0.1',
      '127.0.0.2   <none>      127.0.0.2,127.0.0.3',
      '',
    ]);
    expect(customText(columns('N:.metadata.name'), page, objects, false)).toBe('127.0.0.1\n127.0.0.2\n');
  });

  it('keep a comma inside of brackets, and must be pairs', () => {
    expect(customText(columns("N:.metadata['name','nothing']"), page, objects, false)).toBe('127.0.0.1\n127.0.0.2\n');
    for (const text of ['', 'NAME', 'NAME:', ':.a', 'A:.a,']) expect(() => columns(text)).toThrow(/write NAME:\.path/);
  });

  it('do not let a value drive the terminal', () => {
    const evil = [{ metadata: { name: 'a\u001b[2J' } }] as unknown as KubeObject[];
    expect(customText(columns('N:.metadata.name'), page, evil, false)).toBe('a\\x1b[2J\n');
  });
});
