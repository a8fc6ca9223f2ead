/**
 * The published table of edits made apart: `base` is what hub and node had in common, `node` and `hub` are merge
 * patches that each made of it without knowing of the other. `merged`: both sides, whoever is heard first.
 * `unmanaged`: the same where the node's side wins; given when it differs.
 */
import type { Json } from '../../../protocol/kubernetes.ts';
import type { Members } from '../../../protocol/twin/merge.ts';

export interface TwinCase {
  name: string;
  base: Members;
  node?: { [key: string]: Json };
  hub?: { [key: string]: Json };
  merged: Members;
  unmanaged?: Members;
}

export const twinCases: readonly TwinCase[] = [
  { name: 'add, by the node', base: { a: 1 }, node: { b: 2 }, merged: { a: 1, b: 2 } },
  { name: 'add, by the hub', base: { a: 1 }, hub: { b: 2 }, merged: { a: 1, b: 2 } },
  { name: 'add, different members', base: {}, node: { a: 1 }, hub: { b: 2 }, merged: { a: 1, b: 2 } },
  {
    name: 'add, the same member',
    base: {},
    node: { a: 1 },
    hub: { a: 2 },
    merged: { a: 2 },
    unmanaged: { a: 1 },
  },
  { name: 'add, the same member and value', base: {}, node: { a: 1 }, hub: { a: 1 }, merged: { a: 1 } },
  { name: 'overwrite, by the node', base: { a: 1 }, node: { a: 2 }, merged: { a: 2 } },
  {
    name: 'overwrite, by both',
    base: { a: 1 },
    node: { a: 2 },
    hub: { a: 3 },
    merged: { a: 3 },
    unmanaged: { a: 2 },
  },
  {
    name: 'overwrite, different leaves of one object',
    base: { o: { a: 1, b: 1 } },
    node: { o: { a: 2 } },
    hub: { o: { b: 3 } },
    merged: { o: { a: 2, b: 3 } },
  },
  {
    name: 'overwrite, an array is one leaf',
    base: { l: [1, 2] },
    node: { l: [1, 2, 3] },
    hub: { l: [0, 1, 2] },
    merged: { l: [0, 1, 2] },
    unmanaged: { l: [1, 2, 3] },
  },
  { name: 'unchanged, by both', base: { a: 1 }, node: {}, hub: {}, merged: { a: 1 } },
  { name: 'unchanged, written again by the node', base: { a: 1 }, node: { a: 1 }, hub: { a: 2 }, merged: { a: 2 } },
  { name: 'remove, by the node', base: { a: 1, b: 1 }, node: { a: null }, merged: { b: 1 } },
  { name: 'remove, by the hub', base: { a: 1, b: 1 }, hub: { a: null }, merged: { b: 1 } },
  { name: 'remove, by both', base: { a: 1 }, node: { a: null }, hub: { a: null }, merged: {} },
  {
    name: 'remove, and overwrite at the hub',
    base: { a: 1 },
    node: { a: null },
    hub: { a: 2 },
    merged: { a: 2 },
    unmanaged: {},
  },
  {
    name: 'remove at the hub, and overwrite',
    base: { a: 1 },
    node: { a: 2 },
    hub: { a: null },
    merged: {},
    unmanaged: { a: 2 },
  },
  {
    name: 'remove an object, and add to it at the hub',
    base: { o: { a: 1 } },
    node: { o: null },
    hub: { o: { b: 2 } },
    merged: { o: { b: 2 } },
    unmanaged: {},
  },
  { name: 'remove-missing, by the node', base: { a: 1 }, node: { x: null }, merged: { a: 1 } },
  { name: 'remove-missing, added by the hub', base: {}, node: { x: null }, hub: { x: 1 }, merged: { x: 1 } },
  { name: 'value to object, by the node', base: { a: 1 }, node: { a: { b: 2 } }, merged: { a: { b: 2 } } },
  {
    name: 'value to object, and overwrite at the hub',
    base: { a: 1 },
    node: { a: { b: 2 } },
    hub: { a: 3 },
    merged: { a: 3 },
    unmanaged: { a: { b: 2 } },
  },
  {
    name: 'value to object, by both',
    base: { a: 1 },
    node: { a: { b: 2, c: 2 } },
    hub: { a: { c: 3, d: 3 } },
    merged: { a: { b: 2, c: 3, d: 3 } },
    unmanaged: { a: { b: 2, c: 2, d: 3 } },
  },
  { name: 'object to value, by the node', base: { o: { a: 1 } }, node: { o: 5 }, merged: { o: 5 } },
  {
    name: 'object to value, and overwrite inside at the hub',
    base: { o: { a: 1, b: 1 } },
    node: { o: 5 },
    hub: { o: { a: 2 } },
    merged: { o: { a: 2 } },
    unmanaged: { o: 5 },
  },
  {
    name: 'object to value at the hub, and overwrite inside',
    base: { o: { a: 1, b: 1 } },
    node: { o: { a: 2 } },
    hub: { o: 5 },
    merged: { o: 5 },
    unmanaged: { o: { a: 2 } },
  },
  {
    name: 'empty object, kept',
    base: { o: { a: 1 } },
    node: { o: { a: null } },
    hub: { b: 1 },
    merged: { b: 1, o: {} },
  },
];
