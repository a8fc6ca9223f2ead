/** At least one message of every kind, with the edges of its fields. A new kind does not compile without one. */
import { limits } from '../../../protocol/limits.ts';
import type { Message, MessageName, MessageOf } from '../../../protocol/messages.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { boundPod, configMap } from './objects.ts';

const digest = Uint8Array.from({ length: 16 }, (_, index) => index * 17);
const hash = digest.subarray(8);
const epoch = '7f3a9c0e5d1b4286';
const timeMs = 1_772_352_000_123;

export const sampleMessages: { [N in MessageName]: MessageOf<N>[] } = {
  hello: [
    {
      name: 'hello',
      versionMin: 1,
      versionMax: 1,
      node: 'gate-0',
      epoch,
      bootId: '0d6f1c52-3b84-4f11-9d7e-52a1b6f0c3d9',
      agent: 'stile-runtime/0.1.0',
      capabilities: ['host', 'js'],
      cursors: [
        { scope: 0, uid: 'hangzhou', incarnation: 'a1b2c3', revision: 42, digest },
        { scope: 1, uid: 'gate-0', incarnation: '', revision: 0, digest: new Uint8Array(16) },
      ],
      nowMs: timeMs,
    },
    {
      name: 'hello',
      versionMin: 1,
      versionMax: 0xffff,
      node: '',
      epoch: '',
      bootId: '',
      agent: 'Ünïcode/1 😀',
      capabilities: [],
      cursors: [],
      nowMs: 0,
    },
  ],
  welcome: [
    {
      name: 'welcome',
      version: 1,
      incarnation: 'a1b2c3',
      hubTimeMs: timeMs,
      beatMs: 30_000,
      silenceMs: 40_000,
      messageBytesMax: limits.messageBytesMax,
      watermarks: [{ epoch, seq: 128 }],
      advertise: ['hub.example:7443', '[2001:db8::1]:7443'],
    },
  ],
  refuse: [{ name: 'refuse', code: 23, message: 'Too many sessions at once.', retryAfterMs: 5_000 }],
  beat: [
    { name: 'beat', nonce: 0 },
    { name: 'beat', nonce: 0xffff_ffff },
  ],
  beatAck: [{ name: 'beatAck', nonce: 65_536, hubTimeMs: timeMs }],
  bye: [{ name: 'bye', code: 24, message: 'A newer session took over.', retryAfterMs: 0 }],
  section: [{ name: 'section', handle: 1, scope: 0, uid: 'hangzhou', current: true }],
  delta: [
    {
      name: 'delta',
      handle: 1,
      from: 42,
      to: 43,
      digest,
      puts: [{ key: 'Pod/default/a', revision: 43, bytes: encodeObject(boundPod()) }],
      deletes: ['ConfigMap/default/old'],
    },
    { name: 'delta', handle: 0, from: 0, to: Number.MAX_SAFE_INTEGER, digest, puts: [], deletes: [] },
  ],
  inventoryRequest: [{ name: 'inventoryRequest', handle: 2, empty: false }],
  inventory: [
    {
      name: 'inventory',
      handle: 2,
      entries: [
        { key: 'Pod/default/a', revision: 43, hash },
        { key: 'ConfigMap/default/b', revision: 4_294_967_296, hash: new Uint8Array(8) },
      ],
      last: true,
    },
  ],
  chunk: [
    {
      name: 'chunk',
      handle: 2,
      puts: Array.from({ length: 3 }, (_, n) => ({
        key: `ConfigMap/default/gate-keys-${n}`,
        revision: n,
        bytes: encodeObject(configMap(n)),
      })),
      deletes: [],
    },
  ],
  flip: [{ name: 'flip', handle: 2, to: 43, digest }],
  drop: [{ name: 'drop', scope: 2, uid: 'subscription-1' }],
  viewAck: [{ name: 'viewAck', handle: 2, revision: 43 }],
  viewMismatch: [{ name: 'viewMismatch', handle: 2 }],
  // Its bytes depend on the deflate library: packed.json has the vectors.
  packed: [],
  events: [
    {
      name: 'events',
      epoch,
      first: 129,
      floor: 100,
      items: [
        { type: 'ticket.used', timeMs, data: { ticket: 'T-1', gate: 0, at: [1.5, -7, null, true] }, id: 'T-1' },
        { type: 'log', timeMs: 0, data: null, id: undefined },
        {
          type: 'numbers',
          timeMs,
          data: [0, 127, 128, -1, -32, -33, 65_535, 4_294_967_295, 4_294_967_296, 0.1],
          id: '',
        },
        { type: 'keys', timeMs, data: { '10': 1, '9': 2, a: {}, Z: [], é: 'ü', '😀': '' }, id: undefined },
      ],
    },
  ],
  states: [
    {
      name: 'states',
      after: 0,
      items: [
        { key: 'pod/default/a', stamp: 1, value: { phase: 'Running', restarts: 0 } },
        { key: 'pod/default/b', stamp: 2, value: undefined },
        {
          key: 'twin/gate-0',
          stamp: 3,
          value: {
            uid: 'c3f1a9d2-0b6e-4c57-a8f4-9d2e6b1f7a30',
            seen: 7,
            reported: { version: 42, value: { passed: 12 }, metadata: { '': timeMs, passed: timeMs } },
            desired: { number: 3, base: { door: { mode: 'open' } }, mine: { door: { mode: 'closed' } }, timeMs },
          },
        },
      ],
    },
  ],
  samples: [{ name: 'samples', items: [{ name: 'cpu', timeMs, value: 0.25 }], dropped: 3 }],
  reportAck: [{ name: 'reportAck', watermarks: [{ epoch, seq: 132 }], stamp: 2 }],
};

export const allSampleMessages: Message[] = Object.values(sampleMessages).flat();
