import { describe, expect, it, test } from 'vitest';
import { isSubject, missingGrants, ruleAllows } from '../../../cloud/api/role-rules.ts';
import type { PolicyRule } from '../../../cloud/kinds/role.ts';
import type { RoleSubject } from '../../../cloud/kinds/role-binding.ts';
import type { ApiRequest } from '../../../protocol/resources/api/identity.ts';

/** `get pods/log.GROUP NAME` as a request; a path as it is. */
function request(text: string): Omit<ApiRequest, 'identity'> {
  const [verb = '', what = '', name] = text.split(' ');
  if (what.startsWith('/')) return { verb, path: what };
  const [part = '', ...group] = what.split('.');
  const [plural = '', subresource] = part.split('/');
  return {
    verb,
    path: '',
    resource: {
      group: group.join('.'),
      version: 'v1',
      plural,
      ...(subresource === undefined ? {} : { subresource }),
      ...(name === undefined ? {} : { name }),
    },
  };
}

const rule = (verbs: string[], apiGroups: string[], resources: string[], resourceNames?: string[]): PolicyRule => ({
  verbs,
  apiGroups,
  resources,
  ...(resourceNames === undefined ? {} : { resourceNames }),
});
const paths = (verbs: string[], ...nonResourceURLs: string[]): PolicyRule => ({ verbs, nonResourceURLs });

describe('a rule allows what it names and nothing beside it', () => {
  const table: [what: string, rule: PolicyRule, allowed: string[], refused: string[]][] = [
    [
      'verbs',
      rule(['get', 'list'], [''], ['pods']),
      ['get pods a', 'list pods'],
      ['watch pods', 'delete pods a', '* pods'],
    ],
    ['every verb', rule(['*'], [''], ['pods']), ['delete pods a', '* pods'], ['get secrets a']],
    ['groups', rule(['get'], ['apps'], ['deployments']), ['get deployments.apps a'], ['get deployments a']],
    ['the core group alone', rule(['get'], [''], ['pods']), ['get pods a'], ['get pods.metrics.k8s.io a']],
    ['every group', rule(['get'], ['*'], ['pods']), ['get pods.metrics.k8s.io a', 'get pods a'], ['get nodes a']],
    ['a resource, not its parts', rule(['get'], [''], ['pods']), ['get pods a'], ['get pods/log a']],
    [
      'a part, not its resource',
      rule(['get'], [''], ['pods/log']),
      ['get pods/log a'],
      ['get pods a', 'get pods/exec a'],
    ],
    [
      'a part of anything',
      rule(['get'], ['*'], ['*/scale']),
      ['get deployments/scale.apps a'],
      ['get deployments.apps a', 'get pods/log a'],
    ],
    ['no half wildcard', rule(['get'], [''], ['pods/*']), [], ['get pods a', 'get pods/log a']],
    [
      'every resource and part',
      rule(['get'], [''], ['*']),
      ['get pods/log a', 'get nodes a'],
      ['get deployments.apps a'],
    ],
    [
      'names',
      rule(['*'], [''], ['pods'], ['a']),
      ['get pods a', 'delete pods a'],
      ['get pods b', 'list pods', 'create pods', 'deletecollection pods'],
    ],
    ['a path', paths(['get'], '/metrics'), ['get /metrics'], ['get /metrics/x', 'post /metrics', 'get pods a']],
    ['paths below', paths(['get'], '/openapi/*'), ['get /openapi/v3'], ['get /openapi', 'get /apis']],
    ['every path and no resource', paths(['*'], '*'), ['post /x'], ['get pods a']],
    ['every resource and no path', rule(['*'], ['*'], ['*']), ['create pods'], ['get /metrics']],
  ];
  test.each(table)('%s', (_what, one, allowed, refused) => {
    for (const text of allowed) expect(ruleAllows(one, request(text)), text).toBe(true);
    for (const text of refused) expect(ruleAllows(one, request(text)), text).toBe(false);
  });
});

describe('a subject', () => {
  const ann = { user: 'ann', groups: ['gatekeepers'] };
  const robot = { user: 'system:serviceaccount:ci:robot', groups: [] };
  test.each<[string, RoleSubject, typeof ann, boolean]>([
    ['a user by name', { kind: 'User', name: 'ann' }, ann, true],
    ['another user', { kind: 'User', name: 'bob' }, ann, false],
    ['a user of a group’s name', { kind: 'User', name: 'gatekeepers' }, ann, false],
    ['a group by membership', { kind: 'Group', name: 'gatekeepers' }, ann, true],
    ['another group', { kind: 'Group', name: 'ann' }, ann, false],
    ['everybody with a certificate', { kind: 'Group', name: 'system:authenticated' }, ann, true],
    ['nobody without one', { kind: 'Group', name: 'system:unauthenticated' }, ann, false],
    ['a service account', { kind: 'ServiceAccount', name: 'robot', namespace: 'ci' }, robot, true],
    ['one of another namespace', { kind: 'ServiceAccount', name: 'robot', namespace: 'default' }, robot, false],
    ['a user is no service account', { kind: 'ServiceAccount', name: 'ann', namespace: 'ci' }, ann, false],
    ['something else', { kind: 'Robot', name: 'ann' }, ann, false],
  ])('%s', (_what, subject, identity, expected) => {
    expect(isSubject(subject, identity)).toBe(expected);
  });
});

describe('what is handed on', () => {
  const table: [what: string, held: PolicyRule[], wanted: PolicyRule, missing: number][] = [
    ['the same', [rule(['get'], [''], ['pods'])], rule(['get'], [''], ['pods']), 0],
    ['one verb more', [rule(['get'], [''], ['pods'])], rule(['get', 'delete'], [''], ['pods']), 1],
    [
      'joined from two',
      [rule(['get'], [''], ['pods']), rule(['list'], [''], ['pods'])],
      rule(['get', 'list'], [''], ['pods']),
      0,
    ],
    ['all verbs out of some', [rule(['get', 'list'], [''], ['pods'])], rule(['*'], [''], ['pods']), 1],
    ['all groups out of one', [rule(['get'], [''], ['pods'])], rule(['get'], ['*'], ['pods']), 1],
    ['all resources out of one', [rule(['get'], [''], ['pods'])], rule(['get'], [''], ['*']), 1],
    [
      'out of all',
      [rule(['*'], ['*'], ['*'])],
      rule(['get', '*'], ['', '*'], ['pods', '*', '*/scale', 'pods/log'], ['a']),
      0,
    ],
    ['a part out of its resource', [rule(['get'], [''], ['pods'])], rule(['get'], [''], ['pods/log']), 1],
    [
      'a part out of such parts',
      [rule(['get'], ['*'], ['*/scale'])],
      rule(['get'], ['apps'], ['deployments/scale']),
      0,
    ],
    ['a name out of all', [rule(['get'], [''], ['pods'])], rule(['get'], [''], ['pods'], ['a']), 0],
    ['another name', [rule(['get'], [''], ['pods'], ['a'])], rule(['get'], [''], ['pods'], ['a', 'b']), 1],
    ['all names out of one', [rule(['get'], [''], ['pods'], ['a'])], rule(['get'], [''], ['pods']), 1],
    ['a path', [paths(['get'], '/a/*')], paths(['get'], '/a/b', '/a/b/*'), 0],
    ['paths above', [paths(['get'], '/a/*')], paths(['get'], '/a', '/*', '*'), 3],
    ['a path out of all resources', [rule(['*'], ['*'], ['*'])], paths(['get'], '/a'), 1],
  ];
  test.each(table)('%s', (_what, held, wanted, missing) => {
    expect(missingGrants(held, [wanted])).toHaveLength(missing);
  });

  it('is not even looked at when it is too much to compare', () => {
    const many = Array.from({ length: 200 }, (_, index) => `x${index}`);
    expect(missingGrants([rule(['*'], ['*'], ['*'])], [rule(many, many, many, many)])).toBeUndefined();
  });
});
