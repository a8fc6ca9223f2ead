/** What annotations of a pod grant, and who a token says the caller is. */
import { expect, test } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import { type AppPod, Principals } from '../../../runtime/local-api/principals.ts';
import { mayTwin, ownerRights, rightsOf, type TwinVerb, twinVerbs } from '../../../runtime/local-api/rights.ts';

const twins = (text: string) => rightsOf({ 'stile.dev/twins': text });
const may = (text: string, id: string): TwinVerb[] =>
  twinVerbs.filter((verb) => mayTwin(twins(text).rights, 'gate-1', id, verb));

test('an app without annotations reads twins, appends events and sees its namespace', () => {
  const { rights, faults } = rightsOf(undefined);
  expect(faults).toEqual([]);
  expect(rights).toMatchObject({ events: true, kubernetes: 'namespace' });
  expect(twinVerbs.filter((verb) => mayTwin(rights, 'gate-1', 'default.barrier', verb))).toEqual(['get']);
});

test.each([
  ['self=get,reported', 'gate-1', ['get', 'reported']],
  ['self=get,reported', 'default.barrier', []],
  ['default.*=desired', 'default.barrier', ['desired']],
  ['default.*=desired', 'defaulted', []],
  ['default.barrier=*', 'default.barrier', [...twinVerbs]],
  ['default.barrier = invoke ; *=get', 'default.barrier', ['get', 'invoke']],
  ['', 'gate-1', []],
])('%j grants on %s: %j', (text, id, verbs) => {
  expect(twins(text).faults).toEqual([]);
  expect(may(text, id)).toEqual(verbs);
});

test.each([
  'self',
  'self=fly',
  'self=',
  '=get',
  'SELF=get',
  'a=get;'.repeat(65),
  'default.* get',
  '*gate=get',
  'a*.b=get',
  'a*=get',
])('%j cannot be read and grants nothing', (text) => {
  const { rights, faults } = twins(text);
  expect(rights.twins).toEqual([]);
  expect(faults).toHaveLength(1);
});

test('events and kubernetes read their own words only', () => {
  expect(rightsOf({ 'stile.dev/events': 'none', 'stile.dev/kubernetes': 'all' }).rights).toMatchObject({
    events: false,
    kubernetes: 'all',
  });
  const { rights, faults } = rightsOf({ 'stile.dev/events': 'yes', 'stile.dev/kubernetes': 'everything' });
  expect(rights).toMatchObject({ events: false, kubernetes: 'none' });
  expect(faults).toHaveLength(2);
  expect(rightsOf({ 'stile.dev/events': 'constructor' }).rights.events).toBe(false);
});

const pods = new Map<string, AppPod>([
  ['u1', { namespace: 'default', name: 'gate', annotations: { 'stile.dev/twins': 'self=get' } }],
  ['u2', { namespace: 'default', name: 'other', annotations: { 'stile.dev/twins': 'fly' } }],
]);
const faults: string[] = [];
const principals = (key = 7) =>
  new Principals({
    nodeName: 'gate-1',
    ownerSecret: 'a'.repeat(64),
    key: new Uint8Array(32).fill(key),
    pod: (uid) => pods.get(uid),
    onFault: ({ name }, fault) => faults.push(`${name}: ${fault}`),
  });
const refusalOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return codeOf(error);
  }
  return 'none';
};

test('an app is its pod, the same in every life, and nobody once the pod is gone', () => {
  const token = principals().tokenOf('u1');
  expect(principals().identify(`Bearer ${token}`)).toMatchObject({ name: 'default/gate', uid: 'u1' });
  expect(refusalOf(() => principals(8).identify(`Bearer ${token}`))).toBe('E_UNAUTHORIZED');
  expect(refusalOf(() => principals().identify(`Bearer ${principals().tokenOf('u3')}`))).toBe('E_UNAUTHORIZED');
  expect(principals().identify(`bearer ${principals().ownerToken}`)).toEqual({ name: 'owner', rights: ownerRights });
  principals().identify(`Bearer ${principals().tokenOf('u2')}`);
  expect(faults).toEqual(['other: annotation stile.dev/twins grants nothing: "fly" cannot be read']);
});

test('a token that was found right before is no one any more once its pod is gone', () => {
  const one = principals();
  const shown = `Bearer ${one.tokenOf('u9')}`;
  const pod = { namespace: 'default', name: 'late' };
  expect(refusalOf(() => one.identify(shown))).toBe('E_UNAUTHORIZED');
  pods.set('u9', { ...pod, annotations: { 'stile.dev/events': 'none' } });
  expect(one.identify(shown).rights.events).toBe(false);
  pods.set('u9', pod);
  expect(one.identify(shown).rights.events).toBe(true);
  pods.delete('u9');
  expect(refusalOf(() => one.identify(shown))).toBe('E_UNAUTHORIZED');
});

test.each([undefined, '', 'Basic x', 'Bearer', 'Bearer x', 'Bearer app.u1.x', 'Bearer owner.', 'Bearer owner.a.a.a'])(
  '%j is nobody',
  (header) => {
    expect(refusalOf(() => principals().identify(header))).toBe('E_UNAUTHORIZED');
  },
);

test('a ticket reads one twin for as long as its holder may, and does nothing else', () => {
  const all = principals();
  const app = all.identify(`Bearer ${all.tokenOf('u1')}`);
  const holder = principals().identifyTicket(all.ticketOf(app, 'gate-1'));
  expect(twinVerbs.filter((verb) => all.may(holder, 'gate-1', verb))).toEqual(['get']);
  expect(all.may(holder, 'default.barrier', 'get')).toBe(false);
  const owner = all.identifyTicket(all.ticketOf({ name: 'owner', rights: ownerRights }, 'default.barrier'));
  expect(twinVerbs.filter((verb) => all.may(owner, 'default.barrier', verb))).toEqual(['get']);
  expect(all.may(owner, 'gate-1', 'get')).toBe(false);
  const forged = all.ticketOf(app, 'gate-1').replace('.u1.', '.u2.');
  expect(refusalOf(() => all.identifyTicket(forged))).toBe('E_UNAUTHORIZED');
  expect(refusalOf(() => all.identify(`Bearer ${all.ticketOf(app, 'gate-1')}`))).toBe('E_UNAUTHORIZED');
});
